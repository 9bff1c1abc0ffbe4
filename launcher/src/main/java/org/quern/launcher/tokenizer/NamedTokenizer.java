package org.quern.launcher.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.chat.ChatTemplate;
import org.quern.tokenizer.Tokenizer;

/// A tokenizer that a user named, by the name of its file or folder.
///
/// @param template what comes with it, if there is one
public record NamedTokenizer(String name, Tokenizer tokenizer, Optional<ChatTemplate> template) {
    private static final ChatTemplate CHATML = ChatTemplate.of(ChatTemplate.CHATML, Map.of());

    /// Opens the places in order; each gets a name of its own.
    public static List<NamedTokenizer> open(List<Path> places) {
        List<NamedTokenizer> all = new ArrayList<>();
        for (Path place : places) {
            Path file = Files.isDirectory(place) ? place.resolve("tokenizer.json") : place;
            Tokenizer tokenizer = Tokenizer.open(place);
            String name = name(file.toAbsolutePath().normalize());
            String unique = name;
            for (int n = 2; isTaken(all, unique); n++) {
                unique = name + " " + n;
            }
            all.add(new NamedTokenizer(unique, tokenizer, ChatTemplate.beside(file)));
        }
        return all;
    }

    private static boolean isTaken(List<NamedTokenizer> all, String name) {
        return all.stream().anyMatch(other -> other.name().equals(name));
    }

    /// That of the folder, if the file is called as all are.
    private static String name(Path file) {
        String name = file.getFileName().toString();
        return name.equals("tokenizer.json") && file.getParent().getFileName() != null
                ? file.getParent().getFileName().toString()
                : name.replaceFirst("\\.(json|tiktoken)$", "");
    }

    /// The template that comes with it, or ChatML.
    public ChatTemplate chat() {
        return template.orElse(CHATML);
    }
}
