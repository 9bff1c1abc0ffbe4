package org.quern.config;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A configuration as it was written, with the place of everything.
sealed interface Tree {
    Place place();

    /// A word, a number or a text.
    ///
    /// @param plain whether it was written without quotes
    record Scalar(Place place, String text, boolean plain) implements Tree {
        boolean isNull() {
            return plain && (text.isEmpty() || text.equals("~") || text.equalsIgnoreCase("null"));
        }
    }

    /// A list.
    record Sequence(Place place, List<Tree> items) implements Tree {}

    /// Keys with their values, in the order written.
    record Section(Place place, Map<String, Entry> entries) implements Tree {
        Section(Place place) {
            this(place, new LinkedHashMap<>());
        }
    }

    /// A value of a section.
    ///
    /// @param place of the key
    record Entry(Place place, Tree value) {}

    /// Where something was written.
    ///
    /// @param source a file, or `--set KEY`
    /// @param line counted from 1; 0 when the source has no lines
    /// @param folder what relative paths start from
    record Place(String source, int line, Path folder) {
        @Override
        public String toString() {
            return line == 0 ? source : source + ":" + line;
        }
    }

    /// What is wrong at a place.
    record Problem(Place place, String text) {
        @Override
        public String toString() {
            return place + ": " + text;
        }
    }
}
