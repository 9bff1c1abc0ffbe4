package org.quern.launcher.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.chat.ChatTemplate;
import org.quern.launcher.page.PageAccess;
import org.quern.launcher.page.PageServer;
import org.quern.launcher.page.Reply;
import org.quern.launcher.page.Route;
import org.quern.tokenizer.TokenizedText;
import tools.jackson.databind.JsonNode;

/// A page on which a text, or a conversation, lies beside its tokens.
///
/// ```
/// POST /api/tokenizers                                  {"text": "...", "tokenizers": [{"name", "size",
/// "template"}]}
/// POST /api/tokens {"text": "...", "special": true}     [{"text", "tokens", "bytes", "pieces": [{"t", "i",
/// "b", "s"}]}]
/// POST /api/tokens {"messages": [{"role", "content"}], "answer": true}
/// ```
///
/// A piece is its text `t`, the ids `i` and the bytes `b` of its tokens, and whether it is special, `s`.
public final class TokenizerPage implements AutoCloseable {
    private static final Map<String, String> RESOURCES =
            Map.of("/", "tokens.html", "/tokens.js", "tokens.js", "/tokens.css", "tokens.css");

    private final List<NamedTokenizer> tokenizers;
    private final PageServer server;

    /// A page that can be read from now on.
    ///
    /// @param text what it shows at first
    /// @param port 0: any that is free
    public TokenizerPage(List<NamedTokenizer> tokenizers, String text, int port) {
        this.tokenizers = List.copyOf(tokenizers);
        server = new PageServer(
                TokenizerPage.class,
                RESOURCES,
                List.of(
                        Route.post("/api/tokenizers", _ -> Reply.json(describe(text))),
                        Route.post("/api/tokens", request -> Reply.json(tokens(request.json())))),
                PageAccess.address("localhost", port),
                Optional.empty());
    }

    /// Where browsers find it.
    public String url() {
        return server.url();
    }

    private Map<String, Object> describe(String text) {
        List<Map<String, Object>> all = tokenizers.stream()
                .map(each -> Map.<String, Object>of(
                        "name",
                        each.name(),
                        "size",
                        each.tokenizer().vocabSize(),
                        "template",
                        each.template().isPresent()))
                .toList();
        return Map.of("text", text, "tokenizers", all);
    }

    private List<Map<String, Object>> tokens(JsonNode request) {
        List<Map<String, Object>> replies = new ArrayList<>();
        for (NamedTokenizer each : tokenizers) {
            boolean chat = request.has("messages");
            Map<String, Object> reply = new LinkedHashMap<>();
            try {
                String text = chat
                        ? each.chat()
                                .render(
                                        messages(request.path("messages")),
                                        request.path("answer").asBoolean(false))
                        : request.path("text").asString("");
                TokenizedText found = TokenizedText.of(
                        each.tokenizer(), text, chat || request.path("special").asBoolean(false));
                reply.put("text", text);
                reply.put("tokens", found.tokens());
                reply.put("bytes", found.bytes());
                reply.put(
                        "pieces",
                        found.pieces().stream().map(TokenizerPage::piece).toList());
            } catch (QuernException e) {
                reply.put("problem", e.getMessage());
            }
            replies.add(reply);
        }
        return replies;
    }

    /// @throws QuernException if they are none
    public static List<ChatTemplate.Message> messages(JsonNode array) {
        List<ChatTemplate.Message> messages = new ArrayList<>();
        for (JsonNode message : array) {
            if (!message.path("role").isString() || !message.path("content").isString()) {
                throw QuernException.data("a message is {\"role\": \"user\", \"content\": \"...\"}: got " + message);
            }
            messages.add(new ChatTemplate.Message(
                    message.path("role").stringValue(), message.path("content").stringValue()));
        }
        if (messages.isEmpty()) {
            throw QuernException.data("a conversation needs at least one message");
        }
        return messages;
    }

    private static Map<String, Object> piece(TokenizedText.Piece piece) {
        return Map.of(
                "t", piece.text(),
                "i", piece.tokens().stream().map(TokenizedText.Token::id).toList(),
                "b", piece.tokens().stream().map(TokenizedText.Token::bytes).toList(),
                "s", piece.special());
    }

    @Override
    public void close() {
        server.close();
    }
}
