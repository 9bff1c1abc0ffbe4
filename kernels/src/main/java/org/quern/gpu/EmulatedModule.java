package org.quern.gpu;

import java.util.List;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxParser;

/// Kernels loaded on an [EmulatedGpu], from their text.
final class EmulatedModule extends EmulatedGpu.Item implements GpuModule {
    private final String name;
    private final PtxModule ptx;

    /// A kernel of a module.
    record Function(PtxModule module, Entry entry, List<Integer> parameterBytes, int maxSharedBytes)
            implements GpuFunction {
        @Override
        public String name() {
            return entry.name();
        }
    }

    EmulatedModule(EmulatedGpu gpu, ModuleImage image) {
        super(gpu);
        name = image.name();
        try {
            ptx = PtxParser.parse(image.ptx());
            synchronized (gpu) {
                gpu.emulator().load(ptx);
            }
        } catch (GpuException e) {
            close();
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
        if (ptx != null) {
            gpu.finish();
            gpu.emulator().unload(ptx);
        }
    }
}
