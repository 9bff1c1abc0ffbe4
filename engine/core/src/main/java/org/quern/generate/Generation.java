package org.quern.generate;

import java.util.List;

/// What was generated, and how fast.
///
/// @param promptTokens tokens of the prompt
/// @param prefillSeconds reading the prompt, once for each batch
/// @param decodeSeconds everything after that
public record Generation(List<Completion> completions, int promptTokens, double prefillSeconds, double decodeSeconds) {
    /// A text after the prompt.
    ///
    /// @param tokens without the one that ended it
    /// @param text with U+FFFD for bytes that are not UTF-8
    public record Completion(List<Integer> tokens, String text, FinishReason finishReason) {}

    public Generation {
        completions = List.copyOf(completions);
    }

    /// Tokens of all texts.
    public int tokens() {
        return completions.stream().mapToInt(text -> text.tokens().size()).sum();
    }

    /// How fast all texts together grew once the prompt was read; 0 if they did not grow.
    public double tokensPerSecond() {
        return decodeSeconds > 0 ? tokens() / decodeSeconds : 0;
    }
}
