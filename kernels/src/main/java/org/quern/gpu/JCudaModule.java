package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import java.nio.charset.StandardCharsets;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxParser;

/// Kernels loaded on one [JCudaGpu].
final class JCudaModule extends Owned<JCudaGpu> implements GpuModule {
    private static final int LOG_BYTES = 8192;

    private final String name;
    private final CUmodule handle;
    private final PtxModule ptx;

    private JCudaModule(JCudaGpu gpu, String name, CUmodule handle, PtxModule ptx) {
        super(gpu);
        this.name = name;
        this.handle = handle;
        this.ptx = ptx;
    }

    /// The context is current.
    static JCudaModule load(JCudaGpu gpu, ModuleImage image) {
        PtxModule ptx = PtxParser.parse(image.ptx());
        boolean assembled = image.cubin().length > 0;
        CUmodule handle = new CUmodule();
        byte[] log = new byte[LOG_BYTES];
        int status =
                assembled ? JCudaDriver.cuModuleLoadData(handle, image.cubin()) : assemble(handle, image.ptx(), log);
        if (status == CUresult.CUDA_SUCCESS) {
            return new JCudaModule(gpu, image.name(), handle, ptx);
        }
        DeviceProperties device = gpu.properties();
        String how = assembled ? "assembled beforehand" : "assembled by the driver from PTX " + ptx.version();
        String said = new String(log, StandardCharsets.US_ASCII)
                .replaceFirst("\0(?s:.*)", "")
                .strip();
        String more = !said.isEmpty()
                ? "\n" + said
                : status == CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION
                                || status == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
                        ? ". A newer driver may know it."
                        : "";
        throw new GpuException("%s, %s, cannot be loaded on %s, %s, with a driver for CUDA %s: %s%s"
                .formatted(
                        image.name(),
                        how,
                        gpu,
                        device.architecture(),
                        CudaDriver.versionName(device.driverVersion()),
                        CudaStatus.describe(status),
                        more));
    }

    private static int assemble(CUmodule handle, String ptx, byte[] log) {
        JITOptions options = new JITOptions();
        options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, log);
        options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES - 1);
        byte[] text = (ptx + '\0').getBytes(StandardCharsets.US_ASCII);
        return JCudaDriver.cuModuleLoadDataJIT(handle, Pointer.to(text), options);
    }

    @Override
    public GpuFunction function(String entry) {
        use();
        List<Integer> parameters = ptx.entries().stream()
                .filter(candidate -> candidate.name().equals(entry))
                .findFirst()
                .orElseThrow(() -> new GpuException("%s has no entry %s: it has %s"
                        .formatted(
                                name,
                                entry,
                                ptx.entries().stream()
                                        .map(PtxModule.Entry::name)
                                        .toList())))
                .parameters()
                .stream()
                .map(PtxModule.Parameter::bytes)
                .toList();
        JCudaFunction.Handle function = new JCudaFunction.Handle();
        check(JCudaDriver.cuModuleGetFunction(function, handle, entry), "cuModuleGetFunction of " + entry);
        int[] statically = new int[1];
        check(
                JCudaDriver.cuFuncGetAttribute(
                        statically, CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function),
                "cuFuncGetAttribute of " + entry);
        // What a block may have without asking is 48 KB, so ask for all that the device has.
        int shared = gpu.properties().sharedBytesPerBlock() - statically[0];
        check(
                JCudaDriver.cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared),
                "cuFuncSetAttribute of %s, %,d bytes of shared memory,".formatted(entry, shared));
        return new JCudaFunction(entry, function.address(), parameters, shared);
    }

    @Override
    String describe() {
        return "the module " + name;
    }

    @Override
    void free() {
        check(JCudaDriver.cuModuleUnload(handle), "cuModuleUnload of " + name);
    }
}
