package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

class WarpgroupAttentionTest extends KernelFamilyTest {
    WarpgroupAttentionTest() {
        super("warpgroup attention", Options.Device.SM_90);
    }

    @Override
    void inspect(List<Statistics> launches) {
        assertThat(launches)
                .allSatisfy(launch -> assertThat(launch.accesses())
                        .allSatisfy(access -> assertThat(access.bankConflicts()).isZero()));
    }
}
