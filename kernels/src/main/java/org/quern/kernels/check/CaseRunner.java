package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.quern.gpu.GpuException;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.CheckDevice.Result;
import org.quern.kernels.cuda.KernelDevice;

/// Runs one case after the other on a device, which it opens when it is needed, until the device stops working: after a
/// fault, the driver refuses this process everything.
final class CaseRunner implements AutoCloseable {
    private final Supplier<KernelDevice> opener;
    private final long seed;
    private final boolean hardware;
    private KernelDevice device;
    private String gone = "";

    /// @param hardware whether outputs are poisoned and cases run twice, as hardware checks neither reads of
    ///     undefined memory nor races itself
    CaseRunner(Supplier<KernelDevice> opener, long seed, boolean hardware) {
        this.opener = opener;
        this.seed = seed;
        this.hardware = hardware;
    }

    /// Runs a case; whatever goes wrong is in the result.
    CaseRun run(KernelCase kernelCase) {
        if (device == null && gone.isEmpty()) {
            open();
        }
        if (!gone.isEmpty()) {
            return CaseRun.leftOut(gone);
        }
        List<Result> results = new ArrayList<>();
        long start = System.nanoTime();
        Status status = Status.OK;
        String message = "";
        try {
            run(kernelCase, results);
            if (hardware) {
                List<Result> again = new ArrayList<>();
                run(kernelCase, again);
                requireSame(results, again);
            }
        } catch (RuntimeException | LinkageError | AssertionError | OutOfMemoryError e) {
            status = Status.FAILED;
            message = message(e);
            if (!works()) {
                status = Status.FAULT;
                message = "the device stopped working: " + message;
                gone = "the device stopped working in " + kernelCase.name();
            }
        }
        return new CaseRun(status, results, (System.nanoTime() - start) / 1e9, message);
    }

    private void run(KernelCase kernelCase, List<Result> results) {
        try (CheckDevice check = new CheckDevice(device.gpu(), device.library(), seed, hardware)) {
            try {
                kernelCase.body().run(check);
            } finally {
                results.addAll(check.results());
            }
        }
    }

    private static void requireSame(List<Result> first, List<Result> second) {
        for (int i = 0; i < first.size(); i++) {
            if (!Arrays.equals(first.get(i).values(), second.get(i).values())) {
                throw new Mismatch("%s: two runs on the same inputs gave different bits, which is how a race looks"
                        .formatted(first.get(i).what()));
            }
        }
    }

    private void open() {
        try {
            device = opener.get();
        } catch (GpuException e) {
            gone = "the device cannot be opened: " + e.getMessage();
        }
    }

    /// After a fault, each call of the driver fails with it.
    private boolean works() {
        try {
            device.gpu().synchronize();
            return true;
        } catch (GpuException _) {
            return false;
        }
    }

    private static String message(Throwable e) {
        return e instanceof Mismatch || e instanceof GpuException ? e.getMessage() : e.toString();
    }

    @Override
    public void close() {
        // A broken device frees nothing any more; what it has goes with the process.
        if (device != null && works()) {
            device.close();
        }
    }
}
