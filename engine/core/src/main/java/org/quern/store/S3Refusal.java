package org.quern.store;

import java.util.Map;
import java.util.Optional;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// What an answer that is not a success means for a person.
final class S3Refusal {
    private static final int NOT_FOUND = 404;
    private static final int FORBIDDEN = 403;
    private static final int SERVER = 500;
    private static final Map<String, String> PERMISSIONS = Map.of(
            "GET", "s3:GetObject, s3:ListBucket, s3:ListBucketMultipartUploads",
            "HEAD", "s3:GetObject, s3:ListBucket",
            "PUT", "s3:PutObject",
            "POST", "s3:PutObject",
            "DELETE", "s3:DeleteObject, s3:AbortMultipartUpload");

    private S3Refusal() {}

    static QuernException explain(
            String bucket,
            S3Connection.Request request,
            S3Connection.Answer answer,
            S3Endpoint endpoint,
            Credentials credentials) {
        String place = "s3://" + bucket + (request.key().isEmpty() ? "" : "/" + request.key());
        String code = answer.errorCode();
        Optional<String> region =
                answer.header("x-amz-bucket-region").or(() -> answer.xml().find("Region"));
        String text = switch (code) {
            case "NoSuchBucket" ->
                "s3://%s: there is no such bucket at %s: make it, or correct the name".formatted(bucket, endpoint);
            case "InvalidAccessKeyId" ->
                "%s: %s is not known at %s: correct it, or the endpoint".formatted(place, credentials, endpoint);
            case "SignatureDoesNotMatch" ->
                "%s: the secret key does not belong to %s at %s: correct it".formatted(place, credentials, endpoint);
            case "ExpiredToken", "InvalidToken", "TokenRefreshRequired" ->
                "%s: %s has ended or is not valid: get new ones".formatted(place, credentials);
            case "RequestTimeTooSkewed" ->
                "%s: the clock of this machine is off by more than the store allows: set it".formatted(place);
            case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException" ->
                "%s: the region must be the bucket's, %s: got %s (set AWS_REGION)"
                        .formatted(place, region.orElse("which the store does not name"), endpoint.region());
            default -> otherwise(place, request, answer, endpoint, credentials);
        };
        ExitCode exitCode = answer.status() >= SERVER ? ExitCode.IO : ExitCode.DATA;
        return new QuernException(exitCode, text);
    }

    private static String otherwise(
            String place,
            S3Connection.Request request,
            S3Connection.Answer answer,
            S3Endpoint endpoint,
            Credentials credentials) {
        if (answer.status() == FORBIDDEN) {
            return "%s: %s may not %s here: it needs %s (or it is wrong)"
                    .formatted(place, credentials, request.method(), PERMISSIONS.get(request.method()));
        }
        if (answer.status() == NOT_FOUND) {
            return "%s: expected an object, found none at %s".formatted(place, endpoint);
        }
        String message = answer.xml().get("Message");
        return "%s: %s failed at %s: %s%s"
                .formatted(place, request.method(), endpoint, answer, message.isEmpty() ? "" : " " + message);
    }
}
