package org.quern.kernels.cuda;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.GpuModule;
import org.quern.gpu.ModuleImage;
import org.quern.ptx.Assembler;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Kernels expanded from their templates, assembled for the device and loaded, each when it is first asked for.
/// Threads may share it.
public final class LoadedKernels implements KernelLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(LoadedKernels.class);
    private static final byte[] NOT_ASSEMBLED = {};

    private final Gpu gpu;
    private final Optional<CubinCache> cache;
    private final Map<KernelVariant, GpuModule> modules = new ConcurrentHashMap<>();
    private final Map<Entry, GpuFunction> functions = new ConcurrentHashMap<>();

    private record Entry(KernelVariant variant, String name) {}

    private LoadedKernels(Gpu gpu, Optional<CubinCache> cache) {
        this.gpu = gpu;
        this.cache = cache;
    }

    /// Kernels for a real GPU.
    public static LoadedKernels assembled(Gpu gpu, CubinCache cache) {
        return new LoadedKernels(gpu, Optional.of(cache));
    }

    /// Kernels for a GPU that runs the text itself: the emulated one.
    public static LoadedKernels asText(Gpu gpu) {
        return new LoadedKernels(gpu, Optional.empty());
    }

    @Override
    public DeviceProperties device() {
        return gpu.properties();
    }

    @Override
    public GpuFunction function(KernelVariant variant, String entry) {
        return functions.computeIfAbsent(
                new Entry(variant, entry),
                key -> modules.computeIfAbsent(variant, this::load).function(entry));
    }

    private GpuModule load(KernelVariant variant) {
        String architecture = architecture(variant, gpu.properties());
        String ptx = PtxTemplate.expand(variant);
        byte[] cubin = cache.map(cubins -> assemble(variant, ptx, architecture, cubins))
                .orElse(NOT_ASSEMBLED);
        return gpu.load(new ModuleImage(variant.name(), ptx, cubin));
    }

    private static byte[] assemble(KernelVariant variant, String ptx, String architecture, CubinCache cache) {
        Assembler.Choice choice = Assembler.choose(ptx, architecture);
        LOG.debug(
                "{} for {}: {}, because {}",
                variant.name(),
                architecture,
                choice.assembler().map(Assembler::name).orElse("the driver"),
                choice.reason());
        return choice.assembler()
                .map(assembler -> cache.assemble(variant.name(), ptx, architecture, assembler)
                        .cubin())
                .orElse(NOT_ASSEMBLED);
    }

    /// What to assemble for: the device's own architecture, or the one whose special instructions the kernel uses.
    ///
    /// @throws GpuException if the device cannot run the kernel
    static String architecture(KernelVariant variant, DeviceProperties device) {
        Architecture needed = Architecture.of(variant);
        if (!runs(variant, device)) {
            throw new GpuException("%s needs compute capability %d.%d%s: %s has %d.%d"
                    .formatted(
                            variant.name(),
                            needed.number / 10,
                            needed.number % 10,
                            needed.special ? " and no other" : " or more",
                            device.name(),
                            device.major(),
                            device.minor()));
        }
        return needed.special ? variant.architecture() : device.architecture();
    }

    /// Whether a device has what a kernel needs.
    public static boolean runs(KernelVariant variant, DeviceProperties device) {
        Architecture needed = Architecture.of(variant);
        int has = 10 * device.major() + device.minor();
        return needed.special ? has == needed.number : has >= needed.number;
    }

    /// @param number 10 major + minor
    /// @param special whether it ends with an `a`: its code runs nowhere else
    private record Architecture(int number, boolean special) {
        private static final Pattern NAME = Pattern.compile("sm_(\\d+)(a?)");

        static Architecture of(KernelVariant variant) {
            Matcher matcher = NAME.matcher(variant.architecture());
            if (!matcher.matches()) {
                throw new GpuException(
                        "%s: a kernel's file is called NAME.sm_80, by the least architecture that runs it"
                                .formatted(variant.name()));
            }
            return new Architecture(
                    Integer.parseInt(matcher.group(1)), !matcher.group(2).isEmpty());
        }
    }

    @Override
    public void close() {
        functions.clear();
        modules.values().forEach(GpuModule::close);
        modules.clear();
    }
}
