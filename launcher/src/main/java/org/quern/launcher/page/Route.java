package org.quern.launcher.page;

import java.io.IOException;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;

/// What a [PageServer] does with requests for some addresses.
///
/// @param method `GET` or `POST`
/// @param path all of the address in front of a `?`
public record Route(String method, Pattern path, Handler handler) {
    /// Replies to a request. A `QuernException` becomes the text of a reply with status 400.
    @FunctionalInterface
    public interface Handler {
        Reply reply(Request request) throws IOException;
    }

    /// @param path as the route's pattern found it
    /// @param query by name, decoded; without those that cannot be
    /// @param body empty unless it is a `POST`
    public record Request(MatchResult path, Map<String, String> query, byte[] body) {
        /// The group of the path that is a number.
        public int number(int group) {
            return Integer.parseInt(path.group(group));
        }

        /// The body.
        ///
        /// @throws tools.jackson.core.JacksonException if it is no JSON, which becomes a reply with status 400
        public JsonNode json() {
            return Json.MAPPER.readTree(body);
        }
    }

    /// @param path a regular expression
    public static Route get(String path, Handler handler) {
        return new Route("GET", Pattern.compile(path), handler);
    }

    /// @param path a regular expression
    public static Route post(String path, Handler handler) {
        return new Route("POST", Pattern.compile(path), handler);
    }
}
