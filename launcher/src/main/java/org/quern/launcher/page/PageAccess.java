package org.quern.launcher.page;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Who may read a page: without a token, requests that call this machine by a name of its own, so that a page of
/// another site cannot read it (DNS rebinding); with one, those that know it, by `Authorization: Bearer TOKEN` or by
/// the cookie that `/?token=TOKEN` sets.
public final class PageAccess {
    /// Where clients of other machines find the token that they need.
    public static final String TOKEN = "QUERN_DASHBOARD_TOKEN";

    private static final String COOKIE = "quern-token";
    private static final Pattern COOKIES = Pattern.compile(";\\s*");
    private static final Set<String> OF_THIS_MACHINE = Set.of("localhost", "127.0.0.1", "[::1]");

    private final Optional<byte[]> token;

    /// @throws QuernException if others can read the page and there is no token
    PageAccess(InetSocketAddress address, Optional<String> token) {
        if (token.isEmpty() && !address.getAddress().isLoopbackAddress()) {
            throw new QuernException(
                    ExitCode.USAGE,
                    "a page on %s can be read by others, so it needs a token: set %s, or leave out the host"
                            .formatted(address.getHostString(), TOKEN));
        }
        this.token = token.map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    /// The token of the environment, if there is one.
    public static Optional<String> token() {
        return Optional.ofNullable(System.getenv(TOKEN)).filter(token -> !token.isBlank());
    }

    /// @param port 0: any that is free
    /// @throws QuernException if there is no such address here
    public static InetSocketAddress address(String host, int port) {
        if (port < 0 || port > 65_535) {
            throw new QuernException(ExitCode.USAGE, "a port must be 0 to 65535: got " + port);
        }
        try {
            return new InetSocketAddress(InetAddress.getByName(host), port);
        } catch (UnknownHostException e) {
            throw new QuernException(ExitCode.USAGE, "--host must be an address of this machine: got " + host, e);
        }
    }

    /// The reply to a request that may not go on; empty for those that may.
    Optional<Reply> refusal(HttpExchange exchange, Map<String, String> query) {
        Headers headers = exchange.getRequestHeaders();
        if (token.isEmpty()) {
            String host = Optional.ofNullable(headers.getFirst("Host")).orElse("");
            return OF_THIS_MACHINE.contains(host.replaceFirst(":\\d+$", ""))
                    ? Optional.empty()
                    : Optional.of(Reply.text(403, "this page replies to requests for localhost only"));
        }
        if (knowsToken(headers)) {
            return Optional.empty();
        }
        String given = query.getOrDefault("token", "");
        if (exchange.getRequestURI().getPath().equals("/") && isToken(given)) {
            String cookie = COOKIE + "=" + given + "; HttpOnly; SameSite=Strict; Path=/";
            return Optional.of(
                    new Reply(303, "text/plain", new byte[0], Map.of("Location", "/", "Set-Cookie", cookie)));
        }
        return Optional.of(
                Reply.text(401, "a token is needed: open /?token=TOKEN, or send Authorization: Bearer TOKEN"));
    }

    private boolean knowsToken(Headers headers) {
        String authorization =
                Optional.ofNullable(headers.getFirst("Authorization")).orElse("");
        if (authorization.startsWith("Bearer ")) {
            return isToken(authorization.substring("Bearer ".length()));
        }
        return Optional.ofNullable(headers.get("Cookie")).orElse(List.of()).stream()
                .flatMap(COOKIES::splitAsStream)
                .filter(cookie -> cookie.startsWith(COOKIE + "="))
                .anyMatch(cookie -> isToken(cookie.substring(COOKIE.length() + 1)));
    }

    private boolean isToken(String given) {
        return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), token.orElseThrow());
    }
}
