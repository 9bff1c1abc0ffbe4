package org.quern.kernels.cpu;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;

/// The threads that run kernels: the caller of `execute` and `threads - 1` daemon threads that live as long as the
/// team.
///
/// Tasks are claimed one by one from a shared counter, so a thread that is held up delays the task it has and no other.
/// A phase ends when its last task has ended, whoever ran it: a thread that wakes late is not waited for. Idle threads
/// spin for a moment, since kernels follow each other closely, and then park. `execute` allocates nothing.
public final class ThreadTeam implements AutoCloseable {
    /// How long a thread spins before it parks, in nanoseconds: longer than the gaps between the kernels of a step.
    private static final long SPIN_NANOS = 50_000;

    /// Polls between two looks at the clock.
    private static final int SPINS_A_LOOK = 64;

    private static final VarHandle UNCLAIMED;
    private static final VarHandle UNFINISHED;
    private static final VarHandle FAILURE;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            UNCLAIMED = lookup.findVarHandle(ThreadTeam.class, "unclaimed", int.class);
            UNFINISHED = lookup.findVarHandle(ThreadTeam.class, "unfinished", int.class);
            FAILURE = lookup.findVarHandle(ThreadTeam.class, "failure", Throwable.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Worker[] workers;

    // The current phase. A thread reads these after it has claimed a task of the phase, which therefore has not ended.
    private Kernel kernel;
    private int phase;
    private int tasks;
    private Thread caller;

    private volatile int unclaimed;
    private volatile int unfinished;
    private volatile boolean callerParked;
    private volatile Throwable failure;
    private volatile boolean closed;

    /// @param threads the number of threads including the caller of `execute`, at least 1
    public ThreadTeam(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads must be at least 1: got " + threads);
        }
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    public int threads() {
        return workers.length + 1;
    }

    /// Runs all phases of a kernel and returns when the last has ended.
    ///
    /// If a task throws, the first exception is thrown here when no task runs any more; later phases are not
    /// started. Callers on several threads take turns. A task must not execute a kernel on its own team.
    public synchronized void execute(Kernel next) {
        if (closed) {
            throw new IllegalStateException("the thread team is closed");
        }
        if (kernel != null) {
            throw new IllegalStateException("a task must not execute a kernel on its own team");
        }
        kernel = next;
        try {
            int phases = next.phases();
            for (int p = 0; p < phases; p++) {
                int count = next.tasks(p);
                if (count == 1 || workers.length == 0) {
                    for (int task = 0; task < count; task++) {
                        next.run(p, task);
                    }
                } else if (count > 1) {
                    runPhase(p, count);
                }
            }
        } finally {
            kernel = null;
        }
    }

    private void runPhase(int p, int count) {
        phase = p;
        tasks = count;
        caller = Thread.currentThread();
        unfinished = count;
        unclaimed = count;
        for (int i = 0; i < workers.length && i < count - 1; i++) {
            if (workers[i].parked) {
                LockSupport.unpark(workers[i]);
            }
        }
        runTasks();
        awaitEnd();
        Throwable thrown = failure;
        if (thrown != null) {
            failure = null;
            throw ThreadTeam.<RuntimeException>unchecked(thrown);
        }
    }

    /// Claims and runs tasks until none is left.
    private void runTasks() {
        int left;
        while (unclaimed > 0 && (left = (int) UNCLAIMED.getAndAdd(this, -1)) > 0) {
            try {
                kernel.run(phase, tasks - left);
            } catch (Throwable t) {
                FAILURE.compareAndSet(this, null, t);
            }
            Thread waiting = caller;
            if ((int) UNFINISHED.getAndAdd(this, -1) == 1 && callerParked) {
                LockSupport.unpark(waiting);
            }
        }
    }

    private void awaitEnd() {
        long start = System.nanoTime();
        for (int spins = 1; unfinished > 0; spins++) {
            if (spins % SPINS_A_LOOK == 0 && System.nanoTime() - start > SPIN_NANOS) {
                callerParked = true;
                while (unfinished > 0) {
                    LockSupport.park(this);
                }
                callerParked = false;
            }
            Thread.onSpinWait();
        }
    }

    /// Ends the threads of the team and waits for them; tasks that still run are finished first.
    @Override
    public synchronized void close() {
        closed = true;
        for (Worker worker : workers) {
            LockSupport.unpark(worker);
        }
        boolean interrupted = false;
        for (Worker worker : workers) {
            while (worker.isAlive()) {
                try {
                    worker.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T unchecked(Throwable t) throws T {
        throw (T) t;
    }

    private final class Worker extends Thread {
        private volatile boolean parked;

        Worker(int index) {
            super("quern-cpu-" + index);
            setDaemon(true);
        }

        @Override
        public void run() {
            while (!closed) {
                runTasks();
                awaitTasks();
            }
        }

        private void awaitTasks() {
            long start = System.nanoTime();
            for (int spins = 1; unclaimed <= 0 && !closed; spins++) {
                if (spins % SPINS_A_LOOK == 0 && System.nanoTime() - start > SPIN_NANOS) {
                    parked = true;
                    while (unclaimed <= 0 && !closed) {
                        LockSupport.park(ThreadTeam.this);
                    }
                    parked = false;
                }
                Thread.onSpinWait();
            }
        }
    }
}
