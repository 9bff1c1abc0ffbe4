package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.quern.ptx.emulator.TensorMaps;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxParser;

/// Kernels loaded on an [EmulatedGpu], from their text.
final class EmulatedModule extends Owned<EmulatedGpu> implements GpuModule {
    private final String name;
    private final PtxModule ptx;

    /// A kernel of a module.
    record Function(PtxModule module, Entry entry, List<Integer> parameterBytes, int maxSharedBytes)
            implements GpuFunction {
        @Override
        public String name() {
            return entry.name();
        }

        @Override
        public MemorySegment encode(TensorMap map) {
            MemorySegment bytes = Arena.ofAuto().allocate(TensorMap.BYTES, TensorMap.BYTES);
            TensorMaps.encode(map, bytes);
            return bytes;
        }
    }

    private EmulatedModule(EmulatedGpu gpu, String name, PtxModule ptx) {
        super(gpu);
        this.name = name;
        this.ptx = ptx;
    }

    static EmulatedModule load(EmulatedGpu gpu, ModuleImage image) {
        try {
            PtxModule ptx = PtxParser.parse(image.ptx());
            synchronized (gpu) {
                gpu.emulator().load(ptx);
            }
            return new EmulatedModule(gpu, image.name(), ptx);
        } catch (GpuException e) {
            throw new GpuException(image.name() + ": " + e.getMessage(), e);
        }
    }

    @Override
    public GpuFunction function(String entry) {
        use();
        Entry found = ptx.entries().stream()
                .filter(candidate -> candidate.name().equals(entry))
                .findFirst()
                .orElseThrow(() -> new GpuException("%s has no entry %s: it has %s"
                        .formatted(
                                name,
                                entry,
                                ptx.entries().stream().map(Entry::name).toList())));
        synchronized (gpu) {
            return new Function(
                    ptx,
                    found,
                    found.parameters().stream().map(PtxModule.Parameter::bytes).toList(),
                    gpu.properties().sharedBytesPerBlock() - gpu.emulator().staticSharedBytes(ptx, found));
        }
    }

    @Override
    String describe() {
        return "the module " + name;
    }

    @Override
    void free() {
        synchronized (gpu) {
            gpu.finish();
            gpu.emulator().unload(ptx);
        }
    }
}
