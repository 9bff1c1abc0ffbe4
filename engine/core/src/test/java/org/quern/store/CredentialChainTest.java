package org.quern.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;

/// Where keys come from, each asked of a server that answers as AWS does.
class CredentialChainTest {
    private static final String KEYS = """
            {"AccessKeyId": "ACCESS", "SecretAccessKey": "SECRET", "Token": "LENT", "SessionToken": "LENT",
             "Expiration": "%s"}""";

    @TempDir
    private Path folder;

    private HttpServer server;
    private String address;
    private Map<String, String> environment;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
        address = "http://127.0.0.1:" + server.getAddress().getPort();
        environment = new HashMap<>(Map.of("HOME", folder.toString(), "AWS_EC2_METADATA_DISABLED", "true"));
        Files.createDirectory(folder.resolve(".aws"));
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    /// What the server answers, if a request is what it must be.
    private void answer(String path, String method, String header, String value, String text) {
        server.createContext(path, exchange -> {
            boolean right = exchange.getRequestMethod().equals(method)
                    && (header.isEmpty()
                            || value.equals(exchange.getRequestHeaders().getFirst(header)));
            send(exchange, right ? 200 : 403, text);
        });
    }

    private static void send(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private CredentialChain chain() {
        return new CredentialChain(environment, Profiles.read(environment), "eu-west-1", HttpClient.newHttpClient());
    }

    private void assertLent(String source) {
        assertThat(chain().current()).satisfies(keys -> {
            assertThat(keys.accessKey()).isEqualTo("ACCESS");
            assertThat(keys.secretKey()).isEqualTo("SECRET");
            assertThat(keys.sessionToken()).contains("LENT");
            assertThat(keys.source()).contains(source);
            assertThat(keys.toString()).doesNotContain("SECRET").doesNotContain("LENT");
        });
    }

    private static String keys(String until) {
        return KEYS.formatted(until);
    }

    @Test
    void environmentComesFirst() {
        environment.putAll(Map.of(
                "AWS_ACCESS_KEY_ID", "ACCESS",
                "AWS_SECRET_ACCESS_KEY", "SECRET",
                "AWS_SESSION_TOKEN", "LENT",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"));
        assertLent("AWS_ACCESS_KEY_ID");
    }

    @Test
    void profilesHaveKeysRegionAndEndpoint() throws IOException {
        Files.writeString(folder.resolve(".aws/credentials"), """
                [default]
                aws_access_key_id = WRONG
                aws_secret_access_key = WRONG
                # a comment
                [ minio ]
                aws_access_key_id=ACCESS
                aws_secret_access_key = SECRET
                aws_session_token = LENT
                """);
        Files.writeString(folder.resolve(".aws/config"), """
                [profile minio]
                region = eu-central-1
                s3 =
                  region = nested
                endpoint_url = https://minio.example.com:9000/
                """);
        environment.put("AWS_PROFILE", "minio");
        assertLent("profile minio");
        S3Endpoint endpoint = S3Endpoint.of(environment, Profiles.read(environment));
        assertThat(endpoint.region()).isEqualTo("eu-central-1");
        assertThat(endpoint.address("bucket", "a/b", "x=y"))
                .hasToString("https://minio.example.com:9000/bucket/a/b?x=y");

        environment.put("AWS_PROFILE", "other");
        assertThatThrownBy(this::chain).isInstanceOf(QuernException.class).hasMessageContaining("got other");
    }

    @Test
    void profilesMayNameAProgram() throws IOException {
        Path keys = Files.writeString(folder.resolve("keys.json"), keys("2126-01-01T00:00:00Z"));
        Files.writeString(folder.resolve(".aws/config"), "[default]\ncredential_process = cat %s\n".formatted(keys));
        assertLent("credential_process of profile default");
    }

    @Test
    void saysHowToSignOnOnce() throws IOException {
        Files.writeString(folder.resolve(".aws/config"), "[default]\nsso_session = work\n");
        assertThatThrownBy(() -> chain().current()).hasMessageContaining("credential_process = aws configure");
    }

    @Test
    void containersHaveAnAgent() throws IOException {
        answer("/agent", "GET", "Authorization", "Bearer x", keys("2126-01-01T00:00:00Z"));
        environment.put("AWS_CONTAINER_CREDENTIALS_FULL_URI", address + "/agent");
        environment.put(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                Files.writeString(folder.resolve("token"), "Bearer x\n").toString());
        assertLent("container's agent");
    }

    @Test
    void instancesHaveARole() {
        answer("/latest/api/token", "PUT", "X-aws-ec2-metadata-token-ttl-seconds", "21600", "session");
        String path = "/latest/meta-data/iam/security-credentials/";
        answer(path, "GET", "X-aws-ec2-metadata-token", "session", "trainer\n");
        answer(path + "trainer", "GET", "X-aws-ec2-metadata-token", "session", keys("2126-01-01T00:00:00Z"));
        environment.remove("AWS_EC2_METADATA_DISABLED");
        environment.put("AWS_EC2_METADATA_SERVICE_ENDPOINT", address);
        assertLent("role of the EC2 instance");
    }

    @Test
    void tokensVouchForARole() throws IOException {
        server.createContext("/", exchange -> {
            String form = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            boolean right = form.contains("Action=AssumeRoleWithWebIdentity")
                    && form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx")
                    && form.contains("WebIdentityToken=ey.J");
            send(exchange, right ? 200 : 400, """
                    <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
                      <AssumeRoleWithWebIdentityResult><Credentials>
                        <SessionToken>LENT</SessionToken><SecretAccessKey>SECRET</SecretAccessKey>
                        <Expiration>2126-01-01T00:00:00Z</Expiration><AccessKeyId>ACCESS</AccessKeyId>
                      </Credentials></AssumeRoleWithWebIdentityResult>
                    </AssumeRoleWithWebIdentityResponse>""");
        });
        environment.put("AWS_ENDPOINT_URL_STS", address + "/");
        environment.put("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
        environment.put(
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                Files.writeString(folder.resolve("token"), "ey.J").toString());
        assertLent("role arn:aws:iam::1:role/x");
    }

    @Test
    void keysThatEndAreFetchedAgain() throws IOException {
        Path keys = Files.writeString(folder.resolve("keys.json"), keys("2026-01-01T00:00:00Z"));
        Files.writeString(folder.resolve(".aws/config"), "[default]\ncredential_process = cat %s\n".formatted(keys));
        CredentialChain chain = chain();
        assertThat(chain.current().accessKey()).isEqualTo("ACCESS");
        Files.writeString(keys, keys("2126-01-01T00:00:00Z").replace("ACCESS", "NEWER"));
        assertThat(chain.current().accessKey()).isEqualTo("NEWER");
        Files.writeString(keys, "none");
        assertThat(chain.current().accessKey()).isEqualTo("NEWER");
    }

    @Test
    void theBucketsRegionIsFollowedWhereNoneIsGiven() {
        S3Endpoint aws = S3Endpoint.of(environment, Profiles.read(environment));
        assertThat(aws.regionIsGiven()).isFalse();
        assertThat(aws.in("eu-west-1").address("b", "k", "")).hasToString("https://b.s3.eu-west-1.amazonaws.com/k");
        assertThat(aws.address("b.c", "", "list-type=2"))
                .hasToString("https://s3.us-east-1.amazonaws.com/b.c?list-type=2");
        assertThat(aws.address("bucket", "", "list-type=2"))
                .hasToString("https://bucket.s3.us-east-1.amazonaws.com/?list-type=2");
    }

    @Test
    void namesTheRightRegion() {
        server.createContext(
                "/",
                exchange -> send(
                        exchange,
                        400,
                        "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>"));
        environment.putAll(Map.of(
                "AWS_ACCESS_KEY_ID", "ACCESS",
                "AWS_SECRET_ACCESS_KEY", "SECRET",
                "AWS_REGION", "eu-west-1",
                "AWS_ENDPOINT_URL", address));
        try (ObjectStore store = ObjectStore.open(new StorePlace("bucket", ""), environment)) {
            assertThatThrownBy(store::requireWritable)
                    .hasMessageContaining("must be the bucket's, eu-north-1: got eu-west-1")
                    .hasMessageNotContaining("SECRET");
        }
    }
}
