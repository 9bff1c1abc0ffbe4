package org.quern.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor.DType;

class SafetensorsTest {
    @TempDir
    Path folder;

    private final Arena arena = Arena.ofShared();

    @AfterEach
    void unmap() {
        arena.close();
    }

    @Test
    void readsWhatItWrote() throws IOException {
        List<NamedTensor> tensors = List.of(
                bytes("odd", DType.U8, 13),
                NamedTensor.floats(
                        "weights", arena.allocateFrom(JAVA_FLOAT_UNALIGNED, 1, -2, Float.NaN, 0, 5, 6), 2, 3),
                bytes("scalar", DType.F64),
                bytes("nothing", DType.I32, 4, 0),
                bytes("name with \"quotes\", ü and 😀", DType.BF16, 1, 7));
        Path file = folder.resolve("some.safetensors");

        Safetensors.write(file, tensors);

        List<NamedTensor> found = Safetensors.read(file, arena);
        assertThat(found).extracting(NamedTensor::name).isEqualTo(names(tensors));
        for (int i = 0; i < tensors.size(); i++) {
            assertThat(found.get(i).dtype()).isEqualTo(tensors.get(i).dtype());
            assertThat(found.get(i).shape()).isEqualTo(tensors.get(i).shape());
            assertThat(found.get(i).data().mismatch(tensors.get(i).data())).isEqualTo(-1);
        }
        assertThat(Files.size(file))
                .isEqualTo(Safetensors.bytes(
                        tensors.stream().map(NamedTensor::spec).toList()));
    }

    @Test
    void alignsTheTensors() throws IOException {
        for (int length = 1; length < 20; length++) {
            Path file = folder.resolve("some.safetensors");
            Safetensors.write(file, List.of(bytes("x".repeat(length), DType.F32, 1)));
            assertThat(length(Files.readAllBytes(file)) % 8).isZero();
        }
    }

    @Test
    void readsFilesOfPyTorch() {
        List<NamedTensor> tensors =
                Safetensors.readFolder(Path.of("src/test/resources/golden/llama-tied"), "model", arena);

        assertThat(tensors).extracting(NamedTensor::name).contains("model.embed_tokens.weight", "model.norm.weight");
        assertThat(tensors).extracting(NamedTensor::dtype).containsOnly(DType.F32);
    }

