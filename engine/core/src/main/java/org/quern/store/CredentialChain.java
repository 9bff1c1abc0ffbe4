package org.quern.store;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.JsonNode;

/// Where the keys are from, in the order of the AWS SDKs: environment variables, a role for which a token vouches
/// (EKS service accounts), a profile of `~/.aws`, the agent of a container (ECS, EKS pod identity), the metadata of
/// an EC2 instance (IMDSv2). Keys that end are fetched again before they do.
final class CredentialChain {
    private static final String CONTAINER_HOST = "http://169.254.170.2";
    private static final String METADATA_HOST = "http://169.254.169.254";
    private static final String METADATA = "/latest/meta-data/iam/security-credentials/";
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final int OK = 200;

    private final Map<String, String> environment;
    private final Profiles profile;
    private final String region;
    private final HttpClient http;
    private Credentials current;

    /// @param region whose token service is asked
    CredentialChain(Map<String, String> environment, Profiles profile, String region, HttpClient http) {
        this.environment = environment;
        this.profile = profile;
        this.region = region;
        this.http = http;
    }

    /// The keys to sign with now.
    ///
    /// @throws QuernException if there are none
    synchronized Credentials current() {
        if (current == null || current.isStale(Instant.now())) {
            current = find();
        }
        return current;
    }

    private Credentials find() {
        return fromEnvironment()
                .or(() -> webIdentity(
                        variable("AWS_ROLE_ARN"),
                        variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
                        "AWS_WEB_IDENTITY_TOKEN_FILE"))
                .or(this::fromProfile)
                .or(this::fromContainer)
                .or(this::fromInstance)
                .orElseThrow(() -> QuernException.data("""
                        no keys for the object store: looked at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                        AWS_WEB_IDENTITY_TOKEN_FILE, profile %s in ~/.aws/credentials and ~/.aws/config, \
                        AWS_CONTAINER_CREDENTIALS_FULL_URI and the EC2 instance's role. Set the first two, or name a \
                        profile in AWS_PROFILE""".formatted(profile.name())));
    }

    private Optional<String> variable(String name) {
        return Optional.ofNullable(environment.get(name)).filter(value -> !value.isBlank());
    }

