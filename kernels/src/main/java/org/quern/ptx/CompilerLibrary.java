package org.quern.ptx;

import java.nio.charset.StandardCharsets;
import java.util.Set;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.quern.gpu.GpuException;
import org.quern.gpu.JCudaNatives;

/// NVIDIA's assembler as a library, linked into JCuda's: it needs neither a GPU nor a driver nor a toolkit.
final class CompilerLibrary implements Assembler {
    /// What version 12.0, which JCuda 12.6.0 contains, knows of those that Quern has kernels for.
    static final Set<String> ARCHITECTURES = Set.of("sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a");

    /// The newest language that it takes.
    static final String NEWEST_PTX = "8.0";

    private static CompilerLibrary instance;

    private final String name;

    private CompilerLibrary() {
        JCudaNatives.load("JNvPTXCompiler", JNvPTXCompiler.class);
        JNvPTXCompiler.setExceptionsEnabled(false);
        int[] major = new int[1];
        int[] minor = new int[1];
        check(JNvPTXCompiler.nvPTXCompilerGetVersion(major, minor), "nvPTXCompilerGetVersion");
        name = "nvPTXCompiler %d.%d".formatted(major[0], minor[0]);
    }

    /// Loaded on first use.
    ///
    /// @throws GpuException if this platform has none
    static synchronized CompilerLibrary get() {
        if (instance == null) {
            instance = new CompilerLibrary();
        }
        return instance;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Assembled assemble(String kernel, String ptx, String architecture) {
        byte[] text = ptx.getBytes(StandardCharsets.US_ASCII);
        nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
        check(JNvPTXCompiler.nvPTXCompilerCreate(handle, text.length, text), "nvPTXCompilerCreate");
        try {
            String[] options = {"--gpu-name=" + architecture, "--verbose"};
            int status = JNvPTXCompiler.nvPTXCompilerCompile(handle, options.length, options);
            if (status != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
                String log = log(
                        handle, JNvPTXCompiler::nvPTXCompilerGetErrorLogSize, JNvPTXCompiler::nvPTXCompilerGetErrorLog);
                throw AssemblerLog.failure(
                        kernel, architecture, name, log.isBlank() ? nvPTXCompileResult.stringFor(status) : log, ptx);
            }
            String log =
                    log(handle, JNvPTXCompiler::nvPTXCompilerGetInfoLogSize, JNvPTXCompiler::nvPTXCompilerGetInfoLog);
            long[] size = new long[1];
            check(
                    JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize(handle, size),
                    "nvPTXCompilerGetCompiledProgramSize");
            byte[] cubin = new byte[Math.toIntExact(size[0])];
            check(JNvPTXCompiler.nvPTXCompilerGetCompiledProgram(handle, cubin), "nvPTXCompilerGetCompiledProgram");
            return new Assembled(cubin, AssemblerLog.usage(kernel, architecture, name, log));
        } finally {
            JNvPTXCompiler.nvPTXCompilerDestroy(handle);
        }
    }

    private interface LogSize {
        int of(nvPTXCompilerHandle handle, long[] size);
    }

    private interface LogText {
        int of(nvPTXCompilerHandle handle, byte[] text);
    }

    private static String log(nvPTXCompilerHandle handle, LogSize logSize, LogText logText) {
        long[] size = new long[1];
        check(logSize.of(handle, size), "nvPTXCompilerGetLogSize");
        byte[] text = new byte[Math.toIntExact(size[0]) + 1]; // it ends with a zero that is not counted
        check(logText.of(handle, text), "nvPTXCompilerGetLog");
        return new String(text, 0, Math.toIntExact(size[0]), StandardCharsets.US_ASCII);
    }

    private static void check(int status, String call) {
        if (status != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
            throw new GpuException("%s failed: %s".formatted(call, nvPTXCompileResult.stringFor(status)));
        }
    }
}
