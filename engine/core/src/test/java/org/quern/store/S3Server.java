package org.quern.store;

import java.io.InputStream;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.gaul.s3proxy.S3ErrorCode;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.S3ProxyException;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.blobstore.BlobStore;
import org.gaul.s3proxy.blobstore.ForwardingBlobStore;
import org.gaul.s3proxy.blobstore.domain.MultipartUpload;
import org.gaul.s3proxy.nio2blob.TransientNio2BlobStore;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Request;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.UploadPartRequest;
import software.amazon.awssdk.services.s3.model.UploadPartResponse;

/// An S3 server in this process, which checks signatures, has the empty bucket `tests` and can be made to fail.
public final class S3Server implements AutoCloseable {
    public static final String BUCKET = "tests";

    /// Objects in the answer to a request for a list.
    private static final int PAGE = 3;

    private static final String ACCESS_KEY = "QUERNTESTKEY";
    private static final String SECRET_KEY = "canary-secret-of-the-tests";

    private final AtomicInteger failures = new AtomicInteger();
    private final BlobStore memory = new TransientNio2BlobStore();
    private final S3Proxy proxy;
    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile Predicate<String> refused = _ -> false;
    private volatile Consumer<String> held = _ -> {};

    public S3Server() {
        memory.createContainer(BUCKET);
        proxy = S3Proxy.builder()
                .blobStore(new Failing(memory))
                .endpoint(URI.create("http://127.0.0.1:0"))
                .awsAuthentication(AuthenticationType.AWS_V4, ACCESS_KEY, SECRET_KEY)
                .build();
        try {
            proxy.start();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /// The variables that lead here.
    public Map<String, String> environment() {
        return Map.of(
                "AWS_ENDPOINT_URL_S3",
                "http://127.0.0.1:" + proxy.getPort(),
                "AWS_ACCESS_KEY_ID",
                ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY",
                SECRET_KEY,
                "AWS_CONFIG_FILE",
                "/nonexistent",
                "AWS_SHARED_CREDENTIALS_FILE",
                "/nonexistent",
                "AWS_EC2_METADATA_DISABLED",
                "true");
    }

    public ObjectStore open(String prefix) {
        return ObjectStore.open(StorePlace.parse("s3://" + BUCKET + "/" + prefix), environment());
    }

    /// Lets the next requests for objects fail with status 503.
    public void fail(int requests) {
        failures.set(requests);
    }

    /// Refuses to take objects with these keys, for want of permission.
    public void refuse(Predicate<String> keys) {
        refused = keys;
    }

    /// Takes no object with such a key until the test ends, but keeps whoever sends it waiting.
    ///
    /// @return zero when somebody does
    public CountDownLatch hold(Predicate<String> keys) {
        CountDownLatch arrived = new CountDownLatch(1);
        held = key -> {
            if (keys.test(key)) {
                arrived.countDown();
                try {
                    closing.await();
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            }
        };
        return arrived;
    }

    /// What is kept of uploads that did not end.
    public int uploadsUnderWay() {
        return memory.listMultipartUploads(BUCKET).size();
    }

    @Override
    public void close() {
        closing.countDown();
        try {
            proxy.stop();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private final class Failing extends ForwardingBlobStore {
        Failing(BlobStore store) {
            super(store);
        }

        private void mayFail() {
            if (failures.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                throw S3Exception.builder()
                        .statusCode(503)
                        .awsErrorDetails(AwsErrorDetails.builder()
                                .errorCode("SlowDown")
                                .errorMessage("please reduce your request rate")
                                .build())
                        .build();
            }
        }

        private void mayRefuse(String key) {
            held.accept(key);
            if (refused.test(key)) {
                throw new S3ProxyException(S3ErrorCode.ACCESS_DENIED);
            }
        }

        @Override
        public ListObjectsV2Response list(ListObjectsV2Request request) {
            mayFail();
            return super.list(request.toBuilder().maxKeys(PAGE).build());
        }

        @Override
        public ResponseInputStream<GetObjectResponse> getBlob(GetObjectRequest request) {
            mayFail();
            return super.getBlob(request);
        }

        @Override
        public PutObjectResponse putBlob(PutObjectRequest request, InputStream content) {
            mayFail();
            mayRefuse(request.key());
            return super.putBlob(request, content);
        }

        @Override
        public UploadPartResponse uploadMultipartPart(
                MultipartUpload upload, UploadPartRequest request, InputStream content) {
            mayFail();
            mayRefuse(request.key());
            return super.uploadMultipartPart(upload, request, content);
        }
    }
}