    private Optional<Credentials> fromEnvironment() {
        return keys(
                variable("AWS_ACCESS_KEY_ID"),
                variable("AWS_SECRET_ACCESS_KEY"),
                variable("AWS_SESSION_TOKEN"),
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY");
    }

    private static Optional<Credentials> keys(
            Optional<String> access,
            Optional<String> secret,
            Optional<String> token,
            String accessName,
            String secretName) {
        if (access.isPresent() != secret.isPresent()) {
            throw QuernException.data("%s and %s go together: the %s is missing"
                    .formatted(accessName, secretName, access.isPresent() ? "second" : "first"));
        }
        return access.map(key -> new Credentials(key, secret.orElseThrow(), token, Optional.empty(), accessName));
    }

    private Optional<Credentials> fromProfile() {
        String source = "profile " + profile.name();
        Optional<Credentials> keys = keys(
                profile.value("aws_access_key_id"),
                profile.value("aws_secret_access_key"),
                profile.value("aws_session_token"),
                "aws_access_key_id of " + source,
                "aws_secret_access_key");
        return keys.or(() -> webIdentity(profile.value("role_arn"), profile.value("web_identity_token_file"), source))
                .or(() -> profile.value("credential_process").map(command -> fromProcess(command, source)))
                .or(() -> {
                    if (profile.value("role_arn").isPresent()
                            || profile.values().keySet().stream().anyMatch(key -> key.startsWith("sso_"))) {
                        throw QuernException.data("""
                                %s lends keys of another role or of a single sign-on, which Quern does not fetch: let \
                                the AWS command line do it, with credential_process = aws configure export-credentials \
                                --profile %s in a profile of its own""".formatted(source, profile.name()));
                    }
                    return Optional.empty();
                });
    }

    private static Credentials fromProcess(String command, String source) {
        try {
            Process process = new ProcessBuilder("sh", "-c", command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process.getOutputStream().close();
            byte[] output = process.getInputStream().readAllBytes();
            if (!process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS) || process.exitValue() != 0) {
                process.destroyForcibly();
                throw QuernException.data(
                        "the credential_process of %s failed: try its command by hand".formatted(source));
            }
            return lent(output, "SessionToken", "the credential_process of " + source);
        } catch (IOException e) {
            throw QuernException.io("the credential_process of %s cannot be started".formatted(source), e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private Optional<Credentials> fromContainer() {
        Optional<String> uri = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
                .map(path -> CONTAINER_HOST + path)
                .or(() -> variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        if (uri.isEmpty()) {
            return Optional.empty();
        }
        Map<String, String> headers = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
                .map(CredentialChain::read)
                .or(() -> variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
                .map(token -> Map.of("Authorization", token))
                .orElse(Map.of());
        String source = "the container's agent at " + uri.get();
        return Optional.of(lent(ask("GET", URI.create(uri.get()), headers, "", source), "Token", source));
    }

    /// Where there is no such address, this is no instance.
    private Optional<Credentials> fromInstance() {
        if (Boolean.parseBoolean(environment.get("AWS_EC2_METADATA_DISABLED"))) {
            return Optional.empty();
        }
        String host = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT")
                .orElse(METADATA_HOST)
                .replaceAll("/$", "");
        String token;
        try {
            HttpResponse<byte[]> answer = http.send(
                    HttpRequest.newBuilder(URI.create(host + "/latest/api/token"))
                            .timeout(Duration.ofSeconds(1))
                            .header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
                            .PUT(BodyPublishers.noBody())
                            .build(),
                    BodyHandlers.ofByteArray());
            if (answer.statusCode() != OK) {
                return Optional.empty();
            }
            token = new String(answer.body(), StandardCharsets.UTF_8);
        } catch (IOException _) {
            return Optional.empty();
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
        String source = "the role of the EC2 instance";
        Map<String, String> headers = Map.of("X-aws-ec2-metadata-token", token);
        String role = new String(ask("GET", URI.create(host + METADATA), headers, "", source), StandardCharsets.UTF_8);
        return Optional.of(
                lent(ask("GET", URI.create(host + METADATA + role.strip()), headers, "", source), "Token", source));
    }

    /// Keys of a role, for a token of somebody whom AWS trusts.
    private Optional<Credentials> webIdentity(Optional<String> role, Optional<String> tokenFile, String source) {
        if (tokenFile.isEmpty() || role.isEmpty()) {
            return Optional.empty();
        }
        String form = Signature.query(new TreeMap<>(Map.of(
                "Action", "AssumeRoleWithWebIdentity",
                "Version", "2011-06-15",
                "RoleArn", role.get(),
                "RoleSessionName", variable("AWS_ROLE_SESSION_NAME").orElse("quern"),
                "WebIdentityToken", read(tokenFile.get()))));
        String host = variable("AWS_ENDPOINT_URL_STS").orElse("https://sts.%s.amazonaws.com/".formatted(region));
        String from = "%s, role %s".formatted(source, role.get());
        byte[] answer =
                ask("POST", URI.create(host), Map.of("Content-Type", "application/x-www-form-urlencoded"), form, from);
        for (Xml result : Xml.parse(answer).all("AssumeRoleWithWebIdentityResult")) {
            for (Xml keys : result.all("Credentials")) {
                return Optional.of(new Credentials(
                        keys.get("AccessKeyId"),
                        keys.get("SecretAccessKey"),
                        keys.find("SessionToken"),
                        keys.find("Expiration").map(CredentialChain::instant),
                        from));
            }
        }
        throw QuernException.data("%s: expected keys from %s, got none".formatted(from, host));
    }

    private static String read(String file) {
        try {
            return Files.readString(Path.of(file)).strip();
        } catch (IOException e) {
            throw QuernException.io("the token %s could not be read".formatted(file), e);
        }
    }

    private byte[] ask(String method, URI uri, Map<String, String> headers, String body, String source) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(TIMEOUT)
                .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        headers.forEach(request::header);
        try {
            HttpResponse<byte[]> answer = http.send(request.build(), BodyHandlers.ofByteArray());
            if (answer.statusCode() != OK) {
                String reason = Xml.parse(answer.body()).all("Error").stream()
                        .map(error -> error.get("Code") + ": " + error.get("Message"))
                        .findFirst()
                        .orElse("status " + answer.statusCode());
                throw QuernException.data("no keys from %s: %s".formatted(source, reason));
            }
            return answer.body();
        } catch (IOException e) {
            throw QuernException.io("no keys from %s".formatted(source), e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /// Keys as JSON.
    private static Credentials lent(byte[] json, String tokenName, String source) {
        JsonNode keys = Json.parseObject(json, source);
        String access = keys.path("AccessKeyId").asString("");
        String secret = keys.path("SecretAccessKey").asString("");
        if (access.isEmpty() || secret.isEmpty()) {
            throw QuernException.data("%s: expected AccessKeyId and SecretAccessKey, got none".formatted(source));
        }
        return new Credentials(
                access,
                secret,
                Optional.of(keys.path(tokenName).asString("")).filter(token -> !token.isEmpty()),
                Optional.of(keys.path("Expiration").asString(""))
                        .filter(end -> !end.isEmpty())
                        .map(CredentialChain::instant),
                source);
    }

    private static Instant instant(String text) {
        try {
            return Instant.parse(text);
        } catch (DateTimeException _) {
            throw QuernException.data("the end of the keys must be a time such as 2026-01-31T12:00:00Z: got " + text);
        }
    }

    private static QuernException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new QuernException(ExitCode.IO, "interrupted while the keys of the object store were fetched", e);
    }
}
