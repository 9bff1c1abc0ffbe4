package org.quern.store;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongConsumer;
import org.quern.base.QuernException;
import org.quern.store.S3Connection.Answer;
import org.quern.store.S3Connection.Request;

/// The objects below `s3://bucket/prefix`, at AWS or at a server that speaks its language (MinIO, Ceph, R2, ...).
///
/// Keys are below that place: `step-1/model.safetensors` of `s3://bucket/run` is the object
/// `run/step-1/model.safetensors`. An object is there as a whole or not at all. What fails for a while is tried
/// again for half a minute; what fails for good is a [QuernException] that names the place, the reason and what
/// to do. Large objects move in parts, a few at once, with the memory of these parts. Safe for several threads.
///
/// Keys and the endpoint are found as the AWS tools find them: environment variables, profiles of `~/.aws`, the
/// container's or the instance's role. Nothing that signs is ever part of a message.
public final class ObjectStore implements AutoCloseable {
    /// What is read at once.
    static final int RANGE_BYTES = 8 << 20;

    private static final int PARALLEL = 4;
    private static final LongConsumer UNTOLD = _ -> {};
    private static final int NOT_FOUND = 404;
    private static final int NO_SUCH_RANGE = 416;

    private final StorePlace place;
    private final S3Connection connection;
    private final ExecutorService threads = Executors.newFixedThreadPool(
            PARALLEL, Thread.ofPlatform().daemon().name("object-store-", 0).factory());

    private ObjectStore(StorePlace place, S3Connection connection) {
        this.place = place;
        this.connection = connection;
    }

    /// A store with the keys of this process's user. Nothing is sent yet.
    public static ObjectStore open(StorePlace place) {
        return open(place, System.getenv());
    }

    /// A store with keys from these variables.
    public static ObjectStore open(StorePlace place, Map<String, String> environment) {
        return new ObjectStore(place, new S3Connection(place.bucket(), environment));
    }

    public StorePlace place() {
        return place;
    }

    /// Requires that objects can be listed, written and removed here, by doing so with one that is empty.
    public void requireWritable() {
        connection.send(listing("", Optional.empty()).hasty());
        String probe = place.prefix()
                + ".quern-probe-"
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        connection.send(new Request("PUT", probe, Map.of()).hasty());
        connection.send(new Request("DELETE", probe, Map.of()).hasty());
    }

    /// The objects whose keys begin so, ordered by key.
    public List<StoredObject> list(String prefix) {
        List<StoredObject> objects = new ArrayList<>();
        Optional<String> next = Optional.empty();
        do {
            Xml page = connection.send(listing(prefix, next)).xml();
            for (Xml entry : page.all("Contents")) {
                objects.add(new StoredObject(
                        entry.get("Key").substring(place.prefix().length()),
                        Long.parseLong(entry.get("Size")),
                        Instant.parse(entry.get("LastModified")),
                        entry.get("ETag")));
            }
            next = page.get("IsTruncated").equals("true") ? page.find("NextContinuationToken") : Optional.empty();
        } while (next.isPresent());
        return objects;
    }

    private Request listing(String prefix, Optional<String> next) {
        Map<String, String> query = new TreeMap<>(Map.of("list-type", "2", "prefix", place.prefix() + prefix));
        next.ifPresent(token -> query.put("continuation-token", token));
        return new Request("GET", "", query);
    }

    /// The size of an object; empty if it is not there.
    public Optional<Long> size(String key) {
        Request request = request("HEAD", key);
        Answer answer = connection.ask(request);
        if (answer.status() == NOT_FOUND) {
            return Optional.empty();
        }
        if (!answer.isOk()) {
            throw connection.refused(request, answer);
        }
        return Optional.of(answer.headers().firstValueAsLong("content-length").orElse(0));
    }

    private Request request(String method, String key) {
        return new Request(method, place.prefix() + key, Map.of());
    }

    /// A small object's bytes.
    public byte[] read(String key) {
        return connection.send(request("GET", key)).body();
    }

    /// Some of an object's bytes, which it must have.
    public byte[] read(String key, long offset, int bytes) {
        if (bytes == 0) {
            return new byte[0];
        }
        Request request = request("GET", key).with("range", "bytes=%d-%d".formatted(offset, offset + bytes - 1));
        byte[] read = connection.send(request).body();
        if (read.length != bytes) {
            throw QuernException.data("%s/%s: expected %d bytes at byte %d, found %d: it was replaced meanwhile"
                    .formatted(place, key, bytes, offset, read.length));
        }
        return read;
    }

