package org.quern.ptx;

import java.util.SortedMap;
import java.util.TreeMap;

/// A kernel file with one choice of its parameters: the unit that is expanded, assembled, cached and loaded.
///
/// @param file the template in `src/main/ptx` without `.ptx`: `matmul.sm_80`; what follows the dot is the least
///     architecture
/// @param parameters tile sizes, head sizes, epilogues: String, Integer or Boolean
public record KernelVariant(String file, SortedMap<String, Object> parameters) {
    public KernelVariant {
        parameters = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(parameters));
    }

    /// A variant by its file, and names and values in turn.
    public static KernelVariant of(String file, Object... namesAndValues) {
        SortedMap<String, Object> parameters = new TreeMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            parameters.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return new KernelVariant(file, parameters);
    }

    /// The file and its parameters: `attention_forward.sm_80(head_size=64, window=true)`.
    public String name() {
        if (parameters.isEmpty()) {
            return file;
        }
        StringBuilder text = new StringBuilder(file).append('(');
        parameters.forEach((name, value) -> text.append(text.charAt(text.length() - 1) == '(' ? "" : ", ")
                .append(name)
                .append('=')
                .append(value));
        return text.append(')').toString();
    }

    /// The least architecture that runs it: `sm_80`.
    public String architecture() {
        return file.substring(file.lastIndexOf('.') + 1);
    }
}
