package org.quern.chat;

import java.util.HashMap;
import java.util.Map;

/// The names that a part of a template knows: those of its loop, then those around it. A loop's names end with it.
final class Scope {
    /// What a name stands for that nobody set.
    static final Object UNDEFINED = new Object() {
        @Override
        public String toString() {
            return "";
        }
    };

    private final Scope around;
    private final Map<String, Object> names;

    Scope(Map<String, Object> names) {
        around = null;
        this.names = names;
    }

    private Scope(Scope around) {
        this.around = around;
        names = new HashMap<>();
    }

    Scope inner() {
        return new Scope(this);
    }

    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.around) {
            if (scope.names.containsKey(name)) {
                return scope.names.get(name);
            }
        }
        return UNDEFINED;
    }

    void set(String name, Object value) {
        names.put(name, value);
    }
}
