package org.quern.tokenizer;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.quern.base.QuernException;

/// A byte-level BPE vocabulary: text to ids and back. Every byte has a token of its own, so any text can be
/// encoded and `decodeBytes(encode(x))` is `x`. Immutable and thread-safe; for much text take an [#encoder] for
/// each thread.
///
/// It reads and writes `tokenizer.json` of Hugging Face tokenizers (and gives the same ids), tiktoken rank files and
/// GPT-2's `encoder.json` with `vocab.bpe`.
public final class Tokenizer {
    private static final List<String> END_OF_TEXT = List.of("<|endoftext|>", "<|end_of_text|>", "</s>");
    private static final List<String> BEGIN_OF_TEXT = List.of("<|begin_of_text|>", "<|startoftext|>", "<s>");
    private static final byte[] NOTHING = {};

    private final SplitPattern pattern;
    private final Vocabulary vocabulary;
    private final Merges merges;
    private final boolean ignoreMerges;
    private final List<AddedToken> added;
    private final Map<Integer, AddedToken> addedById = new HashMap<>();
    private final int[] prefix;

    /// The bytes of each id, null where there is none.
    private final byte[][] contents;
    private EncodingTables encodingTables;
    private final int[] byteIds = new int[256];
    private final AddedTokenFinder[] plainAdded;
    private final AddedTokenFinder[] allAdded;

    /// @param vocabulary the tokens of the words; it may hold some of the added tokens too
    /// @param ignoreMerges a word that is a token becomes that token, whatever the merges say
    /// @param prefix ids before a prompt
    Tokenizer(
            SplitPattern pattern,
            Vocabulary vocabulary,
            Merges merges,
            boolean ignoreMerges,
            List<AddedToken> added,
            int[] prefix) {
        this.pattern = pattern;
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.ignoreMerges = ignoreMerges;
        this.added =
                added.stream().sorted(Comparator.comparingInt(AddedToken::id)).toList();
        this.prefix = prefix;

        for (AddedToken token : added) {
            check(token);
            if (addedById.put(token.id(), token) != null) {
                throw QuernException.data("%s: two added tokens have id %d".formatted(vocabulary.source(), token.id()));
            }
        }
        int size = Math.max(
                vocabulary.size(),
                this.added.isEmpty() ? 0 : this.added.getLast().id() + 1);
        contents = new byte[size][];
        for (int id = 0; id < size; id++) {
            contents[id] = vocabulary.token(id);
        }
        for (AddedToken token : added) {
            contents[token.id()] = token.utf8();
        }
        for (int id : prefix) {
            if (!addedById.containsKey(id)) {
                throw QuernException.data("%s: the template before a text has id %d, which is no added token"
                        .formatted(vocabulary.source(), id));
            }
        }
        for (int b = 0; b < byteIds.length; b++) {
            byteIds[b] = vocabulary.find(new byte[] {(byte) b});
            if (byteIds[b] < 0) {
                throw QuernException.data(
                        "%s: the vocabulary has no token for byte 0x%02X: byte-level BPE needs all 256"
                                .formatted(vocabulary.source(), b));
            }
        }
        plainAdded = finders(added.stream().filter(t -> !t.special()).toList());
        allAdded = finders(added);
    }

    private void check(AddedToken token) {
        if (token.content().isEmpty() || token.id() < 0 || token.id() >= Vocabulary.MAX_SIZE) {
            throw QuernException.data("%s: added token \"%s\" has id %d: expected some content and an id below %d"
                    .formatted(vocabulary.source(), token.content(), token.id(), Vocabulary.MAX_SIZE));
        }
        byte[] word = vocabulary.token(token.id());
        if (word != null && !Arrays.equals(word, token.utf8())) {
            throw QuernException.data("%s: added token \"%s\" has id %d, which is that of \"%s\""
                    .formatted(
                            vocabulary.source(),
                            token.content(),
                            token.id(),
                            new String(word, StandardCharsets.UTF_8)));
        }
    }

