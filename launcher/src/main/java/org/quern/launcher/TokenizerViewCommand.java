package org.quern.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.launcher.tokenizer.NamedTokenizer;
import org.quern.launcher.tokenizer.TokenizerPage;
import org.quern.tokenizer.TokenizedText;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;

/// `quern tokenizer view`.
@Command(
        name = "view",
        description = {
            "Shows what tokenizers make of a text: in colours on a terminal, elsewhere a token a line, or on a page.",
            "Characters that several tokens share are shown once, with all their ids."
        })
final class TokenizerViewCommand implements Callable<Integer> {
    private static final int[] COLOURS = {189, 194, 223, 217, 159, 229};

    @Parameters(
            arity = "0..1",
            paramLabel = "TEXT|FILE",
            description = "A text, or the name of a file with one; by default standard input.")
    private Optional<String> source = Optional.empty();

    @Mixin
    private TokenizerOption tokenizerOption;

    @Option(names = "--special", description = "The names of special tokens in the text stand for them.")
    private boolean special;

    @Option(
            names = "--chat",
            description = "The text is a JSON array of messages, {\"role\": ..., \"content\": ...}; it is put into the "
                    + "tokenizer's chat template, or into ChatML's.")
    private boolean chat;

    @Option(names = "--page", description = "Show it in a browser of this machine, to be changed there.")
    private boolean page;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "Where the page listens; 0: any free port. ${DEFAULT-VALUE} by default.")
    private int port = 8266;

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<NamedTokenizer> tokenizers = tokenizerOption.open();
        if (page) {
            try (TokenizerPage server = new TokenizerPage(tokenizers, source.isPresent() ? text() : "", port)) {
                System.out.println(server.url());
                Terminal.error().print("Ctrl-C ends it");
                new CountDownLatch(1).await();
            }
        }
        String text = text();
        boolean colours = System.console() != null && System.console().isTerminal();
        for (NamedTokenizer each : tokenizers) {
            TokenizedText tokens =
                    TokenizedText.of(each.tokenizer(), chat ? rendered(each, text) : text, special || chat);
            System.out.printf(
                    Locale.ROOT,
                    "%s: %,d tokens, %,d bytes, %.2f bytes a token%n",
                    each.name(),
                    tokens.tokens(),
                    tokens.bytes(),
                    tokens.bytes() / (double) Math.max(1, tokens.tokens()));
            System.out.print(colours ? coloured(tokens) : lines(tokens));
        }
        return ExitCode.OK.code();
    }

    private String text() throws IOException {
        if (source.isEmpty()) {
            return new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        }
        try {
            Path file = Path.of(source.get());
            if (Files.isRegularFile(file)) {
                return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            }
        } catch (InvalidPathException _) {
            // It is a text.
        }
        return source.get();
    }

    private static String rendered(NamedTokenizer tokenizer, String messages) {
        try {
            return tokenizer.chat().render(TokenizerPage.messages(Json.MAPPER.readTree(messages)), false);
        } catch (JacksonException e) {
            throw QuernException.data("--chat needs a JSON array of messages: " + e.getOriginalMessage());
        }
    }

    /// The text with a background for each piece, and the ids below.
    private static String coloured(TokenizedText tokens) {
        StringBuilder out = new StringBuilder();
        StringBuilder ids = new StringBuilder();
        int n = 0;
        for (TokenizedText.Piece piece : tokens.pieces()) {
            int colour = COLOURS[n++ % COLOURS.length];
            String start = "\033[%s38;5;16;48;5;%dm".formatted(piece.special() ? "1;" : "", colour);
            for (String part : piece.text().split("(?<=\n)", -1)) {
                // A background does not go on over the end of a line.
                String shown = part.replace("\n", "\u21B5").replaceAll("\\p{Cntrl}", "\u00B7");
                out.append(part.isEmpty() ? "" : start + shown + "\033[0m" + (part.endsWith("\n") ? "\n" : ""));
            }
            for (TokenizedText.Token token : piece.tokens()) {
                ids.append("%s%d\033[0m ".formatted(start, token.id()));
            }
        }
        return out + "\n" + ids + "\n";
    }

    /// A token a line: id, bytes, and what the piece that it begins stands for.
    private static String lines(TokenizedText tokens) {
        StringBuilder out = new StringBuilder();
        for (TokenizedText.Piece piece : tokens.pieces()) {
            String text = Json.MAPPER.writeValueAsString(piece.text());
            for (TokenizedText.Token token : piece.tokens()) {
                out.append("%8d  %-24s  %s%n".formatted(token.id(), token.bytes(), text));
                text = "";
            }
        }
        return out.toString();
    }
}
