package org.quern.launcher;

import org.quern.base.Json;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/// Records as what `--json` prints: a line, `snake_case` keys.
final class JsonOutput {
    private static final JsonMapper MAPPER = Json.MAPPER
            .rebuild()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .build();

    private JsonOutput() {}

    static String of(Object value) {
        return MAPPER.writeValueAsString(value);
    }
}
