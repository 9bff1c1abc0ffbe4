<#--
GELU in its tanh form (Hendrycks and Gimpel, 2016) of x = a .f32 register that holds a brain float. The operation and
the end of a matrix product take the same steps, so that a value has the same bits whichever of the two computes it.
-->
<#-- squared = x^2 and s = 1 / (1 + exp(-d)), d = 2 sqrt(2 / pi) (x + 0.044715 x^3). GELU(x) = x s, which, unlike
     1 + tanh, has no cancellation below 0. -->
<#macro gelu x squared s>
    mul.f32 ${squared}, ${x}, ${x};
    fma.rn.f32 ${s}, ${squared}, ${f32(-0.10294324)}, ${f32(-2.3022082)};
    mul.f32 ${s}, ${s}, ${x};
    ex2.approx.ftz.f32 ${s}, ${s};
    add.f32 ${s}, ${s}, ${f32(1)};
    rcp.approx.ftz.f32 ${s}, ${s};
</#macro>

<#-- Turns what `gelu` made into squared = GELU'(x) = s + x s (1 - s) d', d' = 1.5957691 + 0.21406444 x^2; x is lost. -->
<#macro gelu_slope x squared s>
    fma.rn.f32 ${squared}, ${squared}, ${f32(0.21406444)}, ${f32(1.5957691)};
    mul.f32 ${squared}, ${squared}, ${x};
    neg.f32 ${x}, ${s};
    fma.rn.f32 ${squared}, ${squared}, ${x}, ${squared};
    fma.rn.f32 ${squared}, ${squared}, ${s}, ${s};
</#macro>
