package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.quern.gpu.CudaStatus.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/// A stream of one [JCudaGpu].
final class JCudaStream extends Owned<JCudaGpu> implements GpuStream {
    private final Handle handle = new Handle();
    /// Where each argument of the launch in progress lies.
    private final MemorySegment parameters = Arena.ofAuto().allocate(JAVA_LONG, JCudaFunction.MOST_PARAMETERS);

    private final ProgrammaticCalls programmatic;
    /// Whether a kernel was queued last: only it can be overtaken, in a graph as well.
    private volatile boolean afterLaunch;

    /// Made when it is first used.
    private CuBlas.Handle blas;

    private static final class Handle extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    JCudaStream(JCudaGpu gpu) {
        super(gpu);
        check(JCudaDriver.cuStreamCreate(handle, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
        programmatic = new ProgrammaticCalls(handle.address());
    }

    long address() {
        return handle.address();
    }

    @Override
    public synchronized void launch(Launch launch) {
        boolean overtakes = launch.isProgrammatic() && afterLaunch;
        use();
        if (launch.isProgrammatic()) {
            gpu.properties().requireProgrammaticLaunches();
        }
        List<Integer> offsets = launch.offsets();
        long arguments = launch.arguments().address();
        for (int i = 0; i < offsets.size(); i++) {
            parameters.setAtIndex(JAVA_LONG, i, arguments + offsets.get(i));
        }
        long function = ((JCudaFunction) launch.function()).address();
        int status = overtakes
                ? programmatic.launch(function, launch, parameters.address())
                : DriverCalls.launch(
                        function,
                        launch.grid(),
                        launch.block(),
                        launch.sharedBytes(),
                        handle.address(),
                        parameters.address());
        Reference.reachabilityFence(launch);
        if (status != 0) {
            String call = overtakes ? ProgrammaticCalls.NAME : "cuLaunchKernel";
            throw CudaStatus.failure(status, call + " of " + describe(launch));
        }
        afterLaunch = true;
    }

    private static String describe(Launch launch) {
        return "%s, %s blocks of %s threads with %,d bytes of shared memory"
                .formatted(launch.function().name(), launch.grid(), launch.block(), launch.sharedBytes());
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceMemory target) {
        useOtherwise();
        requireNative(source);
        requireSame(source.byteSize(), target.bytes());
        int status = DriverCalls.copyToDevice(target.address(), source.address(), target.bytes(), handle.address());
        Reference.reachabilityFence(source);
        check(status, "cuMemcpyHtoDAsync");
    }

    @Override
    public void copyToHost(DeviceMemory source, MemorySegment target) {
        useOtherwise();
        requireNative(target);
        requireSame(source.bytes(), target.byteSize());
        int status = DriverCalls.copyToHost(target.address(), source.address(), source.bytes(), handle.address());
        Reference.reachabilityFence(target);
        check(status, "cuMemcpyDtoHAsync");
    }

    @Override
    public void copy(DeviceMemory source, DeviceMemory target) {
        useOtherwise();
        requireSame(source.bytes(), target.bytes());
        check(DriverCalls.copy(target.address(), source.address(), source.bytes(), handle.address()), "cuMemcpyAsync");
    }

    /// As [#use], for what is no launch.
    private void useOtherwise() {
        use();
        afterLaunch = false;
    }

    private static void requireNative(MemorySegment host) {
        if (!host.isNative()) {
            throw new GpuException("the device copies only from and to memory off the heap");
        }
    }

    private static void requireSame(long source, long target) {
        if (source != target) {
            throw new GpuException(
                    "a copy's source and target have the same size: got %,d and %,d bytes".formatted(source, target));
        }
    }

    @Override
    public void fill(DeviceMemory target, byte value) {
        useOtherwise();
        check(DriverCalls.fill(target.address(), value, target.bytes(), handle.address()), "cuMemsetD8Async");
    }

    @Override
    public void record(GpuEvent event) {
        useOtherwise();
        check(JCudaDriver.cuEventRecord(((JCudaEvent) event).handle(), handle), "cuEventRecord");
    }

    @Override
    public void await(GpuEvent event) {
        useOtherwise();
        check(JCudaDriver.cuStreamWaitEvent(handle, ((JCudaEvent) event).handle(), 0), "cuStreamWaitEvent");
    }

    @Override
    public GpuGraph capture(Runnable work) {
        useOtherwise();
        check(
                JCudaDriver.cuStreamBeginCapture(handle, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                "cuStreamBeginCapture");
        CUgraph graph = new CUgraph();
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            JCudaDriver.cuStreamEndCapture(handle, graph); // its status repeats what went wrong
            throw e;
        }
        check(JCudaDriver.cuStreamEndCapture(handle, graph), "cuStreamEndCapture");
        afterLaunch = false;
        try {
            CUgraphExec instance = new CUgraphExec();
            check(JCudaDriver.cuGraphInstantiate(instance, graph, 0), "cuGraphInstantiate");
            return gpu.add(new JCudaGraph(gpu, instance));
        } finally {
            JCudaDriver.cuGraphDestroy(graph);
        }
    }

    @Override
    public void replay(GpuGraph graph) {
        useOtherwise();
        check(JCudaDriver.cuGraphLaunch(((JCudaGraph) graph).handle(), handle), "cuGraphLaunch");
    }

    @Override
    public void synchronize() {
        use();
        check(JCudaDriver.cuStreamSynchronize(handle), "cuStreamSynchronize");
    }

    @Override
    String describe() {
        return "a stream";
    }

    /// This stream's cuBLAS.
    synchronized CuBlas.Handle blas() {
        useOtherwise();
        if (blas == null) {
            blas = new CuBlas.Handle(handle);
        }
        return blas;
    }

    @Override
    void free() {
        if (blas != null) {
            blas.close();
        }
        check(JCudaDriver.cuStreamDestroy(handle), "cuStreamDestroy");
    }
}
