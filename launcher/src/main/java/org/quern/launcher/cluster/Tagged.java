package org.quern.launcher.cluster;

import java.util.Arrays;
import java.util.Map;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;

/// Records of a sealed interface as JSON: an object whose one key is the record's name.
final class Tagged {
    private Tagged() {}

    static String write(Record value) {
        return Json.MAPPER.writeValueAsString(Map.of(value.getClass().getSimpleName(), value));
    }

    /// @throws IllegalArgumentException if it is none of the records, or a wrong one
    static <T> T read(Class<T> type, String text) {
        try {
            JsonNode node = Json.MAPPER.readTree(text);
            String name = node.isObject() && node.size() == 1
                    ? node.propertyNames().iterator().next()
                    : "";
            Class<?> record = Arrays.stream(type.getPermittedSubclasses())
                    .filter(each -> each.getSimpleName().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("no " + type.getSimpleName()));
            return type.cast(Json.MAPPER.treeToValue(node.get(name), record));
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("no %s: %s".formatted(type.getSimpleName(), e.getMessage()), e);
        }
    }
}
