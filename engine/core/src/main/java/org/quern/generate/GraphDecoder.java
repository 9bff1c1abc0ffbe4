package org.quern.generate;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import org.quern.executor.Executor;
import org.quern.executor.KernelProvider;
import org.quern.executor.Program;
import org.quern.executor.ProgramMemory;
import org.quern.executor.TensorStore;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Graph;
import org.quern.graph.MixedPrecision;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;

/// A decoder on an executor's tensors: it shares the parameters with every other program of that executor, and
/// always sees the newest ones.
///
/// A prompt is read in pieces of `CHUNK` tokens. The last piece is filled up with tokens that nobody sees: what
/// they leave in the cache is replaced by the token that takes their place before any token looks there.
public final class GraphDecoder implements Decoder {
    private static final int CHUNK = 64;

    private final TensorStore tensors;
    private final Program chunk;
    private final Program one;
    private final int batch;
    private final int contextLength;
    private final int vocabSize;
    private int length;

    /// @param contextLength the longest context, at most what the model's positions allow
    public GraphDecoder(Executor executor, Model model, int batch, int contextLength) {
        if (contextLength > model.config().maxPositionEmbeddings()) {
            throw new IllegalArgumentException("the context must be at most %d: got %d"
                    .formatted(model.config().maxPositionEmbeddings(), contextLength));
        }
        this.batch = batch;
        this.contextLength = contextLength;
        vocabSize = model.config().vocabSize();
        List<Program> programs = graphs(model, batch, contextLength).stream()
                .map(executor::prepare)
                .toList();
        chunk = programs.get(0);
        one = programs.get(1);
        tensors = executor.tensors();
    }

    private static Graph graph(Model model, int batch, int length, int contextLength) {
        return ModelGraphs.decoding(model, batch, length, Math.ceilDiv(contextLength, CHUNK) * CHUNK);
    }

    /// The graphs that a decoder prepares: of a piece of a prompt, and of one token.
    public static List<Graph> graphs(Model model, int batch, int contextLength) {
        return List.of(graph(model, batch, CHUNK, contextLength), graph(model, batch, 1, contextLength));
    }

    /// Bytes of memory that a decoder takes, with the model's parameters.
    ///
    /// @param gpu the device, or empty for the CPU
    public static long bytes(Optional<DeviceProperties> gpu, Model model, int batch, int contextLength) {
        ProgramMemory memory = new ProgramMemory(gpu, KernelProvider.PTX);
        for (Graph graph : graphs(model, batch, contextLength)) {
            memory.add(gpu.isPresent() ? MixedPrecision.lower(graph) : graph);
        }
        return memory.stateBytes()
                + memory.workingCopyBytes()
                + memory.arenaBytes()
                + memory.scratchBytes()
                + memory.tableBytes();
    }

    @Override
    public int batch() {
        return batch;
    }

    @Override
    public int contextLength() {
        return contextLength;
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public MemorySegment prefill(int[] tokens) {
        if (tokens.length < 1 || tokens.length > contextLength) {
            throw new IllegalArgumentException(
                    "a prompt has 1 to %d tokens: got %d".formatted(contextLength, tokens.length));
        }
        length = 0;
        int[] piece = new int[batch * CHUNK];
        while (length < tokens.length) {
            int count = Math.min(CHUNK, tokens.length - length);
            for (int sequence = 0; sequence < batch; sequence++) {
                System.arraycopy(tokens, length, piece, sequence * CHUNK, count);
            }
            run(chunk, CHUNK, piece, count);
        }
        return logits();
    }

    @Override
    public MemorySegment decode(int[] tokens) {
        if (tokens.length != batch) {
            throw new IllegalArgumentException(
                    "one token for each of %d sequences: got %d".formatted(batch, tokens.length));
        }
        if (length == contextLength) {
            throw new IllegalStateException("the context of %d tokens is full".formatted(contextLength));
        }
        run(one, 1, tokens, 1);
        return logits();
    }

    /// Reads `count` tokens of each sequence; a piece has `size` tokens of each.
    private void run(Program program, int size, int[] piece, int count) {
        String tokens = ModelGraphs.decodeTokens(size);
        String positions = ModelGraphs.decodePositions(size);
        int lastPosition = Math.min(contextLength, length + size) - 1;
        MemorySegment ids = tensors.host(tokens);
        MemorySegment places = tensors.host(positions);
        for (int i = 0; i < batch * size; i++) {
            ids.setAtIndex(ValueLayout.JAVA_INT, i, piece[i]);
            places.setAtIndex(ValueLayout.JAVA_INT, i, Math.min(length + i % size, lastPosition));
        }
        MemorySegment last = tensors.host(ModelGraphs.DECODE_LAST);
        for (int sequence = 0; sequence < batch; sequence++) {
            last.setAtIndex(ValueLayout.JAVA_INT, sequence, sequence * size + count - 1);
        }
        tensors.host(ModelGraphs.DECODE_START).set(ValueLayout.JAVA_INT, 0, length);
        tensors.push(tokens);
        tensors.push(positions);
        tensors.push(ModelGraphs.DECODE_LAST);
        tensors.push(ModelGraphs.DECODE_START);
        program.run();
        length += count;
    }

    private MemorySegment logits() {
        tensors.pull(ModelGraphs.DECODE_LOGITS);
        return tensors.host(ModelGraphs.DECODE_LOGITS);
    }

    @Override
    public void close() {
        // The tensors belong to the executor.
    }
}