    /// Those that are not `normalized` are looked for first.
    private static AddedTokenFinder[] finders(List<AddedToken> tokens) {
        List<AddedTokenFinder> finders = new ArrayList<>();
        for (boolean normalized : new boolean[] {false, true}) {
            List<AddedToken> group =
                    tokens.stream().filter(t -> t.normalized() == normalized).toList();
            if (!group.isEmpty()) {
                finders.add(new AddedTokenFinder(group));
            }
        }
        return finders.toArray(AddedTokenFinder[]::new);
    }

    /// Reads what a user names: a `tokenizer.json`, a folder that has one, or a published rank file of tiktoken
    /// (`r50k_base.tiktoken`, `p50k_base`, `cl100k_base`, `o200k_base`).
    public static Tokenizer open(Path place) {
        if (place.getFileName() != null && place.getFileName().toString().endsWith(".tiktoken")) {
            return TiktokenFile.read(place);
        }
        return read(Files.isDirectory(place) ? place.resolve("tokenizer.json") : place);
    }

    /// Reads a `tokenizer.json`. What we cannot follow exactly (normalizers, other models, unknown split
    /// expressions) is refused.
    public static Tokenizer read(Path tokenizerJson) {
        return TokenizerJson.read(tokenizerJson);
    }

    /// Reads a tiktoken rank file, in which ranks are ids.
    ///
    /// @param specials the special tokens, which are not in such a file
    public static Tokenizer readTiktoken(Path ranks, SplitPattern pattern, List<AddedToken> specials) {
        return TiktokenFile.read(ranks, pattern, specials);
    }

    /// Reads GPT-2's `encoder.json` (or `vocab.json`) and `vocab.bpe` (or `merges.txt`).
    public static Tokenizer readGpt2(Path vocabulary, Path merges) {
        return Gpt2Files.read(vocabulary, merges);
    }

    /// Writes a `tokenizer.json`.
    public void write(Path tokenizerJson) {
        TextFile.write(tokenizerJson, TokenizerJson.json(this));
    }

    /// The text of a `tokenizer.json`.
    public String toJson() {
        return new String(TokenizerJson.json(this), StandardCharsets.UTF_8);
    }

    /// The text of the `tokenizer_config.json` with which transformers' AutoTokenizer reads the
    /// `tokenizer.json` beside it.
    public String toConfigJson(int contextLength) {
        return new String(TokenizerJson.configJson(this, contextLength), StandardCharsets.UTF_8);
    }

    /// Writes a tiktoken rank file; special tokens are not in such a file.
    public void writeTiktoken(Path ranks) {
        TiktokenFile.write(this, ranks);
    }

    public Encoder encoder() {
        return new Encoder(this);
    }

    /// The ids of a text; special tokens in it are read as plain text, other added tokens are found.
    public int[] encode(String text) {
        byte[] utf8 = utf8(text);
        TokenBuffer out = new TokenBuffer();
        encoder().encode(utf8, 0, utf8.length, out);
        return out.toArray();
    }

    /// The ids of a text in which special tokens stand for themselves.
    public int[] encodeWithSpecials(String text) {
        byte[] utf8 = utf8(text);
        TokenBuffer out = new TokenBuffer();
        encoder().encodeWithSpecials(utf8, 0, utf8.length, out);
        return out.toArray();
    }

    /// What a model is given to continue `text`: its [#prefix], then [#encodeWithSpecials]. These are the ids
    /// that Hugging Face's `encode` gives.
    public int[] encodePrompt(String text) {
        int[] ids = encodeWithSpecials(text);
        int[] prompt = Arrays.copyOf(prefix, prefix.length + ids.length);
        System.arraycopy(ids, 0, prompt, prefix.length, ids.length);
        return prompt;
    }

