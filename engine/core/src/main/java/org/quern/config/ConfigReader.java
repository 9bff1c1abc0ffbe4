package org.quern.config;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.config.Tree.Problem;
import org.quern.config.Tree.Section;

/// Reads a YAML file into a record, strictly: every key must be known, given once, present unless it has a
/// default ([Default], a constant `DEFAULT` of its record, `Optional`), of the right type and in [Range]. All
/// problems of a file are shown at once, each with its line.
///
/// `microBatch` is written `micro_batch`; components may be `int`, `long`, `double`, `boolean`, `String`, enums,
/// `Path`, [org.quern.store.Location], records of these, and `List` and `Optional` of all. Relative paths start
/// from the file's folder, and in an override from the working folder; `~/` is the home folder. A record that is
/// [Checked] looks at its keys together.
public final class ConfigReader {
    private ConfigReader() {}

    /// Reads a file.
    ///
    /// @param overrides such as `train.steps=200`, with a YAML value; the last of a key counts
    /// @throws QuernException with everything that is wrong
    public static <T> T read(Path file, Class<T> type, List<String> overrides) {
        return parse(file.toString(), text(file), file.toAbsolutePath().getParent(), type, overrides);
    }

    /// Reads a text.
    ///
    /// @param source what problems call it
    /// @param folder what relative paths in the text start from
    static <T> T parse(String source, String text, Path folder, Class<T> type, List<String> overrides) {
        List<Problem> problems = new ArrayList<>();
        TreeReader reader = new TreeReader(problems);
        Optional<Section> root = reader.document(source, text, folder);
        Optional<Object> value = Optional.empty();
        if (root.isPresent()) {
            for (String override : overrides) {
                reader.override(root.get(), override, Path.of("").toAbsolutePath());
            }
            value = new Binder(type, problems).section(type, root.get(), new Tree.Place(source, 1, folder), "");
        }
        if (!problems.isEmpty()) {
            throw QuernException.data(problems.stream()
                    .sorted(Comparator.comparingInt(ConfigReader::order))
                    .map(Problem::toString)
                    .collect(Collectors.joining("\n")));
        }
        return type.cast(value.orElseThrow());
    }

    /// Lines of the file from the top, then overrides.
    private static int order(Problem problem) {
        return problem.place().line() == 0 ? Integer.MAX_VALUE : problem.place().line();
    }

    private static String text(Path file) {
        if (Files.isDirectory(file)) {
            throw QuernException.data(file + " is a folder: a configuration file was expected");
        }
        if (!Files.exists(file)) {
            throw QuernException.data("%s does not exist%s".formatted(file, neighbour(file)));
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw QuernException.data(file + " is not UTF-8 text: a YAML file was expected");
        } catch (IOException e) {
            throw QuernException.io("cannot read %s".formatted(file), e);
        }
    }

    /// A file in the same folder that was probably meant.
    private static String neighbour(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            return "";
        }
        try (Stream<Path> files = Files.list(folder)) {
            List<String> names = files.map(path -> path.getFileName().toString())
                    .filter(name -> name.endsWith(".yaml"))
                    .toList();
            return Spelling.nearest(file.getFileName().toString(), names)
                    .map(name -> " (did you mean %s?)".formatted(file.resolveSibling(name)))
                    .orElse("");
        } catch (IOException e) {
            return "";
        }
    }
}
