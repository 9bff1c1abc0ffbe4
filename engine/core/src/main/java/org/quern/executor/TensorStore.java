package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.quern.collective.Communicator;
import org.quern.graph.Value;

/// The states of an executor by name: parameters, gradients, moments, inputs, results. They are zero at first.
///
/// People and files see them as host memory. Where the device has memory of its own, `push` and `pull` copy
/// between the two; on the CPU both are the same memory and these do nothing.
public interface TensorStore {
    /// The alignment of states that lie together, bytes.
    long TOGETHER = 256;

    /// Where fp32 states lie that are declared together: bytes from the first, and where the last one's room ends.
    ///
    /// @param bytes of each
    static long[] offsets(long... bytes) {
        long[] offsets = new long[bytes.length + 1];
        for (int i = 0; i < bytes.length; i++) {
            offsets[i + 1] = Math.ceilDiv(offsets[i] + bytes[i], TOGETHER) * TOGETHER;
        }
        return offsets;
    }

    /// Makes room for a state, unless it is there already.
    ///
    /// @throws IllegalArgumentException if it is there with another shape or type
    void declare(Value state);

    /// Makes room for fp32 states behind one another, each at a multiple of `TOGETHER` bytes, so that what
    /// others share of them is one piece of memory. Between them are zeros.
    ///
    /// @throws IllegalArgumentException if one of them is there already
    void declareTogether(List<Value> states);

    /// The memory of states that were declared together, from the first of these two to the end of the last.
    ///
    /// @param place the host's, as `host` gives it, or the device's, as an address that the host cannot read
    /// @throws IllegalArgumentException if there is none
    MemorySegment together(String first, String last, Communicator.Place place);

    /// Waits until the device has done all that was started.
    void synchronize();

    /// Says that somebody else has changed the device's memory of a state: what is derived from it is made anew.
    void changed(String name);

    /// Whether the host's memory of a state is the device's.
    boolean isHostMemory();

    Set<String> names();

    Value value(String name);

    /// The host's memory of a state.
    MemorySegment host(String name);

    /// Copies a state from the host to the device.
    void push(String name);

    /// As `push`, for what the next run reads and the one under way still needs: a device that can copies it
    /// beside its work, to a second place from which it is moved in time.
    void pushAhead(String name);

    /// Copies a state from the device to the host.
    void pull(String name);

    /// Prepares to read a state without making the device wait.
    ///
    /// @param requests that may be open at once; one more first waits for these
    /// @param reader gets the state's memory, or a copy of it
    Readback readback(String name, int requests, Consumer<MemorySegment> reader);
}
