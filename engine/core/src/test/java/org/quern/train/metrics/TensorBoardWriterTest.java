package org.quern.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.train.TrainEvent;

/// Reads what is written with a reader of its own: CRC-32C bit by bit, protocol buffers by wire type.
class TensorBoardWriterTest {
    @TempDir
    Path run;

    @Test
    void knowsTheCheckValueOfCrc32c() {
        assertThat(crc32c(ByteBuffer.wrap("123456789".getBytes(StandardCharsets.US_ASCII))))
                .isEqualTo(0xE3069283);
    }

    @Test
    void writesScalars() throws IOException {
        try (TensorBoardWriter writer = started(0)) {
            writer.on(new TrainEvent.Step(300, 3.25, 6e-4, 0.5, 4096, 8000, 1, false));
            writer.on(new TrainEvent.Step(301, Double.NaN, 6e-4, 0.5, 8192, 8000, 2, false));
            writer.on(new TrainEvent.Evaluation(301, 3.5, 1.25, 3, List.of()));
        }
        List<Message> events = events();
        assertThat(events.getFirst().text(3)).isEqualTo("brain.Event:2");
        assertThat(events)
                .allSatisfy(event ->
                        assertThat(event.fixed64(1)).isCloseTo(System.currentTimeMillis() / 1000.0, within(60.0)));
        assertThat(events).extracting(event -> event.varint(2)).containsExactly(0L, 1L, 300L, 301L, 301L);
        assertThat(scalars(events.get(2)))
                .isEqualTo(Map.of("loss", 3.25f, "lr", 6e-4f, "grad_norm", 0.5f, "tokens_per_second", 8000f));
        assertThat(scalars(events.get(3))).containsEntry("loss", Float.NaN);
        assertThat(scalars(events.get(4))).isEqualTo(Map.of("val_loss", 3.5f, "val_bpb", 1.25f));
    }

    @Test
    void marksWhereASessionStarts() throws IOException {
        started(200).close();
        Message start = events().get(1);
        assertThat(start.varint(2)).as("events from this step on are void").isEqualTo(201);
        assertThat(start.messages(7).getFirst().varint(1))
                .as("SessionLog.START")
                .isEqualTo(1);
    }

    @Test
    void writesSamplesForTheTextPlugin() throws IOException {
        try (TensorBoardWriter writer = started(0)) {
            writer.on(new TrainEvent.Sample(5, "Elizabeth", " walked\non \u00e9"));
            writer.on(new TrainEvent.Sample(5, "Emma", " sat"));
            writer.on(new TrainEvent.Sample(9, "Elizabeth", " ran"));
        }
        List<Message> values = events().stream()
                .flatMap(event -> event.messages(5).stream())
                .flatMap(summary -> summary.messages(1).stream())
                .toList();
        assertThat(values).extracting(value -> value.text(1)).containsExactly("sample 1", "sample 2", "sample 1");
        assertThat(values).allSatisfy(value -> {
            assertThat(value.messages(9).getFirst().messages(1).getFirst().text(1))
                    .isEqualTo("text");
            assertThat(value.messages(8).getFirst().varint(1)).as("DT_STRING").isEqualTo(7);
        });
        assertThat(values.getFirst().messages(8).getFirst().text(8)).isEqualTo("    Elizabeth walked\n    on \u00e9");
    }

    private TensorBoardWriter started(long firstStep) {
        TensorBoardWriter writer = new TensorBoardWriter();
        writer.on(new TrainEvent.Started(run, firstStep, 1000, 4096, ""));
        return writer;
    }

    private static Map<String, Float> scalars(Message event) {
        Map<String, Float> scalars = new LinkedHashMap<>();
        for (Message value : event.messages(5).getFirst().messages(1)) {
            scalars.put(value.text(1), value.fixed32(2));
        }
        return scalars;
    }

    /// The events of the only file, with their frames checked.
    private List<Message> events() throws IOException {
        Path file;
        try (Stream<Path> files = Files.list(run.resolve("tensorboard"))) {
            file = files.toList().getFirst();
        }
        assertThat(file.getFileName().toString()).startsWith("events.out.tfevents.");
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<Message> events = new ArrayList<>();
        while (in.hasRemaining()) {
            assertThat(masked(crc32c(in.slice(in.position(), 8)))).isEqualTo(in.getInt(in.position() + 8));
            int length = Math.toIntExact(in.getLong());
            in.getInt();
            ByteBuffer data = in.slice(in.position(), length);
            in.position(in.position() + length);
            assertThat(masked(crc32c(data))).isEqualTo(in.getInt());
            events.add(Message.read(data));
        }
        return events;
    }

    private static int masked(int crc) {
        return (crc >>> 15 | crc << 17) + 0xa282ead8;
    }

    private static int crc32c(ByteBuffer bytes) {
        int crc = -1;
        for (int i = 0; i < bytes.limit(); i++) {
            crc ^= bytes.get(i) & 0xFF;
            for (int bit = 0; bit < 8; bit++) {
                crc = crc >>> 1 ^ (crc & 1) * 0x82F63B78;
            }
        }
        return ~crc;
    }

    private record Field(int number, Object value) {}

    private record Message(List<Field> fields) {
        static Message read(ByteBuffer bytes) {
            ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
            List<Field> fields = new ArrayList<>();
            while (in.hasRemaining()) {
                long tag = readVarint(in);
                Object value = switch ((int) tag & 7) {
                    case 0 -> readVarint(in);
                    case 1 -> in.getDouble();
                    case 2 -> {
                        byte[] some = new byte[(int) readVarint(in)];
                        in.get(some);
                        yield some;
                    }
                    case 5 -> in.getFloat();
                    default -> throw new AssertionError("wire type " + (tag & 7));
                };
                fields.add(new Field((int) (tag >>> 3), value));
            }
            return new Message(fields);
        }

        private static long readVarint(ByteBuffer in) {
            long value = 0;
            for (int shift = 0; ; shift += 7) {
                byte b = in.get();
                value |= (long) (b & 0x7F) << shift;
                if (b >= 0) {
                    return value;
                }
            }
        }

        private Stream<Object> values(int number) {
            return fields.stream().filter(field -> field.number == number).map(Field::value);
        }

        long varint(int number) {
            return (long) values(number).findFirst().orElseThrow();
        }

        double fixed64(int number) {
            return (double) values(number).findFirst().orElseThrow();
        }

        float fixed32(int number) {
            return (float) values(number).findFirst().orElseThrow();
        }

        String text(int number) {
            return new String((byte[]) values(number).findFirst().orElseThrow(), StandardCharsets.UTF_8);
        }

        List<Message> messages(int number) {
            return values(number)
                    .map(value -> read(ByteBuffer.wrap((byte[]) value)))
                    .toList();
        }
    }
}
