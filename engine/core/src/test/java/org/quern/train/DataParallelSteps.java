package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.quern.checkpoint.NamedTensor;
import org.quern.collective.Communicator;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.executor.Executor;
import org.quern.graph.Recompute;
import org.quern.interop.ModelWeights;
import org.quern.model.Initialization;
import org.quern.model.Model;

/// Three steps by hand, of one worker and of several that are threads of this process.
final class DataParallelSteps {
    private static final int LENGTH = 13;

    private final Path folder;
    private final RunConfig config;

    DataParallelSteps(Path folder, String... overrides) {
        this.folder = folder;
        config = new TinyRun(folder).config(overrides);
    }

    /// A device, and how workers that have one exchange gradients.
    interface Device {
        Executor executor();

        Communicator gradients(Communicator host);
    }

    /// Asserts that all of several workers have the weights that one alone would have, to the last bit.
    void assertSameWeights(int world, Sharing sharing, Supplier<Executor> executors) throws Exception {
        assertSameWeightsOn(world, sharing, () -> {
            Executor made = executors.get();
            return new Device() {
                @Override
                public Executor executor() {
                    return made;
                }

                @Override
                public Communicator gradients(Communicator host) {
                    return host;
                }
            };
        });
    }

    void assertSameWeightsOn(int world, Sharing sharing, Supplier<Device> devices) throws Exception {
        List<NamedTensor> expected = weights(devices.get().executor(), sharing, Workers.alone());
        LocalGroup group = new LocalGroup(world);
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            List<Future<List<NamedTensor>>> workers = IntStream.range(0, world)
                    .mapToObj(group::of)
                    .map(member -> threads.submit(() -> {
                        Device device = devices.get();
                        try (Workers mine =
                                new Workers(member, device.gradients(member), member, world, Optional.empty())) {
                            return weights(device.executor(), sharing, mine);
                        }
                    }))
                    .toList();
            for (Future<List<NamedTensor>> worker : workers) {
                List<NamedTensor> weights = worker.get();
                for (int i = 0; i < weights.size(); i++) {
                    assertThat(weights.get(i).data().mismatch(expected.get(i).data()))
                            .as(weights.get(i).name())
                            .isEqualTo(-1);
                }
            }
        }
    }

    private List<NamedTensor> weights(Executor device, Sharing sharing, Workers workers) {
        Model model = Model.of(config.modelConfig(61));
        TokenShards shards = TokenizedCorpus.openLlmc(List.of(folder.resolve("train.bin")), List.of(), 61, 0)
                .train();
        SampleOrder order = SampleOrder.shuffled(Batches.samples(shards, LENGTH), 3);
        Batches batches = new Batches(shards, order, LENGTH, true);
        try (Executor executor = device;
                TrainingStep step = new TrainingStep(
                        executor, model, config.optimizerSettings(), sharing, LENGTH, Recompute.NONE, workers)) {
            for (int i = 0; i < model.parameters().size(); i++) {
                String name = model.parameters().get(i).name();
                Initialization.fill(model.parameters(), i, 3, executor.tensors().host(name));
                executor.tensors().push(name);
            }
            for (int s = 0; s < 3; s++) {
                step.gradient(batches, (long) sharing.globalBatch() * s);
                step.gradNorm();
                step.update(s, 1);
            }
            model.parameters().forEach(parameter -> executor.tensors().pull(parameter.name()));
            return ModelWeights.views(model.parameters(), executor.tensors()::host).stream()
                    .map(tensor -> new NamedTensor(
                            tensor.name(),
                            tensor.dtype(),
                            tensor.shape(),
                            Arena.ofAuto()
                                    .allocate(tensor.data().byteSize(), Float.BYTES)
                                    .copyFrom(tensor.data())))
                    .toList();
        }
    }
}
