package org.quern.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.assertj.core.api.AbstractStringAssert;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// The store against a server that checks signatures.
class ObjectStoreTest {
    private static S3Server server;

    @TempDir
    private Path folder;

    private ObjectStore store;

    @BeforeAll
    static void start() {
        server = new S3Server();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @BeforeEach
    void open(TestInfo test) {
        store = server.open(test.getDisplayName().replaceAll("\\W", ""));
    }

    @AfterEach
    void close() {
        server.fail(0);
        server.refuse(_ -> false);
        store.close();
    }

    private static byte[] bytes(int count, long seed) {
        byte[] bytes = new byte[count];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    @Test
    void readsWhatWasWritten() throws IOException {
        byte[] content = bytes(100_003, 1);
        store.put("a/one", content);
        store.put("a/two words+more~%", content);
        store.put("empty", new byte[0]);

        assertThat(store.read("a/one")).isEqualTo(content);
        assertThat(store.read("a/two words+more~%")).isEqualTo(content);
        assertThat(store.read("empty")).isEmpty();
        assertThat(store.read("a/one", 77, 5)).containsExactly(Arrays.copyOfRange(content, 77, 82));
        assertThat(store.list(""))
                .extracting(StoredObject::key)
                .containsExactly("a/one", "a/two words+more~%", "empty");
        assertThat(store.list("a/o"))
                .singleElement()
                .satisfies(found -> assertThat(found.bytes()).isEqualTo(100_003));
        assertThat(store.size("a/one")).contains(100_003L);

        store.delete("a/one");
        store.delete("a/one");
        assertThat(store.size("a/one")).isEmpty();
        assertThatThrownBy(() -> store.read("a/one"))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("a/one");
    }

    @Test
    void movesLargeObjectsInParts() throws IOException {
        byte[] content = bytes((int) (2 * MultipartUpload.PART_BYTES + 12_345), 2);
        Path file = Files.write(folder.resolve("large"), content);
        AtomicLong moved = new AtomicLong();
        store.put("large", file, moved::addAndGet);
        assertThat(moved).hasValue(content.length);
        assertThat(server.uploadsUnderWay()).isZero();

        Path copy = folder.resolve("copy");
        store.download("large", copy);
        assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
        try (InputStream in = store.open("large")) {
            assertThat(MemorySegment.ofArray(in.readAllBytes()).mismatch(MemorySegment.ofArray(content)))
                    .isEqualTo(-1);
        }
    }

    @Test
    void listsMoreThanAPage() {
        for (int i = 0; i < 10; i++) {
            store.put("many/" + i, new byte[0]);
        }
        assertThat(store.list("many/")).hasSize(10);
    }

    @Test
    void triesAgainWhenTheStoreIsBusy() {
        byte[] content = bytes(10, 3);
        server.fail(3);
        store.put("busy", content);
        server.fail(2);
        assertThat(store.read("busy")).isEqualTo(content);
    }

    @Test
    void failedUploadsLeaveNothing() {
        server.refuse(key -> key.endsWith("refused"));
        MemorySegment content = MemorySegment.ofArray(new byte[(int) MultipartUpload.PART_BYTES + 1]);
        assertThatThrownBy(() -> store.put("refused", content, _ -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("may not PUT")
                .hasMessageContaining("s3:PutObject");
        assertThat(server.uploadsUnderWay()).isZero();
        assertThat(store.list("")).isEmpty();
    }

    @Test
    void abortsWhatOthersLeft() {
        S3Connection connection = new S3Connection(S3Server.BUCKET, server.environment());
        String prefix = store.place().prefix();
        connection.send(new S3Connection.Request("POST", prefix + "x/left", Map.of("uploads", "")));
        connection.send(new S3Connection.Request("POST", prefix + "y/left", Map.of("uploads", "")));
        assertThat(store.abortUploads("x/")).isOne();
        assertThat(server.uploadsUnderWay()).isOne();
        assertThat(store.abortUploads("")).isOne();
        connection.close();
    }

    @Test
    void isWritable() {
        store.requireWritable();
        assertThat(store.list("")).isEmpty();
    }

    @Test
    void saysWhatIsWrong() {
        assertRefused("tests", Map.of("AWS_SECRET_ACCESS_KEY", "wrong"))
                .contains("the secret key does not belong to access key ..TKEY (AWS_ACCESS_KEY_ID)")
                .contains("AWS_ENDPOINT_URL_S3");
        assertRefused("tests", Map.of("AWS_ACCESS_KEY_ID", "SOMEBODY"))
                .contains("..BODY")
                .contains("is not known");
        assertRefused("absent", Map.of()).contains("s3://absent: there is no such bucket");
        assertRefused("tests", Map.of("AWS_ACCESS_KEY_ID", "", "AWS_SECRET_ACCESS_KEY", ""))
                .contains("no keys for the object store")
                .contains("AWS_PROFILE");
        assertRefused("tests", Map.of("AWS_SECRET_ACCESS_KEY", "")).contains("go together");
        assertRefused("tests", Map.of("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"))
                .contains("cannot be reached")
                .contains("127.0.0.1:1");
        assertRefused("tests", Map.of("AWS_ENDPOINT_URL_S3", "localhost:9000")).contains("must be an address");
        server.refuse(key -> key.contains("probe"));
        assertRefused("tests", Map.of()).contains("may not PUT here");
    }

    private static AbstractStringAssert<?> assertRefused(String bucket, Map<String, String> changes) {
        Map<String, String> environment = new HashMap<>(server.environment());
        environment.putAll(changes);
        try (ObjectStore store = ObjectStore.open(new StorePlace(bucket, "refused/"), environment)) {
            store.requireWritable();
            throw new AssertionError("nothing was refused");
        } catch (QuernException e) {
            assertThat(e.exitCode()).isIn(ExitCode.DATA, ExitCode.IO);
            return assertThat(e.getMessage()).doesNotContain("canary");
        }
    }

    @Test
    void placesAreBucketsWithPrefixes() {
        assertThat(StorePlace.parse("s3://abc/d/e/"))
                .isEqualTo(new StorePlace("abc", "d/e/"))
                .hasToString("s3://abc/d/e");
        assertThat(StorePlace.parse("s3://abc"))
                .isEqualTo(new StorePlace("abc", ""))
                .hasToString("s3://abc");
        assertThat(StorePlace.problem("s3://user:canary@abc/d"))
                .hasValueSatisfying(problem -> assertThat(problem).doesNotContain("canary"));
        for (String wrong : new String[] {"abc/d", "s3:/abc", "s3://ABC", "s3://abc//d", "s3://abc/../d", "s3://"}) {
            assertThat(StorePlace.problem(wrong)).as(wrong).isPresent();
        }
    }

    @Test
    void anObjectMayLookLikeAnError() {
        byte[] content = "<Error><Code>SlowDown</Code></Error>".getBytes(StandardCharsets.UTF_8);
        store.put("x", content);
        assertThat(store.read("x")).isEqualTo(content);
    }
}
