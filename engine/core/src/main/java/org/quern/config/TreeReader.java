package org.quern.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.quern.config.Tree.Entry;
import org.quern.config.Tree.Place;
import org.quern.config.Tree.Problem;
import org.quern.config.Tree.Section;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/// Reads YAML into a [Tree] and lays overrides over it.
final class TreeReader {
    private final List<Problem> problems;

    TreeReader(List<Problem> problems) {
        this.problems = problems;
    }

    /// Reads a whole file's text; nothing when it is not YAML.
    Optional<Section> document(String source, String text, Path folder) {
        Place start = new Place(source, 1, folder);
        Optional<Node> root;
        try {
            root = compose(source, text);
        } catch (MarkedYamlEngineException e) {
            Place place = e.getProblemMark()
                    .map(mark -> new Place(source + ":" + (mark.getLine() + 1), mark.getColumn() + 1, folder))
                    .orElse(start);
            problems.add(new Problem(place, "is not YAML: " + withContext(e)));
            return Optional.empty();
        } catch (YamlEngineException e) {
            problems.add(new Problem(start, "is not YAML: " + e.getMessage()));
            return Optional.empty();
        }
        if (root.isEmpty()) {
            return Optional.of(new Section(start));
        }
        Tree tree = tree(root.get(), start, "", true);
        if (tree instanceof Section section) {
            return Optional.of(section);
        }
        problems.add(
                new Problem(start, "must hold sections with keys, such as \"train:\" and below it \"  steps: 100\""));
        return Optional.empty();
    }

    /// Reads a value that has no lines of its own: a default or an override.
    Optional<Tree> value(String yaml, Place place) {
        try {
            return compose(place.source(), yaml)
                    .map(node -> tree(node, place, "", false))
                    .or(() -> Optional.of(new Tree.Scalar(place, "", true)));
        } catch (YamlEngineException e) {
            String reason = e instanceof MarkedYamlEngineException marked ? withContext(marked) : e.getMessage();
            problems.add(new Problem(place, "the value " + yaml + " is not YAML: " + reason));
            return Optional.empty();
        }
    }

    /// Lays `train.steps=200` over a tree.
    void override(Section root, String assignment, Path folder) {
        int equals = assignment.indexOf('=');
        String path = equals < 0 ? assignment : assignment.substring(0, equals).strip();
        Place place = new Place("--set " + path, 0, folder);
        if (equals < 1) {
            problems.add(new Problem(place, "must be KEY=VALUE, such as train.steps=200"));
            return;
        }
        Optional<Tree> value = value(assignment.substring(equals + 1).strip(), place);
        if (value.isEmpty()) {
            return;
        }
        Section section = root;
        List<String> keys = List.of(path.split("\\.", -1));
        for (String key : keys.subList(0, keys.size() - 1)) {
            Entry entry = section.entries().get(key);
            if (entry == null || !(entry.value() instanceof Section)) {
                entry = new Entry(place, new Section(place));
                section.entries().put(key, entry);
            }
            section = (Section) entry.value();
        }
        section.entries().put(keys.getLast(), new Entry(place, value.get()));
    }

    private static Optional<Node> compose(String source, String text) {
        return new Compose(LoadSettings.builder()
                        .setLabel(source)
                        .setAllowNonScalarKeys(true)
                        .build())
                .composeString(text);
    }

    private static String withContext(MarkedYamlEngineException e) {
        return e.getContext() == null ? e.getProblem() : e.getProblem() + " " + e.getContext();
    }

    /// @param lines whether the nodes have lines of their own; otherwise everything is at `around`
    private Tree tree(Node node, Place around, String path, boolean lines) {
        Place place = lines ? placeOf(node, around) : around;
        if (node.isRecursive()) {
            problems.add(new Problem(place, path + " contains itself"));
            return new Tree.Scalar(place, "", true);
        }
        return switch (node) {
            case ScalarNode scalar -> new Tree.Scalar(place, scalar.getValue(), scalar.isPlain());
            case SequenceNode sequence -> {
                List<Tree> items = new ArrayList<>();
                for (Node item : sequence.getValue()) {
                    items.add(tree(item, place, path + "[" + items.size() + "]", lines));
                }
                yield new Tree.Sequence(place, items);
            }
            case MappingNode mapping -> {
                Section section = new Section(place);
                for (NodeTuple tuple : mapping.getValue()) {
                    Place keyPlace = lines ? placeOf(tuple.getKeyNode(), place) : place;
                    if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
                        problems.add(new Problem(keyPlace, "a key must be a word"));
                        continue;
                    }
                    String keyPath = path.isEmpty() ? key.getValue() : path + "." + key.getValue();
                    Entry before = section.entries().get(key.getValue());
                    if (before != null) {
                        problems.add(new Problem(
                                keyPlace,
                                lines
                                        ? "%s is given twice: first in line %d"
                                                .formatted(
                                                        keyPath, before.place().line())
                                        : keyPath + " is given twice"));
                        continue;
                    }
                    Tree value = tree(tuple.getValueNode(), keyPlace, keyPath, lines);
                    section.entries().put(key.getValue(), new Entry(keyPlace, value));
                }
                yield section;
            }
            default -> throw new IllegalStateException("unknown kind of YAML node: " + node);
        };
    }

    private static Place placeOf(Node node, Place around) {
        return node.getStartMark()
                .map(mark -> new Place(around.source(), mark.getLine() + 1, around.folder()))
                .orElse(around);
    }
}