    @Test
    void readsMoreThanTwoGigabytes() throws IOException {
        long count = (1L << 29) + 13;
        MemorySegment ones = arena.allocate(64);
        Path file = folder.resolve("sparse.safetensors");
        Safetensors.write(file, List.of(NamedTensor.floats("last", ones, 16)));
        byte[] header = Files.readAllBytes(file);
        String json = new String(header, 8, header.length - 72, StandardCharsets.UTF_8)
                .replace("[16]", "[" + count + "]")
                .replace("[0,64]", "[0," + 4 * count + "]");
        write(file, json, new byte[0]);
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}), channel.size() + 4 * count - 4);
        }

        MemorySegment data = Safetensors.read(file, arena).getFirst().data();

        assertThat(data.byteSize()).isEqualTo(4 * count);
        assertThat(data.asSlice(4 * count - 4).toArray(JAVA_BYTE)).containsExactly(1, 2, 3, 4);
    }

    @Test
    void rejectsEveryTruncation() throws IOException {
        Path whole = folder.resolve("whole.safetensors");
        Safetensors.write(whole, List.of(bytes("a", DType.F32, 3), bytes("b", DType.U8, 5)));
        byte[] bytes = Files.readAllBytes(whole);
        Path file = folder.resolve("cut.safetensors");
        for (int length = 0; length < bytes.length; length++) {
            Files.write(file, Arrays.copyOf(bytes, length));
            assertBad(file, "cut.safetensors", "expected", "found");
        }
        Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
        assertBad(file, "expected 17 bytes of tensors, found 18");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    {"a":                                                              | expected a JSON object
                    []                                                                 | expected a JSON object, found ARRAY
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}}      | Duplicate
                    {} {}                                                              | header
                    {"a":{"shape":[2],"data_offsets":[0,8]}}                           | as dtype of a, found ""
                    {"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}             | as dtype of a, found "F31"
                    {"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}               | an array shape of a, found 2
                    {"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}           | whole numbers as shape of a, found [2.5]
                    {"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}         | whole numbers as shape of a, found [-1,-2]
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}               | two data_offsets of a, found [0]
                    {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}             | a to take the bytes of F32 [3], found bytes [0, 8]
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}             | found bytes [8, 0]
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}            | a at byte 0, found byte 8
                    {"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}            | 16 bytes of tensors, found 8
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}             | 4 bytes of tensors, found 8
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}} | b at byte 8, found byte 4
                    {"a":{"dtype":"F64","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}} | a to fit into memory
                    {"a":7}                                                            | an array shape of a
                    """)
    void rejectsBadHeaders(String json, String expected) throws IOException {
        Path file = folder.resolve("bad.safetensors");
        write(file, json, new byte[8]);
        assertBad(file, "bad.safetensors", expected);
    }

    @Test
    void rejectsImpossibleHeaderLengths() throws IOException {
        Path file = folder.resolve("bad.safetensors");
        for (long length : new long[] {0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001}) {
            Files.write(file, longBytes(length));
            assertBad(file, "expected a header of 2 to 100000000 bytes, found " + length);
        }
        Files.write(file, longBytes(1000));
        assertBad(file, "expected a header of 1000 bytes, found 0 bytes left");
    }

    @Test
    void namesMissingFile() {
        assertBad(folder.resolve("none.safetensors"), "none.safetensors: expected a safetensors file, found none");
    }

    @Test
    void readsFoldersOfSeveralFiles() throws IOException {
        Safetensors.write(folder.resolve("model-00001-of-00002.safetensors"), List.of(bytes("a", DType.F32, 3)));
        Safetensors.write(
                folder.resolve("model-00002-of-00002.safetensors"),
                List.of(bytes("b", DType.F32, 3), bytes("c", DType.F32, 1)));
        index("""
                {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors",
                 "b": "model-00002-of-00002.safetensors"}""");

        assertThat(names(Safetensors.readFolder(folder, "model", arena))).containsExactly("a", "b", "c");

        index("""
                {"a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}""");
        assertBadFolder("expected files with all its tensors, found none of b");
        index("""
                {"c": "model-00002-of-00002.safetensors"}""");
        assertBadFolder("model-00002-of-00002.safetensors: expected the tensors that", "found b");
        index("""
                {"a": "../model-00001-of-00002.safetensors"}""");
        assertBadFolder("names of files in the same folder");
        index("[]");
        assertBadFolder("expected an object weight_map, found ARRAY");
        index("""
                {"a": "model-00003-of-00002.safetensors"}""");
        assertBadFolder("model-00003-of-00002.safetensors: expected a safetensors file, found none");
    }

    private void index(String weightMap) throws IOException {
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\": %s}".formatted(weightMap));
    }

    private void assertBadFolder(String... words) {
        assertThatThrownBy(() -> Safetensors.readFolder(folder, "model", arena)).hasMessageContainingAll(words);
    }

    private void assertBad(Path file, String... words) {
        assertThatThrownBy(() -> Safetensors.read(file, arena))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContainingAll(words);
    }

    private NamedTensor bytes(String name, DType dtype, long... shape) {
        long size = dtype.bytes();
        List<Long> sizes = new ArrayList<>();
        for (long dim : shape) {
            size *= dim;
            sizes.add(dim);
        }
        MemorySegment data = arena.allocate(size);
        for (long i = 0; i < size; i++) {
            data.set(JAVA_BYTE, i, (byte) (37 * i + 11));
        }
        return new NamedTensor(name, dtype, sizes, data);
    }

    private static List<String> names(List<NamedTensor> tensors) {
        return tensors.stream().map(NamedTensor::name).toList();
    }

    private static void write(Path file, String header, byte[] data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        Files.write(file, bytes.putLong(json.length).put(json).put(data).array());
    }

    private static byte[] longBytes(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
    }

    private static long length(byte[] file) {
        return ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    }
}
