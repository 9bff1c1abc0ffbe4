package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `tokenizer.json` of Hugging Face tokenizers, as far as it is byte-level BPE. Fields that only concern
/// offsets, padding or truncation are not read.
final class TokenizerJson {
    private TokenizerJson() {}

    static Tokenizer read(Path file) {
        JsonPart root = JsonPart.read(file);
        requireAbsent(root.get("normalizer"), "null: normalizers are not supported");
        JsonPart model = root.get("model");
        JsonPart type = model.get("type");
        if (!type.isAbsent() && !type.string().equals("BPE")) {
            throw type.unexpected("\"BPE\"");
        }
        requireEmpty(model.get("continuing_subword_prefix"));
        requireEmpty(model.get("end_of_word_suffix"));
        if (model.get("byte_fallback").flag(false)) {
            throw model.get("byte_fallback").unexpected("false: only byte-level BPE is supported");
        }
        JsonPart dropout = model.get("dropout");
        if (!dropout.isAbsent() && dropout.node().asDouble(1) != 0) {
            throw dropout.unexpected("null: dropout makes ids random");
        }
        JsonPart decoder = root.get("decoder");
        if (!decoder.isAbsent() && !isByteLevel(decoder)) {
            throw decoder.get("type").unexpected("\"ByteLevel\"");
        }
        SplitPattern pattern = pattern(root.get("pre_tokenizer"));

        List<AddedToken> added = addedTokens(root.get("added_tokens"));
        Vocabulary vocabulary = vocabulary(model.get("vocab"), added);
        return new Tokenizer(
                pattern,
                vocabulary,
                merges(model.get("merges"), vocabulary),
                model.get("ignore_merges").flag(false),
                added,
                prefix(root.get("post_processor")));
    }

    private static void requireAbsent(JsonPart part, String expected) {
        if (!part.isAbsent()) {
            throw part.unexpected(expected);
        }
    }

    private static void requireEmpty(JsonPart part) {
        if (!part.isAbsent() && !part.string().isEmpty()) {
            throw part.unexpected("null");
        }
    }

    private static boolean isByteLevel(JsonPart part) {
        return part.get("type").string().equals("ByteLevel");
    }

    private static SplitPattern pattern(JsonPart preTokenizer) {
        if (preTokenizer.isAbsent()) {
            throw preTokenizer.unexpected("ByteLevel, or a Sequence of Split and ByteLevel");
        }
        if (isByteLevel(preTokenizer)) {
            requireByteLevel(preTokenizer, true);
            return SplitPattern.GPT2;
        }
        if (!preTokenizer.get("type").string().equals("Sequence")) {
            throw preTokenizer.get("type").unexpected("\"ByteLevel\" or \"Sequence\"");
        }
        JsonPart sequence = preTokenizer.get("pretokenizers");
        List<JsonPart> parts = sequence.elements();
        if (parts.size() != 2 || !parts.get(0).get("type").string().equals("Split") || !isByteLevel(parts.get(1))) {
            throw sequence.unexpected("Split, then ByteLevel");
        }
        requireByteLevel(parts.get(1), false);
        JsonPart split = parts.get(0);
        if (!split.get("behavior").string().equals("Isolated")) {
            throw split.get("behavior").unexpected("\"Isolated\"");
        }
        if (split.get("invert").flag(false)) {
            throw split.get("invert").unexpected("false");
        }
        JsonPart regex = split.get("pattern").get("Regex");
        for (SplitPattern pattern : SplitPattern.values()) {
            if (pattern.regex().equals(regex.string())) {
                return pattern;
            }
        }
        throw regex.unexpected("the split expression of " + Arrays.toString(SplitPattern.values()));
    }

    private static void requireByteLevel(JsonPart byteLevel, boolean splits) {
        if (byteLevel.get("add_prefix_space").flag(true)) {
            throw byteLevel.get("add_prefix_space").unexpected("false");
        }
        if (byteLevel.get("use_regex").flag(true) != splits) {
            throw byteLevel.get("use_regex").unexpected(Boolean.toString(splits));
        }
    }

    private static List<AddedToken> addedTokens(JsonPart part) {
        List<AddedToken> added = new ArrayList<>();
        if (part.isAbsent()) {
            return added;
        }
        for (JsonPart token : part.elements()) {
            for (String unsupported : List.of("single_word", "lstrip", "rstrip")) {
                if (token.get(unsupported).flag(false)) {
                    throw token.get(unsupported).unexpected("false");
                }
            }
            added.add(new AddedToken(
                    token.get("id").integer(),
                    token.get("content").string(),
                    token.get("special").flag(false),
                    token.get("normalized").flag(true)));
        }
        return added;
    }

    /// Reads `{"token": id, ...}` in the [ByteAlphabet]; added tokens stand there as they are.
    static Vocabulary vocabulary(JsonPart part, List<AddedToken> added) {
        Vocabulary vocabulary = new Vocabulary(part.file().toString());
        Set<String> contents = added.stream().map(AddedToken::content).collect(Collectors.toSet());
        part.forEachField((name, id) -> {
            byte[] token = contents.contains(name) ? name.getBytes(StandardCharsets.UTF_8) : ByteAlphabet.read(name);
            if (token == null) {
                throw QuernException.data(
                        "%s: token \"%s\" is not in the alphabet of byte-level BPE".formatted(part.file(), name));
            }
            vocabulary.add(token, id.integer());
        });
        return vocabulary;
    }

