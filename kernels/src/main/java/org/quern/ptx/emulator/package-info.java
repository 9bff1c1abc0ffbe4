/// Runs PTX on the JVM and checks what hardware does not tell. [org.quern.ptx.emulator.Emulator] is a device:
/// memory and launches; [org.quern.ptx.emulator.EmulatorFault.Kind] lists the rules that it enforces.
///
/// **Threads.** A launch runs its clusters one after the other, in an order that a seed decides, so that a
/// block that waits for one of another cluster never ends; a kernel without `.reqnctapercluster` has clusters
/// of one block. Warps of a cluster take turns by a seeded schedule. Lanes of a warp go their own ways and meet
/// again where their program counters are equal; those that are behind run first.
///
/// **Memory.** Every allocation lies for itself above 4 GiB. Bounds and definedness are kept to the byte, for
/// registers to the lane. Global and shared memory know for each word (for each byte, where threads share a
/// word) who wrote and who read it last. Two accesses, one of them a write, must be ordered: in a warp by
/// program order of one lane or `bar.warp.sync`, in a block by barriers, by strong accesses with fences, or by
/// acquire and release; between blocks by the latter, and in a cluster by its barrier. Threads that store the
/// same word to shared memory, as compilers let all of a block do, need no order, nor do lanes that store the
/// same word to global memory. Everything of one launch happens before the next. Fences and strong accesses are
/// taken to have the scope of the whole device, whatever they say. Of global memory that several warps have
/// read, only the latest time is known: a block that overwrites it after barriers of some of its warps may
/// fault without need.
///
/// **Clusters.** Blocks reach each other's shared memory by addresses of `mapa`, which `.shared::cta` does not
/// take, not even those of the own block. Who does must know that the other block has begun, by the cluster's
/// barrier or what follows it, and the other block must know before its end that this is done. A barrier that
/// is arrived at with `.relaxed` tells that a block has begun, and what a fence released: that of
/// `fence.mbarrier_init`, which mbarriers there are. What threads of one block tell those of another through an
/// mbarrier is in the scope of the cluster on both sides. Copies with `.multicast::cluster` are a copy for each
/// block, which end by themselves.
///
/// **Asynchronous copies** are done at once, when somebody waits, or by chance. In all three cases nobody may
/// touch their target before the thread that issued them has waited, and other threads need a barrier after
/// that. Bulk copies (of lines, or of boxes of a [tensor][org.quern.gpu.TensorMap]) to shared memory have ended
/// for those who find the phase of their mbarrier complete; what they read of shared memory may change after
/// the wait of their group.
///
/// **Proxies.** What threads write to shared memory, or in this launch to global memory, is seen by bulk copies
/// after a `fence.proxy.async` for that memory on the way from one to the other: of the warp that wrote, of the
/// one that copies, or of one that waited for the former and that the latter waits for.
///
/// **Polls.** A warp that finds a phase of an mbarrier not complete gives way to others. If all only poll and
/// nothing changes, that is a deadlock.
///
/// **Convergence.** What must be executed by a whole warp waits for the lanes that may still come; it is a
/// fault if they cannot. Lanes that exited count as present for barriers, but not for matrix operations.
///
/// **Numbers.** Arithmetic is that of IEEE 754 with the rounding that the instruction names; matrix products
/// are summed in double precision, and rounded once where they are added to the accumulator. How hardware cuts
/// off sums is nowhere said; of floats of 8 bits it is known to keep about 14 bits on an H100, which the
/// emulator does not model.
///
/// [org.quern.ptx.emulator.Statistics] counts what decides speed on hardware: instructions, FLOP, bank
/// conflicts, sectors of global memory, for the whole launch and for every line.
package org.quern.ptx.emulator;
