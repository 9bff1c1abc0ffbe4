package org.quern.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.JsonNode;

/// A value in a JSON file that knows its place, so that every complaint names file and field.
///
/// @param path the field, empty for the whole file
record JsonPart(Path file, String path, JsonNode node) {
    static JsonPart read(Path file) {
        return new JsonPart(file, "", Json.readObject(file));
    }

    JsonPart get(String name) {
        return new JsonPart(file, path.isEmpty() ? name : path + "." + name, node.path(name));
    }

    /// Missing or null.
    boolean isAbsent() {
        return node.isMissingNode() || node.isNull();
    }

    String string() {
        if (!node.isString()) {
            throw unexpected("a string");
        }
        return node.stringValue();
    }

    int integer() {
        if (!node.isInt()) {
            throw unexpected("an integer");
        }
        return node.intValue();
    }

    boolean flag(boolean ifAbsent) {
        if (isAbsent()) {
            return ifAbsent;
        }
        if (!node.isBoolean()) {
            throw unexpected("true or false");
        }
        return node.booleanValue();
    }

    List<JsonPart> elements() {
        if (!node.isArray()) {
            throw unexpected("an array");
        }
        List<JsonPart> elements = new ArrayList<>(node.size());
        for (int i = 0; i < node.size(); i++) {
            elements.add(new JsonPart(file, path + "[" + i + "]", node.get(i)));
        }
        return elements;
    }

    void forEachField(BiConsumer<String, JsonPart> action) {
        if (!node.isObject()) {
            throw unexpected("an object");
        }
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            action.accept(field.getKey(), new JsonPart(file, path + "." + field.getKey(), field.getValue()));
        }
    }

    QuernException unexpected(String expected) {
        String found = node.isMissingNode() ? "nothing" : TextFile.shorten(node.toString());
        String field = path.isEmpty() ? "" : ": " + path;
        return QuernException.data("%s%s: expected %s, found %s".formatted(file, field, expected, found));
    }
}