    private static Merges merges(JsonPart part, Vocabulary vocabulary) {
        Merges.Builder merges = new Merges.Builder(vocabulary);
        for (JsonPart merge : part.elements()) {
            String[] tokens = merge.node().isArray()
                    ? merge.elements().stream().map(JsonPart::string).toArray(String[]::new)
                    : merge.string().split(" ", -1);
            if (tokens.length != 2) {
                throw merge.unexpected("two tokens");
            }
            merges.add(tokens[0], tokens[1]);
        }
        return merges.build(false);
    }

    /// The special tokens that a template puts before a text.
    private static int[] prefix(JsonPart processor) {
        if (processor.isAbsent()) {
            return new int[0];
        }
        return switch (processor.get("type").string()) {
            case "ByteLevel" -> new int[0];
            case "Sequence" ->
                processor.get("processors").elements().stream()
                        .map(TokenizerJson::prefix)
                        .filter(p -> p.length > 0)
                        .findFirst()
                        .orElse(new int[0]);
            case "TemplateProcessing" -> templatePrefix(processor);
            default ->
                throw processor
                        .get("type")
                        .unexpected("\"ByteLevel\", \"TemplateProcessing\" or a \"Sequence\" of them");
        };
    }

    private static int[] templatePrefix(JsonPart processor) {
        JsonPart single = processor.get("single");
        List<JsonPart> parts = single.elements();
        if (parts.isEmpty() || parts.getLast().get("Sequence").isAbsent()) {
            throw single.unexpected("special tokens, then the text");
        }
        return parts.subList(0, parts.size() - 1).stream()
                .flatMap(
                        p -> processor
                                .get("special_tokens")
                                .get(p.get("SpecialToken").get("id").string())
                                .get("ids")
                                .elements()
                                .stream())
                .mapToInt(JsonPart::integer)
                .toArray();
    }

    static byte[] json(Tokenizer tokenizer) {
        ObjectNode root = Json.MAPPER.createObjectNode();
        root.put("version", "1.0").putNull("truncation").putNull("padding");
        ArrayNode added = root.putArray("added_tokens");
        for (AddedToken token : tokenizer.addedTokens()) {
            added.addObject()
                    .put("id", token.id())
                    .put("content", token.content())
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", token.normalized())
                    .put("special", token.special());
        }
        root.putNull("normalizer");
        writePattern(root.putObject("pre_tokenizer"), tokenizer.pattern());
        writePrefix(root.putObject("post_processor"), tokenizer);
        putByteLevel(root.putObject("decoder"), true);
        writeModel(root.putObject("model"), tokenizer);
        return Json.pretty(root);
    }

    private static void writePattern(ObjectNode preTokenizer, SplitPattern pattern) {
        if (pattern == SplitPattern.GPT2) {
            putByteLevel(preTokenizer, true);
            return;
        }
        ArrayNode parts = preTokenizer.put("type", "Sequence").putArray("pretokenizers");
        ObjectNode split = parts.addObject().put("type", "Split");
        split.putObject("pattern").put("Regex", pattern.regex());
        split.put("behavior", "Isolated").put("invert", false);
        putByteLevel(parts.addObject(), false);
    }

    private static void putByteLevel(ObjectNode node, boolean splits) {
        node.put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", splits);
    }

    private static void writePrefix(ObjectNode processor, Tokenizer tokenizer) {
        int[] prefix = tokenizer.prefix();
        if (prefix.length == 0) {
            putByteLevel(processor, true);
            return;
        }
        processor.put("type", "TemplateProcessing");
        ArrayNode single = processor.putArray("single");
        ArrayNode pair = processor.putArray("pair");
        ObjectNode specials = processor.putObject("special_tokens");
        for (int id : prefix) {
            String content = tokenizer.decode(id);
            single.addObject().putObject("SpecialToken").put("id", content).put("type_id", 0);
            pair.addObject().putObject("SpecialToken").put("id", content).put("type_id", 0);
            ObjectNode special = specials.putObject(content).put("id", content);
            special.putArray("ids").add(id);
            special.putArray("tokens").add(content);
        }
        single.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        pair.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
    }

    private static void writeModel(ObjectNode model, Tokenizer tokenizer) {
        model.put("type", "BPE")
                .putNull("dropout")
                .putNull("unk_token")
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", false)
                .put("byte_fallback", false)
                .put("ignore_merges", tokenizer.ignoreMerges());
        Vocabulary tokens = tokenizer.vocabulary();
        ObjectNode vocabulary = model.putObject("vocab");
        for (int id = 0; id < tokens.size(); id++) {
            if (tokens.token(id) != null) {
                String content =
                        tokenizer.addedToken(id).map(AddedToken::content).orElse(null);
                vocabulary.put(content == null ? ByteAlphabet.write(tokens.token(id)) : content, id);
            }
        }
        ArrayNode merges = model.putArray("merges");
        for (long pair : tokenizer.merges().pairs()) {
            merges.add(ByteAlphabet.write(tokens.token(PairTable.left(pair))) + " "
                    + ByteAlphabet.write(tokens.token(PairTable.right(pair))));
        }
    }

    static byte[] configJson(Tokenizer tokenizer, int contextLength) {
        ObjectNode config = Json.MAPPER
                .createObjectNode()
                .put("tokenizer_class", "PreTrainedTokenizerFast")
                .put("model_max_length", contextLength)
                .put("clean_up_tokenization_spaces", false);
        putToken(config, "bos_token", tokenizer, tokenizer.beginOfText());
        putToken(config, "eos_token", tokenizer, tokenizer.endOfText());
        return Json.pretty(config);
    }

    private static void putToken(ObjectNode config, String name, Tokenizer tokenizer, OptionalInt id) {
        if (id.isPresent()) {
            config.put(name, tokenizer.decode(id.getAsInt()));
        }
    }
}
