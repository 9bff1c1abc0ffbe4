package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuException;
import org.quern.kernels.check.CheckDevice;
import org.quern.kernels.cuda.AdamW.Settings;
import org.quern.kernels.cuda.AdamW.Tensors;
import org.quern.kernels.cuda.AdamW.Weights;

/// Sizes and buffers that kernels cannot take: each message names the kernel, the limit and the value.
class RefusalTest {
    private static void refuses(String message, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(GpuException.class).hasMessage(message);
    }

    @Test
    void refusesSizesOfZeroAndBuffersThatAreTooSmall() {
        onDevice(device -> {
            KernelLibrary library = device.library();
            DeviceMemory memory = device.output(64);
            refuses(
                    "rope: rows must be from 1 to 2,147,483,647: got 0",
                    () -> Rope.of(library, memory, memory, memory, memory, false, memory, false, 0, 1, 1, 2, 1));
            refuses(
                    "rope: headDim must be even: got 3",
                    () -> Rope.of(library, memory, memory, memory, memory, false, memory, false, 1, 1, 1, 3, 1));
            refuses(
                    "gelu: a tensor must have at least 1 element: got 0",
                    () -> Activation.forward(library, Activation.Function.GELU, memory, memory, 0));
            refuses("swiglu: gateUp needs 132 bytes: got 64", () -> SwiGlu.forward(library, memory, memory, 1, 33));
            refuses(
                    "RMS norm: rstd needs 20 bytes: got 16",
                    () -> RmsNorm.forward(library, memory, memory, memory, memory.slice(0, 16), 5, 1, 1e-5));
            refuses(
                    "column sum: workspace needs 4 bytes: got 0",
                    () -> ColumnSum.of(library, memory, memory, false, memory.slice(0, 0), 1, 1));
            refuses(
                    "cross-entropy: a row of 4 elements cannot hold a vocabulary of 5",
                    () -> CrossEntropy.forward(library, memory, memory, memory, memory, 1, 5, 4));
            refuses(
                    "clip factor: needs at least 1 sum of squares: got none",
                    () -> ClipFactor.of(library, List.of(), memory, 1));
        });
    }

    @Test
    void refusesSizesThatNoMemoryHolds() {
        onDevice(device -> {
            KernelLibrary library = device.library();
            DeviceMemory memory = device.output(64);
            int most = Integer.MAX_VALUE;
            refuses(
                    "swiglu: gateUp would need more than 9,223,372,036,854,775,807 bytes",
                    () -> SwiGlu.forward(library, memory, memory, most, most));
            refuses(
                    "rope: heads + 2 keyValueHeads must be from 1 to 2,147,483,647: got 2,147,483,649",
                    () -> Rope.of(library, memory, memory, memory, memory, false, memory, false, 1, most, 1, 2, 1));
            refuses(
                    "matmul nn 2147483647x1x2147483647: A needs 9,223,372,028,264,841,218 bytes: got 64",
                    () -> new MatMul(
                            library,
                            new MatMulPlan(MatMulPlan.Tile.SMALL, 1),
                            new Gemm(
                                    new MatMul.Shape(most, 1, most, false, false),
                                    new MatMul.Matrix(memory, most),
                                    new MatMul.Matrix(memory, 1),
                                    new MatMul.Matrix(memory, 1),
                                    new MatMul.Epilogue.StoreBf16(null, null)),
                            memory));
            refuses(
                    "matmul nn 2147483647x2147483647x1: C would need more than 9,223,372,036,854,775,807 bytes",
                    () -> new MatMul(
                            library,
                            new MatMulPlan(MatMulPlan.Tile.SMALL, 1),
                            new Gemm(
                                    new MatMul.Shape(most, most, 1, false, false),
                                    new MatMul.Matrix(new DeviceMemory(256, Long.MAX_VALUE), 1),
                                    new MatMul.Matrix(new DeviceMemory(256, Long.MAX_VALUE), most),
                                    new MatMul.Matrix(memory, most),
                                    new MatMul.Epilogue.StoreF32(null)),
                            memory));
        });
    }

    @Test
    void refusesBuffersOffTheirElements() {
        onDevice(device -> {
            DeviceMemory memory = device.output(64);
            DeviceMemory odd = memory.slice(1, 62);
            refuses(
                    "embedding: table must be aligned to 2 bytes: got address 0x%x".formatted(odd.address()),
                    () -> Embedding.forward(device.library(), memory, odd, memory, 1, 1, 1));
        });
    }

    @Test
    void refusesToRoundWithoutASeed() {
        onDevice(device -> {
            DeviceMemory memory = device.output(64);
            Tensors tensors =
                    new Tensors(Weights.BF16, memory, null, ElementType.F32, memory, ElementType.F32, memory, memory);
            refuses(
                    "adamw: bf16 weights or moments need a seed to be rounded by: got none",
                    () -> AdamW.of(
                            device.library(), tensors, memory, memory, new Settings(0.9, 0.95, 1e-8, 0), null, 4));
        });
    }

    @Test
    void stopsAtIdsOutsideTheTable() {
        onDevice(device -> {
            DeviceMemory ids = device.i32(new int[] {2});
            DeviceMemory table = device.bf16(new float[2]);
            DeviceMemory out = device.outputBf16(1);
            assertThatThrownBy(() -> device.run(Embedding.forward(device.library(), ids, table, out, 1, 2, 1)))
                    .isInstanceOf(GpuException.class)
                    .hasMessageContaining("trap");
        });
    }

    private static void onDevice(Consumer<CheckDevice> body) {
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels library = LoadedKernels.asText(gpu);
                CheckDevice device = new CheckDevice(gpu, library, 1, false)) {
            body.accept(device);
        }
    }
}
