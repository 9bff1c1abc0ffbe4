package org.quern.train;

import java.util.Set;
import java.util.function.BooleanSupplier;
import org.quern.config.RunConfig;
import org.quern.executor.Executor;
import org.quern.generate.FinishReason;
import org.quern.generate.Generation;
import org.quern.generate.Generator;
import org.quern.generate.GraphDecoder;
import org.quern.generate.Sampler;
import org.quern.model.Model;
import org.quern.tokenizer.Tokenizer;

/// The texts that a model writes during training, with the weights of the moment.
final class Samples implements Trainer.SampleWriter {
    private final RunConfig.Sample config;
    private final Generator generator;
    private final Generator.Settings settings;

    Samples(RunConfig.Sample config, long seed, Executor executor, Model model, Tokenizer tokenizer) {
        this.config = config;
        generator = new Generator(
                new GraphDecoder(executor, model, 1, model.config().maxPositionEmbeddings()), tokenizer, Set.of());
        settings = new Generator.Settings(
                config.maxTokens(),
                1,
                new Sampler.Settings(
                        config.temperature(),
                        config.topK().orElse(0),
                        config.topP().orElse(1.0),
                        config.minP().orElse(0.0),
                        seed));
    }

    @Override
    public boolean write(long step, int written, BooleanSupplier stop, TrainEvent.Listener listener) {
        Generator.Listener untilStopped = new Generator.Listener() {
            @Override
            public void text(int sample, String piece) {}

            @Override
            public boolean isCancelled() {
                return stop.getAsBoolean();
            }
        };
        for (String prompt : config.prompts().stream().skip(written).toList()) {
            if (stop.getAsBoolean()) {
                return false;
            }
            Generation generation = generator.generate(prompt, settings, untilStopped);
            Generation.Completion completion = generation.completions().getFirst();
            if (completion.finishReason() == FinishReason.CANCELLED) {
                return false;
            }
            listener.on(new TrainEvent.Sample(step, prompt, completion.text()));
        }
        return true;
    }
}
