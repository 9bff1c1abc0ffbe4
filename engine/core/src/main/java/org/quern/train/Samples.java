package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.util.function.BooleanSupplier;
import org.quern.config.RunConfig;
import org.quern.executor.Executor;
import org.quern.generate.GraphDecoder;
import org.quern.generate.Sampler;
import org.quern.model.Model;
import org.quern.tokenizer.TextStream;
import org.quern.tokenizer.Tokenizer;

/// The texts that a model writes during training, with the weights of the moment.
final class Samples implements Trainer.SampleWriter {
    private final RunConfig.Sample config;
    private final Tokenizer tokenizer;
    private final GraphDecoder decoder;
    private final Sampler sampler;

    Samples(RunConfig.Sample config, long seed, Executor executor, Model model, Tokenizer tokenizer) {
        this.config = config;
        this.tokenizer = tokenizer;
        decoder = new GraphDecoder(executor, model, 1, model.config().maxPositionEmbeddings());
        sampler = new Sampler(
                new Sampler.Settings(
                        config.temperature(),
                        config.topK().orElse(0),
                        config.topP().orElse(1.0),
                        config.minP().orElse(0.0),
                        seed),
                model.config().vocabSize());
    }

    @Override
    public void write(long step, BooleanSupplier stop, TrainEvent.Listener listener) {
        for (String prompt : config.prompts()) {
            int[] ids = tokenizer.encodePrompt(prompt);
            TextStream text = tokenizer.textStream();
            StringBuilder written = new StringBuilder();
            MemorySegment logits = decoder.prefill(ids);
            for (int i = 0; i < config.maxTokens() && !stop.getAsBoolean(); i++) {
                int next = sampler.sample(logits, 0, ids.length + i);
                written.append(text.next(next));
                logits = decoder.decode(new int[] {next});
            }
            listener.on(new TrainEvent.Sample(step, prompt, written + text.end()));
        }
    }
}
