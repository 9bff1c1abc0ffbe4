package org.quern.launcher.bench.gpu;

import java.util.Locale;

/// A part of the work, in the order in which they say most.
enum Stage {
    /// Nothing is timed while kernels are assembled and models counted.
    ASSEMBLE(10, 60),
    CHECK(20, 75),
    TUNE(20, 110),
    PRODUCTS(30, 140),
    ATTENTION(25, 90),
    /// With PyTorch, which compiles for about a minute.
    TRAINING(30, 120, 170),
    MEMORY(15, 70),
    PROGRAMMATIC(20, 45),
    FP8(20, 45);

    /// Seconds that it needs to say anything.
    private final int least;
    /// Seconds that stages before it leave for it.
    private final int reserve;
    /// Seconds that it can use.
    private final int most;

    Stage(int least, int most) {
        this(least, least, most);
    }

    Stage(int least, int reserve, int most) {
        this.least = least;
        this.reserve = reserve;
        this.most = most;
    }

    int least() {
        return least;
    }

    int reserve() {
        return reserve;
    }

    int most() {
        return most;
    }

    /// `products`.
    String key() {
        return name().toLowerCase(Locale.ROOT);
    }
}
