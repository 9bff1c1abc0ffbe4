<#include "gelu.ftl">
<#--
The epilogue of a matrix product, for matmul.sm_80.ptx, matmul_reduce.sm_80.ptx and matmul_end.ftl: what becomes of sums of products.
A thread finishes `width` neighbours of a row at a time. %x0, ... are their sums and then C's elements; %bias0, ... is
added (bf16, gelu); %e0, ... comes from `extra`, or goes there (gelu). `extra` has C's type. GELU and its gradient work on
sums that are rounded first, as they are where operations of their own compute them.
-->
<#assign float = epilogue == "f32">
<#assign element_bytes = float?then(4, 2)>
<#assign words = width * element_bytes / 4> <#-- of C and extra; 0.5 for one brain float -->
<#assign reads_extra = epilogue != "gelu">
<#assign adds_bias = epilogue == "bf16" || epilogue == "gelu">

<#macro epilogue_registers>
    .reg .pred %has_bias, %has_extra;
    .reg .b64 %c, %bias, %bias_at, %extra, %offset;
    .reg .f32 %alpha, %x<${width}>, %bias<${width}>, %e<${width}>, %squared, %sigmoid;
    .reg .b16 %short;
    .reg .b32 %word<${max(words, width / 2)?ceiling}>;
</#macro>

<#macro epilogue_parameters>
    ld.param.f32 %alpha, [alpha];
    ld.param.u64 %c, [c];
    cvta.to.global.u64 %c, %c;
    ld.param.u64 %extra, [extra];
    setp.ne.u64 %has_extra, %extra, 0;
    cvta.to.global.u64 %extra, %extra;
<#if adds_bias>
    ld.param.u64 %bias, [bias];
    setp.ne.u64 %has_bias, %bias, 0;
    cvta.to.global.u64 %bias, %bias;
</#if>
</#macro>

<#-- Turns a sum, number i, its bias and %e's number i into C's element, and extra's. -->
<#macro finish i x="%x" + i bias="%bias" + i e="%e" + i>
<#if epilogue == "bf16">
    fma.rn.f32 ${x}, ${x}, %alpha, ${bias};
    add.f32 ${x}, ${x}, ${e};
<#elseif epilogue == "f32">
    fma.rn.f32 ${x}, ${x}, %alpha, ${e};
<#elseif epilogue == "gelu">
    fma.rn.f32 ${e}, ${x}, %alpha, ${bias};
<@round e/>
<@gelu e, "%squared", "%sigmoid"/>
    mul.f32 ${x}, ${e}, %sigmoid;
<#else>
    mul.f32 ${x}, ${x}, %alpha;
<@round x/>
<@gelu e, "%squared", "%sigmoid"/>
<@gelu_slope e, "%squared", "%sigmoid"/>
    mul.f32 ${x}, ${x}, %squared;
</#if>
</#macro>

<#macro round x>
    cvt.rn.bf16.f32 %short, ${x};
    cvt.f32.bf16 ${x}, %short;
</#macro>

<#-- Where a line's element in a column is, in C or extra. -->
<#macro element_address address base stride line column>
    mul.wide.u32 ${address}, ${line}, ${stride};
    cvt.u64.u32 %offset, ${column};
    add.u64 ${address}, ${address}, %offset;
    mad.lo.u64 ${address}, ${address}, ${element_bytes}, ${base};
</#macro>

<#-- The names of registers, `count` from `first` on. -->
<#function registers prefix first count>
    <#local names = []>
    <#list first..<first + count as i><#local names += ["%" + prefix + i]></#list>
    <#return "{" + names?join(", ") + "}">
</#function>

<#-- ================================================================ all `width` at once -->
<#-- Loads extra's words into %${held}, from number `first` on; 0 where the guard, "@%p " or nothing, is false. -->
<#macro load_words held first address guard="">
<#list first..<first + words as i>
    mov.b32 %${held}${i}, 0;
</#list>
    ${guard}ld.global.v${words}.b32 ${registers(held, first, words)}, [${address}];
</#macro>

<#-- Words, from number `first` on, to `width` floats. -->
<#macro unpack held first floats>
<#list 0..<width as i>
<#if float>
    mov.b32 %${floats}${i}, %${held}${first + i};
<#elseif i % 2 == 0>
    shl.b32 %${floats}${i}, %${held}${first + i / 2}, 16;
<#else>
    and.b32 %${floats}${i}, %${held}${first + (i - 1) / 2}, 0xffff0000;
</#if>
</#list>
</#macro>

<#macro store_words floats address guard="">
<#if float>
    ${guard}st.global.v${words}.f32 [${address}], ${registers(floats, 0, width)};
<#else>
<#list 0..<words as i>
    cvt.rn.bf16x2.f32 %word${i}, %${floats}${2 * i + 1}, %${floats}${2 * i};
</#list>
    ${guard}st.global.v${words}.b32 [${address}], ${registers("word", 0, words)};
</#if>
</#macro>

<#-- The bias of `width` columns; 0 where the guard is false. -->
<#macro load_bias address guard="">
<#list 0..<width / 2 as i>
    mov.b32 %word${i}, 0;
</#list>
    ${guard}ld.global.v${width / 2}.b32 ${registers("word", 0, width / 2)}, [${address}];
<#list 0..<width / 2 as i>
    shl.b32 %bias${2 * i}, %word${i}, 16;
    and.b32 %bias${2 * i + 1}, %word${i}, 0xffff0000;
</#list>
</#macro>

<#-- ================================================================ one of them -->
<#-- Loads a brain float, 0 where the guard is false. -->
<#macro load_bf16 into address guard="">
    mov.b16 %short, 0;
    ${guard}ld.global.b16 %short, [${address}];
    cvt.f32.bf16 ${into}, %short;
</#macro>

<#macro load_element into address guard="">
<#if float>
    mov.f32 ${into}, ${f32(0)};
    ${guard}ld.global.f32 ${into}, [${address}];
<#else>
<@load_bf16 into, address, guard/>
</#if>
</#macro>

<#macro store_element from address guard="">
<#if float>
    ${guard}st.global.f32 [${address}], ${from};
<#else>
    cvt.rn.bf16.f32 %short, ${from};
    ${guard}st.global.b16 [${address}], %short;
</#if>
</#macro>
