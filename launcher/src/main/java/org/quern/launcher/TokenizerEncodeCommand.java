package org.quern.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern tokenizer encode`.
@Command(
        name = "encode",
        description = "Prints the ids of a text. The names of special tokens in it are text like any other.")
final class TokenizerEncodeCommand implements Callable<Integer> {
    @Parameters(
            paramLabel = "TOKENIZER",
            description = "A tokenizer.json, a folder that has one, or a rank file of tiktoken.")
    private Path place;

    @Option(names = "--text", paramLabel = "TEXT", description = "The text; by default standard input.")
    private Optional<String> text = Optional.empty();

    @Option(names = "--json", description = "Print the ids and their texts as JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        Tokenizer tokenizer = Tokenizer.open(place);
        byte[] utf8 = text.isPresent() ? text.get().getBytes(StandardCharsets.UTF_8) : System.in.readAllBytes();
        TokenBuffer buffer = new TokenBuffer();
        tokenizer.encoder().encode(utf8, 0, utf8.length, buffer);
        int[] ids = buffer.toArray();
        if (json) {
            List<String> texts = new ArrayList<>();
            for (int id : ids) {
                texts.add(tokenizer.decode(id));
            }
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("ids", ids);
            values.put("texts", texts);
            System.out.println(Json.MAPPER.writeValueAsString(values));
        } else {
            System.out.println(Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
        }
        return ExitCode.OK.code();
    }
}
