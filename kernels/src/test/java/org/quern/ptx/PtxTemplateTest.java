package org.quern.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.quern.gpu.GpuException;

/// The templates are in src/test/resources/ptx.
class PtxTemplateTest {

    @Test
    void expandsAShippedKernel() {
        String text = PtxTemplate.expand(KernelVariant.of("fill.sm_80", "bytes", 2));
        assertThat(text)
                .contains(".visible .entry fill(", "mul.wide.u32 %first, %thread, 8;", "st.global.b16")
                .doesNotContain("${", "<#");
    }

    @Test
    void offersFunctionsAndLeavesBracketsOfPtxAlone() {
        assertThat(PtxTemplate.expand(KernelVariant.of("functions.sm_80", "n", 2)))
                .isEqualTo("""
                        .reg .f32 %a;
                        mov.f32 %a0, 0f3FC00000; // 0x3F00 6 0 1000000
                        mov.f32 %a1, 0f3FC00000; // 0x3FC0 6 1 1000000
                        @%p<4 [%r+4] {a, b} #{x}
                        """);
    }

    @Test
    void acceptsAParameterThatOnlyAnotherChoiceReads() {
        assertThat(PtxTemplate.expand(KernelVariant.of(
                        "parameters.sm_80", "head_size", 64, "causal", true, "window", false, "window_size", 7)))
                .isEqualTo("one\n65 true\n\n");
    }

    @Test
    void namesTheMissingParameter() {
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of("parameters.sm_80", "head_size", 64)))
                .isInstanceOf(GpuException.class)
                .hasMessage("parameters.sm_80.ptx, line 2: causal has no value"
                        + " (expanding parameters.sm_80(head_size=64))");
    }

    @Test
    void refusesAParameterThatTheFileDoesNotName() {
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of(
                        "parameters.sm_80", "head_size", 64, "causal", true, "window", false, "one", 1)))
                .isInstanceOf(GpuException.class)
                .hasMessage("parameters.sm_80.ptx has no parameter one");
    }

    @Test
    void refusesAParameterCalledAsAFunction() {
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of("functions.sm_80", "n", 1, "min", 2)))
                .hasMessage("functions.sm_80(min=2, n=1): a parameter cannot be called min, which is a function of"
                        + " templates");
    }

    @Test
    void namesTheLineOfABadTemplate() {
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of("unclosed.sm_80")))
                .isInstanceOf(GpuException.class)
                .hasMessageStartingWith("unclosed.sm_80.ptx, line 2: ")
                .hasMessageContaining("list");
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of("logarithm.sm_80", "n", 48)))
                .isInstanceOf(GpuException.class)
                .hasMessage("logarithm.sm_80.ptx, line 2: log2 needs a power of two: got 48.0"
                        + " (expanding logarithm.sm_80(n=48))");
    }

    @Test
    void namesTheAbsentFile() {
        assertThatThrownBy(() -> PtxTemplate.expand(KernelVariant.of("nothing.sm_80", "n", 1)))
                .hasMessage("nothing.sm_80(n=1): there is no kernel file ptx/nothing.sm_80.ptx");
    }
}