    /// Streams an object; reading fails with an `IOException` never, but with what the methods here throw.
    public InputStream open(String key) {
        long size = size(key).orElseThrow(() -> none(key));
        return new RangeStream(0, size, (offset, bytes) -> read(key, offset, bytes));
    }

    /// Streams an object from a byte on, as it was when it was listed: if it was replaced or removed since
    /// then, reading fails with a [QuernException] that says so.
    ///
    /// @param etag its [StoredObject#etag()] then
    /// @param size its size then
    public InputStream open(String key, String etag, long from, long size) {
        return new RangeStream(from, size, (offset, bytes) -> read(key, etag, offset, bytes));
    }

    /// Some of an object's bytes, which it must have, as it was when it was listed.
    public byte[] read(String key, String etag, long offset, int bytes) {
        if (bytes == 0) {
            return new byte[0];
        }
        Request request = request("GET", key).with("range", "bytes=%d-%d".formatted(offset, offset + bytes - 1));
        Answer answer = connection.ask(request);
        boolean other = answer.isOk() && !answer.header("etag").orElse("").equals(etag);
        if (other || answer.status() == NOT_FOUND || answer.status() == NO_SUCH_RANGE) {
            String found = answer.status() == NOT_FOUND
                    ? "none"
                    : answer.header("etag").orElse("one that has no byte " + offset);
            throw QuernException.data("""
                    %s/%s: expected the object that was listed, %s, found %s: it was replaced or removed meanwhile; the \
                    same command lists it again""".formatted(place, key, etag, found));
        }
        if (!answer.isOk()) {
            throw connection.refused(request, answer);
        }
        if (answer.body().length != bytes) {
            throw QuernException.data("%s/%s: expected %d bytes at byte %d, got %d: the store does not read ranges"
                    .formatted(place, key, bytes, offset, answer.body().length));
        }
        return answer.body();
    }

    private QuernException none(String key) {
        return QuernException.data("%s/%s: expected an object, found none".formatted(place, key));
    }

    /// Copies an object into a new file.
    public void download(String key, Path file) {
        download(key, file, UNTOLD);
    }

    /// The same.
    ///
    /// @param moved told how many more bytes are there, by several threads
    public void download(String key, Path file, LongConsumer moved) {
        long size = size(key).orElseThrow(() -> none(key));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            Parts.each(threads, size, RANGE_BYTES, (_, offset, bytes) -> {
                ByteBuffer read = ByteBuffer.wrap(read(key, offset, (int) bytes));
                while (read.hasRemaining()) {
                    channel.write(read, offset + read.position());
                }
                moved.accept(bytes);
            });
            channel.force(true);
        } catch (IOException e) {
            throw QuernException.io("%s could not be written".formatted(file), e);
        }
    }

    /// Writes an object, or replaces one.
    public void put(String key, byte[] content) {
        put(key, MemorySegment.ofArray(content), UNTOLD);
    }

    /// Writes an object from a file, or replaces one.
    ///
    /// @param moved told how many more bytes the store has, by several threads
    public void put(String key, Path file, LongConsumer moved) {
        try (Arena arena = Arena.ofShared();
                FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            put(key, channel.map(MapMode.READ_ONLY, 0, channel.size(), arena), moved);
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
    }

    /// Writes an object from memory, or replaces one.
    public void put(String key, MemorySegment content, LongConsumer moved) {
        if (content.byteSize() <= MultipartUpload.PART_BYTES) {
            connection.send(request("PUT", key).with(content));
            moved.accept(content.byteSize());
        } else {
            new MultipartUpload(connection, place.prefix() + key, content, moved).run(threads);
        }
    }

    /// Removes an object, if it is there.
    public void delete(String key) {
        connection.send(request("DELETE", key));
    }

    /// Gives up the uploads of large objects that somebody began below a prefix and did not end, whose parts the
    /// store would keep, and bill, for ever. Nobody else must be writing there.
    ///
    /// @return how many there were
    public int abortUploads(String prefix) {
        return MultipartUpload.abortAll(connection, place.prefix() + prefix);
    }

    /// Lets what is under way fail.
    @Override
    public void close() {
        connection.close();
        threads.shutdown();
    }
}
