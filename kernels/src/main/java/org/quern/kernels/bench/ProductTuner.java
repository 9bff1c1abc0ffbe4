package org.quern.kernels.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;

/// Finds by which plan a product is fastest: those that are right are timed shortly, and the best of them for
/// longer. And which form of attention's gradient is.
public final class ProductTuner implements AutoCloseable {
    /// Part of the time of a plan in which all are compared.
    private static final double FIRST_PART = 0.2;

    private static final int FINALISTS = 3;
    /// Rows of C that are looked at, at its start, in its middle and at its end.
    private static final int ROWS = 128;

    private static final double BF16_ULP = 1.0 / 128;
    /// What another order of sums makes of numbers near 1 whose terms are.
    static final double ROUNDING = 2e-3;
    /// What the bits that tensor cores cut off of sums of floats of 8 bits make of them, for each root of
    /// their terms.
    private static final double SHORT_SUMS = 0x1p-11;

    private final KernelDevice device;
    private final Stopwatch stopwatch;
    private final double seconds;

    /// Times kernels.
    @FunctionalInterface
    public interface Stopwatch extends AutoCloseable {
        /// @param seconds to spend on it
        Timing time(Setup setup, double seconds);

        @Override
        default void close() {}
    }

    /// A plan that was timed.
    public record Tried(ProductPlan plan, Timing timing) {}

    /// What was found of a product.
    ///
    /// @param tried the plans that gave the right result, the fastest first; the finalists were timed for longer
    /// @param refusals why others were not timed, by their tile and splits
    public record Tuned(Product product, List<Tried> tried, Map<String, String> refusals) {}

    /// What was found of the gradient of an attention.
    ///
    /// @param times of the forms that gave the right result
    /// @param refusals why others were not timed
    public record TunedGradient(Map<Gradient, Timing> times, Map<Gradient, String> refusals) {}

    /// @param seconds for a plan that is among the fastest
    public ProductTuner(KernelDevice device, double seconds) {
        this(device, seconds, new LaunchTimer(device));
    }

    /// With another clock.
    public ProductTuner(KernelDevice device, double seconds, Stopwatch stopwatch) {
        this.device = device;
        this.seconds = seconds;
        this.stopwatch = stopwatch;
    }

    /// Plans in floats of 8 bits are tried on numbers that such floats hold, so that plain kernels give the same.
    ///
    /// @param plans all in such floats, or none
    /// @throws GpuException if the device stopped working
    public Tuned tune(Product product, List<? extends ProductPlan> plans) {
        boolean inBytes = plans.getFirst() instanceof Fp8MatMul.Plan;
        double rounding =
                inBytes ? ROUNDING + SHORT_SUMS * Math.sqrt(product.shape().k()) : ROUNDING;
        float[] expected = result(product, reference(product), inBytes);
        List<Tried> tried = new ArrayList<>();
        Map<String, String> refusals = new LinkedHashMap<>();
        for (ProductPlan plan : plans) {
            String name = "%s, k in %d".formatted(plan.tile().name(), plan.splits());
            try {
                String difference = difference(product.shape().n(), rounding, expected, result(product, plan, inBytes));
                if (difference == null) {
                    tried.add(new Tried(plan, stopwatch.time(product.by(plan), FIRST_PART * seconds)));
                } else {
                    refusals.put(name, difference);
                }
            } catch (GpuException e) {
                refusals.put(name, e.getMessage());
                device.gpu().synchronize(); // fails if the device does not work any more
            }
        }
        tried.sort(Comparator.comparingDouble(one -> one.timing().median()));
        List<Tried> finalists = tried.subList(0, Math.min(FINALISTS, tried.size()));
        finalists.replaceAll(one -> new Tried(one.plan(), stopwatch.time(product.by(one.plan()), seconds)));
        finalists.sort(Comparator.comparingDouble(one -> one.timing().median()));
        return new Tuned(product, List.copyOf(tried), refusals);
    }

    /// Times forms of the gradient of an attention whose result is that of the plain kernels.
    ///
    /// @throws GpuException if the device stopped working
    public TunedGradient tune(AttentionTraining training, List<Gradient> forms) {
        Attention.Shape shape = training.shape();
        GradientResult expected =
                GradientResult.of(device, shape, Attention.Backward.workspaceBytes(shape), Attention.Backward::new);
        Map<Gradient, Timing> times = new EnumMap<>(Gradient.class);
        Map<Gradient, String> refusals = new EnumMap<>(Gradient.class);
        for (Gradient form : forms) {
            try {
                long workspaceBytes = form.workspaceBytes(device.library().device(), shape);
                String difference = expected.difference(GradientResult.of(device, shape, workspaceBytes, form::bind));
                if (difference == null) {
                    times.put(form, stopwatch.time(AttentionBenchmarks.gradient(form, shape), seconds));
                } else {
                    refusals.put(form, difference);
                }
            } catch (GpuException e) {
                refusals.put(form, e.getMessage());
                device.gpu().synchronize(); // fails if the device does not work any more
            }
        }
        return new TunedGradient(times, refusals);
    }

    /// The kernels that every device has, and whose cases `quern kernels check` proves.
    private MatMulPlan reference(Product product) {
        return MatMulPlan.candidates(device.library().device(), product.shape()).getFirst();
    }

    /// Some rows of C after one launch; from the same numbers whatever the plan.
    private float[] result(Product product, ProductPlan plan, boolean inBytes) {
        try (DeviceArena arena = device.gpu().arena();
                GpuStream stream = device.gpu().stream();
                Arena host = Arena.ofConfined()) {
            BenchmarkMemory memory = new BenchmarkMemory(arena, stream, 1);
            if (inBytes) {
                memory.coarse();
            }
            Gemm gemm = product.gemm(memory);
            product.bind(plan, device.library(), memory, gemm).launch(stream);
            boolean isFloat = gemm.epilogue() instanceof Epilogue.StoreF32;
            Matrix c = gemm.c();
            int m = product.shape().m();
            int rows = Math.min(ROWS, m);
            int elementBytes = isFloat ? Float.BYTES : Short.BYTES;
            long part = (long) rows * c.stride();
            MemorySegment copy = host.allocate(3 * part * elementBytes, Long.BYTES);
            int[] firsts = {0, (m - rows) / 2, m - rows};
            for (int i = 0; i < firsts.length; i++) {
                stream.copyToHost(
                        c.memory().slice((long) firsts[i] * c.stride() * elementBytes, part * elementBytes),
                        copy.asSlice(i * part * elementBytes, part * elementBytes));
            }
            stream.synchronize();
            float[] values = new float[Math.toIntExact(3 * part)];
            for (int i = 0; i < values.length; i++) {
                values[i] = isFloat
                        ? copy.getAtIndex(ValueLayout.JAVA_FLOAT, i)
                        : Bf16.value(copy.getAtIndex(ValueLayout.JAVA_SHORT, i));
            }
            return values;
        }
    }

    /// In what a result differs by more than roundings; null if it does not.
    static String difference(int columns, double rounding, float[] expected, float[] actual) {
        for (int i = 0; i < expected.length; i++) {
            double most = rounding + BF16_ULP * Math.abs(expected[i]);
            if (!(Math.abs(actual[i] - expected[i]) <= most)) {
                return "gives %s instead of %s in column %d".formatted(actual[i], expected[i], i % columns);
            }
        }
        return null;
    }

    @Override
    public void close() {
        stopwatch.close();
    }
}
