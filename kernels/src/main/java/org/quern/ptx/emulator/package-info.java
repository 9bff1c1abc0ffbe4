/// Runs PTX on the JVM and checks what hardware does not tell: bounds, alignment, uninitialised reads, races, diverged
/// warps, barriers that never fill, copies that nobody waited for. Counts what decides speed on hardware.
package org.quern.ptx.emulator;
