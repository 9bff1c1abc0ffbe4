package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.ptx.emulator.Statistics;
import org.quern.ptx.emulator.Statistics.Accesses;

/// A family whose time is memory's: what it loads from global memory is coalesced, and shared memory has no
/// conflicts.
abstract class StreamingFamilyTest extends KernelFamilyTest {
    /// Kernels that count or look things up: where, is up to the data.
    private static final Set<String> SCATTERED =
            Set.of("histogram", "scatter", "scatter_rows", "join", "join_accumulate", "sample");

    /// Kernels whose warps read several rows at a time: how many.
    private static final Map<String, Integer> ROWS = Map.of("combine", 4, "combine_accumulate", 4);

    StreamingFamilyTest(String name) {
        super(name);
    }

    @Override
    void inspect(List<Statistics> launches) {
        for (Statistics launch : launches) {
            if (SCATTERED.contains(launch.kernel())) {
                continue;
            }
            assertThat(launch.accesses()).as(launch.kernel()).allSatisfy(access -> {
                assertThat(access.bankConflicts())
                        .as("bank conflicts of %s", access)
                        .isZero();
                if (access.text().contains("ld.global")) {
                    assertThat(access.wastedSectors())
                            .as("wasted sectors of %s", access)
                            .isLessThanOrEqualTo(edges(access) * ROWS.getOrDefault(launch.kernel(), 1));
                }
            });
        }
    }

    /// A request may need but parts of the first and of the last sector of a row.
    private static long edges(Accesses access) {
        return 2 * access.requests();
    }
}
