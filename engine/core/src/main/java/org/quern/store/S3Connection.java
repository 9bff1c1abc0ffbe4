package org.quern.store;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Signed requests to a bucket, sent again when the store or the network fails. The hash of each body is signed, so
/// the store takes no byte that was altered on the way.
final class S3Connection implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(S3Connection.class);

    /// Half a minute in all.
    static final int PATIENT = 8;

    /// For the first request of all, whose failure is probably that of a person.
    static final int HASTY = 4;

    private static final Duration FIRST_DELAY = Duration.ofMillis(250);
    private static final Duration CONNECT = Duration.ofSeconds(10);
    private static final Duration ANSWER = Duration.ofSeconds(30);
    private static final long SLOWEST_BYTES_A_SECOND = 100_000;
    private static final int CHUNK_BYTES = 1 << 16;
    private static final int OK = 200;
    private static final int REDIRECTED = 300;
    private static final int TOO_MANY = 429;
    private static final int SERVER = 500;
    private static final Set<String> PASSING = Set.of(
            "SlowDown",
            "RequestTimeout",
            "InternalError",
            "ServiceUnavailable",
            "OperationAborted",
            "BadDigest",
            "XAmzContentSHA256Mismatch");

    private final String bucket;
    private final CredentialChain credentials;
    private final HttpClient http;
    private volatile S3Endpoint endpoint;
    private volatile boolean closed;

    /// @param environment variables and their values
    S3Connection(String bucket, Map<String, String> environment) {
        this.bucket = bucket;
        Profiles profile = Profiles.read(environment);
        endpoint = S3Endpoint.of(environment, profile);
        http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(CONNECT)
                .build();
        credentials = new CredentialChain(environment, profile, endpoint.region(), http);
    }

    /// A request.
    ///
    /// @param key the object's whole key; empty: the bucket
    /// @param headers beside those of the signature
    record Request(
            String method,
            String key,
            SortedMap<String, String> query,
            Map<String, String> headers,
            MemorySegment body,
            int attempts) {
        Request(String method, String key, Map<String, String> query) {
            this(method, key, new TreeMap<>(query), Map.of(), MemorySegment.NULL, PATIENT);
        }

        Request with(MemorySegment content) {
            return new Request(method, key, query, headers, content, attempts);
        }

        Request with(String header, String value) {
            return new Request(method, key, query, Map.of(header, value), body, attempts);
        }

        Request hasty() {
            return new Request(method, key, query, headers, body, HASTY);
        }
    }

    /// What the store answered.
    record Answer(int status, HttpHeaders headers, byte[] body) {
        /// A success; where the answer is XML, it may still hold an error.
        boolean isOk() {
            return status >= OK && status < REDIRECTED;
        }

        Xml xml() {
            return Xml.parse(body);
        }

        /// The store's name of what went wrong; empty if nothing did.
        String errorCode() {
            Xml xml = xml();
            return xml.name().equals("Error") ? xml.get("Code") : "";
        }

        Optional<String> header(String name) {
            return headers.firstValue(name);
        }

        private boolean mayPass() {
            return status == TOO_MANY || status >= SERVER || PASSING.contains(errorCode());
        }

        @Override
        public String toString() {
            return "%d %s".formatted(status, errorCode()).strip();
        }
    }

    S3Endpoint endpoint() {
        return endpoint;
    }

    /// Sends a request that must succeed.
    ///
    /// @throws QuernException saying why it did not, and what to do
    Answer send(Request request) {
        Answer answer = ask(request);
        if (isRefused(request, answer)) {
            throw refused(request, answer);
        }
        return answer;
    }

    /// The uploads of parts may be refused late, after the status was sent.
    static boolean isRefused(Request request, Answer answer) {
        return !answer.isOk()
                || request.method().equals("POST") && !answer.errorCode().isEmpty();
    }

    /// What a refusal means.
    QuernException refused(Request request, Answer answer) {
        return S3Refusal.explain(bucket, request, answer, endpoint, credentials.current());
    }

    /// Sends a request.
    ///
    /// @return the answer of the last attempt, which may be a refusal
    /// @throws QuernException if there was none
    Answer ask(Request request) {
        String hash = hash(request.body());
        for (int attempt = 1; ; attempt++) {
            String failure;
            try {
                Answer answer = once(request, hash);
                Optional<String> region = answer.header("x-amz-bucket-region")
                        .filter(found -> endpoint.uri().isEmpty()
                                && !endpoint.regionIsGiven()
                                && !found.equals(endpoint.region()));
                if (!answer.isOk() && region.isPresent()) {
                    endpoint = endpoint.in(region.get());
                    continue;
                }
                if (attempt == request.attempts() || !isRefused(request, answer) || !answer.mayPass()) {
                    return answer;
                }
                failure = answer.toString();
            } catch (IOException e) {
                failure = QuernException.reason(e);
                if (closed) {
                    throw QuernException.io("s3://%s was given up".formatted(bucket), e);
                }
                if (attempt == request.attempts()) {
                    throw QuernException.io(
                            "s3://%s: %s cannot be reached in %d attempts".formatted(bucket, endpoint, attempt),
                            e,
                            "check the network and AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL");
                }
            }
            long delay = delayMillis(attempt);
            LOG.info(
                    "s3://{}/{}: {} failed: {}; again in {} ms",
                    bucket,
                    request.key(),
                    request.method(),
                    failure,
                    delay);
            sleep(delay);
        }
    }

    /// Twice as long each time, and not at the same moment as everybody else.
    private static long delayMillis(int attempt) {
        long most = FIRST_DELAY.toMillis() << (attempt - 1);
        return most / 2 + ThreadLocalRandom.current().nextLong(most / 2 + 1);
    }

    private Answer once(Request request, String hash) throws IOException {
        S3Endpoint at = endpoint;
        String key = encodePath(request.key());
        URI uri = at.address(bucket, key, Signature.query(request.query()));
        Map<String, String> headers = new TreeMap<>(request.headers());
        headers.put("host", uri.getPort() < 0 ? uri.getHost() : uri.getHost() + ":" + uri.getPort());
        Signature signature = new Signature(credentials.current(), at.region(), Instant.now());
        String path = uri.getRawPath().isEmpty() ? "/" : uri.getRawPath();
        HttpRequest.Builder builder = HttpRequest.newBuilder(uri).method(request.method(), publisher(request.body()));
        signature
                .headers(request.method(), path, request.query(), headers, hash)
                .forEach(builder::header);
        CompletableFuture<HttpResponse<byte[]>> exchange = http.sendAsync(builder.build(), BodyHandlers.ofByteArray());
        try {
            HttpResponse<byte[]> response = exchange.get(limit(request).toMillis(), TimeUnit.MILLISECONDS);
            return new Answer(response.statusCode(), response.headers(), response.body());
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } catch (TimeoutException e) {
            exchange.cancel(true);
            throw new IOException(
                    "no answer within %d s".formatted(limit(request).toSeconds()), e);
        } catch (InterruptedException e) {
            exchange.cancel(true);
            throw interrupted(e);
        }
    }

    /// How long a request may take: the store sends at most as much as `ObjectStore` asks for at once.
    private static Duration limit(Request request) {
        long bytes = Math.max(request.body().byteSize(), ObjectStore.RANGE_BYTES);
        return ANSWER.plusSeconds(bytes / SLOWEST_BYTES_A_SECOND);
    }

    private static String encodePath(String key) {
        return String.join(
                "/", Stream.of(key.split("/", -1)).map(Signature::encode).toList());
    }

    private static BodyPublisher publisher(MemorySegment body) {
        if (body.byteSize() == 0) {
            return BodyPublishers.noBody();
        }
        return BodyPublishers.fromPublisher(BodyPublishers.ofByteArrays(() -> chunks(body)), body.byteSize());
    }

    private static Iterator<byte[]> chunks(MemorySegment body) {
        return LongStream.iterate(0, at -> at < body.byteSize(), at -> at + CHUNK_BYTES)
                .mapToObj(at -> body.asSlice(at, Math.min(CHUNK_BYTES, body.byteSize() - at))
                        .toArray(ValueLayout.JAVA_BYTE))
                .iterator();
    }

    private static String hash(MemorySegment body) {
        MessageDigest digest = Signature.sha256();
        chunks(body).forEachRemaining(digest::update);
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static QuernException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new QuernException(ExitCode.IO, "interrupted while the object store was asked", e);
    }

    @Override
    public void close() {
        closed = true;
        http.shutdownNow();
    }
}
