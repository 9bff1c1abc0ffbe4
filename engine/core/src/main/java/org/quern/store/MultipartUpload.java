package org.quern.store;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.function.LongConsumer;
import org.quern.base.QuernException;
import org.quern.store.S3Connection.Answer;
import org.quern.store.S3Connection.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The upload of a large object in parts: the object is there when the last request was answered, and not before.
final class MultipartUpload {
    /// Parts of this size or more.
    static final long PART_BYTES = 16 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(MultipartUpload.class);
    private static final long MOST_PARTS = 10_000;
    private static final int NOT_FOUND = 404;

    private final S3Connection connection;
    private final String key;
    private final MemorySegment content;
    private final LongConsumer moved;

    MultipartUpload(S3Connection connection, String key, MemorySegment content, LongConsumer moved) {
        this.connection = connection;
        this.key = key;
        this.content = content;
        this.moved = moved;
    }

    void run(ExecutorService threads) {
        String id = connection
                .send(new Request("POST", key, Map.of("uploads", "")))
                .xml()
                .get("UploadId");
        try {
            complete(id, send(id, threads));
        } catch (RuntimeException | Error e) {
            abandon(id, e);
            throw e;
        }
    }

    /// The tags of the parts.
    private String[] send(String id, ExecutorService threads) {
        long size = content.byteSize();
        long partBytes = Math.max(PART_BYTES, Math.ceilDiv(size, MOST_PARTS));
        String[] tags = new String[(int) Math.ceilDiv(size, partBytes)];
        try {
            Parts.each(threads, size, partBytes, (index, offset, bytes) -> {
                Map<String, String> query = Map.of("partNumber", "" + (index + 1), "uploadId", id);
                Request part = new Request("PUT", key, query).with(content.asSlice(offset, bytes));
                tags[index] = connection.send(part).header("etag").orElse("");
                moved.accept(bytes);
            });
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return tags;
    }

    private void complete(String id, String[] tags) {
        StringBuilder list = new StringBuilder("<CompleteMultipartUpload>");
        for (int i = 0; i < tags.length; i++) {
            list.append("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>".formatted(i + 1, tags[i]));
        }
        byte[] body = list.append("</CompleteMultipartUpload>").toString().getBytes(StandardCharsets.UTF_8);
        Request request = new Request("POST", key, Map.of("uploadId", id)).with(MemorySegment.ofArray(body));
        Answer answer = connection.ask(request);
        if (S3Connection.isRefused(request, answer) && !(answer.errorCode().equals("NoSuchUpload") && isThere())) {
            throw connection.refused(request, answer);
        }
    }

    /// Whether the first of several requests to complete it has done so, and only the answer was lost.
    private boolean isThere() {
        Answer answer = connection.ask(new Request("HEAD", key, Map.of()));
        return answer.isOk()
                && answer.headers().firstValueAsLong("content-length").orElse(-1) == content.byteSize();
    }

    private void abandon(String id, Throwable cause) {
        try {
            abort(connection, key, id);
        } catch (QuernException e) {
            LOG.info("{}: the parts of a failed upload are left: {}", key, e.getMessage());
            cause.addSuppressed(e);
        }
    }

    private static void abort(S3Connection connection, String key, String id) {
        Request request = new Request("DELETE", key, Map.of("uploadId", id));
        Answer answer = connection.ask(request);
        if (!answer.isOk() && answer.status() != NOT_FOUND) {
            throw connection.refused(request, answer);
        }
    }

    /// Aborts all uploads whose whole keys begin so.
    ///
    /// @return how many
    static int abortAll(S3Connection connection, String prefix) {
        int count = 0;
        Map<String, String> query = new TreeMap<>(Map.of("uploads", "", "prefix", prefix));
        while (true) {
            Xml page = connection.send(new Request("GET", "", query)).xml();
            for (Xml upload : page.all("Upload")) {
                abort(connection, upload.get("Key"), upload.get("UploadId"));
                count++;
            }
            if (!page.get("IsTruncated").equals("true")) {
                return count;
            }
            query.put("key-marker", page.get("NextKeyMarker"));
            query.put("upload-id-marker", page.get("NextUploadIdMarker"));
        }
    }
}