    /// UTF-8 of a string; half surrogate pairs become U+FFFD.
    private static byte[] utf8(String text) {
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8
                    .newEncoder()
                    .onMalformedInput(CodingErrorAction.REPLACE)
                    .replaceWith("\uFFFD".getBytes(StandardCharsets.UTF_8))
                    .encode(CharBuffer.wrap(text));
            return Arrays.copyOf(bytes.array(), bytes.limit());
        } catch (CharacterCodingException e) {
            throw new AssertionError(e);
        }
    }

    /// The bytes of the tokens, one after the other. Ids that are no token (a model's vocabulary may be padded) give
    /// none.
    public byte[] decodeBytes(int... ids) {
        int length = 0;
        for (int id : ids) {
            length += tokenBytes(id);
        }
        byte[] bytes = new byte[length];
        int at = 0;
        for (int id : ids) {
            byte[] token = token(id);
            System.arraycopy(token, 0, bytes, at, token.length);
            at += token.length;
        }
        return bytes;
    }

    /// The text of the tokens; what is not UTF-8 becomes U+FFFD.
    public String decode(int... ids) {
        return new String(decodeBytes(ids), StandardCharsets.UTF_8);
    }

    /// For text that is shown while it is generated.
    public TextStream textStream() {
        return new TextStream(this);
    }

    /// One more than the highest id.
    public int vocabSize() {
        return contents.length;
    }

    /// How many bytes of text a token stands for; 0 for an id that is no token.
    public int tokenBytes(int id) {
        return token(id).length;
    }

    /// The bytes that a token stands for. Not to be changed.
    byte[] token(int id) {
        return id >= 0 && id < contents.length && contents[id] != null ? contents[id] : NOTHING;
    }

    /// The token that ends a document.
    public OptionalInt endOfText() {
        return idOfFirst(END_OF_TEXT);
    }

    /// The token that begins a document, where there is one.
    public OptionalInt beginOfText() {
        return idOfFirst(BEGIN_OF_TEXT);
    }

    private OptionalInt idOfFirst(List<String> names) {
        return names.stream()
                .map(this::addedToken)
                .flatMap(Optional::stream)
                .mapToInt(AddedToken::id)
                .findFirst();
    }

    /// The added token with this content.
    public Optional<AddedToken> addedToken(String content) {
        return added.stream().filter(t -> t.content().equals(content)).findFirst();
    }

    /// The added token with this id.
    public Optional<AddedToken> addedToken(int id) {
        return Optional.ofNullable(addedById.get(id));
    }

    /// All added tokens, by id.
    public List<AddedToken> addedTokens() {
        return added;
    }

    /// The special tokens that go before a prompt.
    int[] prefix() {
        return prefix.clone();
    }

    public SplitPattern pattern() {
        return pattern;
    }

    /// SHA-256, in hexadecimal, of all that decides about ids: the split pattern, tokens, merges, added tokens,
    /// prefix. The same whatever file the tokenizer came from.
    public String hash() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            update(digest, pattern.name().getBytes(StandardCharsets.UTF_8));
            digest.update((byte) (ignoreMerges ? 1 : 0));
            update(digest, vocabulary.size());
            for (int id = 0; id < vocabulary.size(); id++) {
                update(digest, vocabulary.token(id) == null ? NOTHING : vocabulary.token(id));
            }
            update(digest, merges.size());
            for (long pair : merges.pairs()) {
                update(digest, PairTable.left(pair));
                update(digest, PairTable.right(pair));
            }
            update(digest, added.size());
            for (AddedToken token : added) {
                update(digest, token.id());
                update(digest, token.utf8());
                digest.update((byte) ((token.special() ? 1 : 0) | (token.normalized() ? 2 : 0)));
            }
            for (int id : prefix) {
                update(digest, id);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static void update(MessageDigest digest, int value) {
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(value).flip());
    }

    private static void update(MessageDigest digest, byte[] bytes) {
        update(digest, bytes.length);
        digest.update(bytes);
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    Merges merges() {
        return merges;
    }

    boolean ignoreMerges() {
        return ignoreMerges;
    }

    /// Whether a word that is a token becomes that token before any merge is tried: as tiktoken does it, where
    /// the most urgent merge is that of the smallest id, and where a file asks for it.
    boolean wholeWords() {
        return ignoreMerges || merges.byResult();
    }

    /// Made when first asked for: who trains a tokenizer need not have them.
    synchronized EncodingTables encodingTables() {
        if (encodingTables == null) {
            encodingTables = EncodingTables.of(this);
        }
        return encodingTables;
    }

    int[] byteIds() {
        return byteIds;
    }

    AddedTokenFinder[] plainAdded() {
        return plainAdded;
    }

    AddedTokenFinder[] allAdded() {
        return allAdded;
    }
}
