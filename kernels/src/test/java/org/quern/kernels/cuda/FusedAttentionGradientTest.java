package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

class FusedAttentionGradientTest extends KernelFamilyTest {
    FusedAttentionGradientTest() {
        super("fused attention gradient", Options.Device.SM_90);
    }

    @Override
    void inspect(List<Statistics> launches) {
        assertThat(launches)
                .allSatisfy(launch -> assertThat(launch.accesses())
                        .allSatisfy(access -> assertThat(access.bankConflicts()).isZero()));
    }
}
