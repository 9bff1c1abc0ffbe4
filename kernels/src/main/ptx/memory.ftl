<#--
Macros of the kernels whose time is memory's: wide loads and stores of bf16 and fp32 as fp32, loops over tensors,
sums over warps and blocks, random bits.

A tensor NAME has its values in %NAME0, %NAME1, ... (.f32) and, while they are packed, in %NAMEw0, ... (.b32).
Types are "bf16" and "f32". An access moves n = 1, 2, 4 or 8 neighbouring elements, whose address it divides.
-->

<#function size type><#return (type == "bf16")?then(2, 4)></#function>

<#function words type n><#return (type == "bf16")?then(((n + 1) / 2)?floor, n)></#function>

<#-- Declares registers for `count` accesses. -->
<#macro registers name type n count=1>
    .reg .f32 %${name}<${n * count}>;
<#if type == "bf16">
    .reg .b32 %${name}w<${words(type, n) * count}>;
</#if>
</#macro>

<#-- Loads access `at` of NAME; its values are there after `unpack`. `guard` is "@%p " or nothing. -->
<#macro load name type n address offset=0 at=0 guard="" cache="">
<#local prefix = (type == "bf16")?then(name + "w", name)>
<#local total = words(type, n)>
<#local first = at * total>
<#if type == "bf16" && n == 1>
    ${guard}ld.global${cache}.u16 %${prefix}${first}, [${address}+${offset}];
<#elseif total == 1>
    ${guard}ld.global${cache}.b32 %${prefix}${first}, [${address}+${offset}];
<#else>
<#local wide = min(4, total)>
<#list 0..<(total / wide) as k>
    ${guard}ld.global${cache}.v${wide}.b32 {<#list 0..<wide as i>%${prefix}${first + k * wide + i}<#sep>, </#list>}, [${address}+${offset + 16 * k}];
</#list>
</#if>
</#macro>

<#-- Sets the packed words of access `at` to zero, for lanes that load nothing. -->
<#macro clear name type n at=0>
<#local total = words(type, n)>
<#list 0..<total as i>
    mov.b32 %${(type == "bf16")?then(name + "w", name)}${at * total + i}, 0;
</#list>
</#macro>

<#-- The packed words of access `at` of FROM to the values %NAME of access `to`. -->
<#macro unpack name type n at=0 from=name to=at>
<#if type == "bf16">
<#list 0..<n as i>
<#if i % 2 == 0>
    shl.b32 %${name}${to * n + i}, %${from}w${at * words(type, n) + (i / 2)?floor}, 16;
<#else>
    and.b32 %${name}${to * n + i}, %${from}w${at * words(type, n) + (i / 2)?floor}, 0xFFFF0000;
</#if>
</#list>
</#if>
</#macro>

<#-- Rounds the values of access `at` to the nearest and stores them. -->
<#macro store name type n address offset=0 at=0 guard="" cache="">
<@pack name type n at/>
<@storeWords name type n address offset at guard cache/>
</#macro>

<#macro pack name type n at=0>
<#if type == "bf16">
<#list 0..<words(type, n) as k>
<#local low = at * n + 2 * k>
    cvt.rn.bf16x2.f32 %${name}w${at * words(type, n) + k}, %${name}${(n == 1)?then(low, low + 1)}, %${name}${low};
</#list>
</#if>
</#macro>

<#macro storeWords name type n address offset=0 at=0 guard="" cache="">
<#local prefix = (type == "bf16")?then(name + "w", name)>
<#local total = words(type, n)>
<#local first = at * total>
<#if type == "bf16" && n == 1>
    ${guard}st.global${cache}.u16 [${address}+${offset}], %${prefix}${first};
<#elseif total == 1>
    ${guard}st.global${cache}.b32 [${address}+${offset}], %${prefix}${first};
<#else>
<#local wide = min(4, total)>
<#list 0..<(total / wide) as k>
    ${guard}st.global${cache}.v${wide}.b32 [${address}+${offset + 16 * k}], {<#list 0..<wide as i>%${prefix}${first + k * wide + i}<#sep>, </#list>};
</#list>
</#if>
</#macro>

<#--
Loads a pointer parameter into %NAMEp.
-->
<#macro pointers names>
<#list names as name>
    .reg .b64 %${name}p;
    ld.param.u64 %${name}p, [${name}];
    cvta.to.global.u64 %${name}p, %${name}p;
</#list>
</#macro>

<#--
Goes over all elements of tensors of one size, [count]. `inputs` and `outputs` are lists of (name, type); what is in
both is read and written. The body computes the n output values from the n input values of access `at`, whose first
element is %index (.b64, declared by the caller) if `indexed`; it may declare registers of its own. Needs the
parameters NAME (.u64) and count (.u64).

A block of 256 threads takes tiles of 256 x vector x unroll elements; in a tile, thread t has the vectors t, t + 256,
... The last, partial tile goes vector by vector, the last elements that make no vector one by one, by block 0.
-->
<#macro elements inputs outputs vector unroll indexed=false>
<#local tensors = inputs>
<#list outputs as output>
<#if !inputs?filter(input -> input[0] == output[0])?has_content>
<#local tensors = tensors + [output]>
</#if>
</#list>
<#local tile = 256 * vector * unroll>
    .reg .pred %more;
    .reg .b32 %thread, %block, %blocks;
    .reg .b64 %count, %tile, %step, %at, %end, %bytes;
    ld.param.u64 %count, [count];
    mov.u32 %thread, %tid.x;
    mov.u32 %block, %ctaid.x;
    mov.u32 %blocks, %nctaid.x;
    mul.wide.u32 %tile, %block, ${tile};       // the tile's first element
    mul.wide.u32 %step, %blocks, ${tile};
    mul.wide.u32 %at, %thread, ${vector};
    add.u64 %at, %at, %tile;                   // this thread's first element
<#list tensors as tensor>
    .reg .b64 %${tensor[0]}a, %${tensor[0]}s;
    ld.param.u64 %${tensor[0]}a, [${tensor[0]}];
    cvta.to.global.u64 %${tensor[0]}a, %${tensor[0]}a;
    mad.lo.u64 %${tensor[0]}a, %at, ${size(tensor[1])}, %${tensor[0]}a;
    mul.lo.u64 %${tensor[0]}s, %step, ${size(tensor[1])};
</#list>
    add.u64 %end, %tile, ${tile};
whole_tiles:
    setp.gt.u64 %more, %end, %count;
    @%more bra vectors;
    {
<#list tensors as tensor>
<@registers tensor[0] tensor[1] vector unroll/>
</#list>
<#list 0..<unroll as u>
<#list inputs as input>
<@load input[0] input[1] vector "%${input[0]}a" u * 256 * vector * size(input[1]) u/>
</#list>
</#list>
<#list 0..<unroll as u>
<#list inputs as input>
<@unpack input[0] input[1] vector u/>
</#list>
<#if indexed>
    add.u64 %index, %at, ${u * 256 * vector};
</#if>
    {
<#nested vector, u * vector>
    }
<#list outputs as output>
<@store output[0] output[1] vector "%${output[0]}a" u * 256 * vector * size(output[1]) u/>
</#list>
</#list>
    }
<#list tensors as tensor>
    add.u64 %${tensor[0]}a, %${tensor[0]}a, %${tensor[0]}s;
</#list>
    add.u64 %at, %at, %step;
    add.u64 %end, %end, %step;
    bra whole_tiles;

vectors:
    add.u64 %bytes, %at, ${vector};
    setp.gt.u64 %more, %bytes, %count;
    @%more bra <#if vector == 1>done<#else>rest</#if>;
    {
<#list tensors as tensor>
<@registers tensor[0] tensor[1] vector/>
</#list>
<#list inputs as input>
<@load input[0] input[1] vector "%${input[0]}a"/>
</#list>
<#list inputs as input>
<@unpack input[0] input[1] vector/>
</#list>
<#if indexed>
    mov.b64 %index, %at;
</#if>
    {
<#nested vector, 0>
    }
<#list outputs as output>
<@store output[0] output[1] vector "%${output[0]}a"/>
</#list>
    }
<#if unroll gt 1>
<#list tensors as tensor>
    add.u64 %${tensor[0]}a, %${tensor[0]}a, ${256 * vector * size(tensor[1])};
</#list>
    add.u64 %at, %at, ${256 * vector};
    bra vectors;
</#if>

<#if vector != 1>
rest:
    setp.ne.u32 %more, %block, 0;
    @%more bra done;
    and.b64 %at, %count, ${-vector};
    cvt.u64.u32 %bytes, %thread;
    add.u64 %at, %at, %bytes;
    setp.ge.u64 %more, %at, %count;
    @%more bra done;
    {
<#list tensors as tensor>
<@registers tensor[0] tensor[1] 1/>
    ld.param.u64 %${tensor[0]}a, [${tensor[0]}];
    cvta.to.global.u64 %${tensor[0]}a, %${tensor[0]}a;
    mad.lo.u64 %${tensor[0]}a, %at, ${size(tensor[1])}, %${tensor[0]}a;
</#list>
<#list inputs as input>
<@load input[0] input[1] 1 "%${input[0]}a"/>
</#list>
<#list inputs as input>
<@unpack input[0] input[1] 1/>
</#list>
<#if indexed>
    mov.b64 %index, %at;
</#if>
    {
<#nested 1, 0>
    }
<#list outputs as output>
<@store output[0] output[1] 1 "%${output[0]}a"/>
</#list>
    }
</#if>
done:
</#macro>

<#-- Adds a .f32 register (or takes the maximum) over the warp, the same way in every lane: all have the result. -->
<#macro warpReduce value operation="add">
    {
    .reg .f32 %other;
<#list [16, 8, 4, 2, 1] as distance>
    shfl.sync.bfly.b32 %other, ${value}, ${distance}, 31, 0xFFFFFFFF;
    ${operation}.f32 ${value}, ${value}, %other;
</#list>
    }
</#macro>

<#--
Adds .f32 registers over the block, of at most 32 warps: all threads have the results. Shared memory: `values` x 32
floats at `shared` (a .b32 register); whoever reads or writes them before or after is kept off by the caller.
-->
<#macro blockSum values shared>
<#list values as value>
<@warpReduce value/>
</#list>
    {
    .reg .pred %p;
    .reg .b32 %lane, %warp, %warps, %slot;
    mov.u32 %lane, %tid.x;
    shr.u32 %warp, %lane, 5;
    and.b32 %lane, %lane, 31;
    mov.u32 %warps, %ntid.x;
    shr.u32 %warps, %warps, 5;
    shl.b32 %slot, %warp, 2;
    add.u32 %slot, %slot, ${shared};
    setp.eq.u32 %p, %lane, 0;
<#list values as value>
    @%p st.shared.f32 [%slot+${128 * value?index}], ${value};
</#list>
    bar.sync 0;
    shl.b32 %slot, %lane, 2;
    add.u32 %slot, %slot, ${shared};
    setp.lt.u32 %p, %lane, %warps;
<#list values as value>
    mov.f32 ${value}, 0f00000000;
    @%p ld.shared.f32 ${value}, [%slot+${128 * value?index}];
</#list>
    }
<#list values as value>
<@warpReduce value/>
</#list>
</#macro>

<#-- s = 1 / (1 + exp(-z)); 0 and 1 where exp overflows or vanishes. s must not be z. -->
<#macro sigmoid s z>
    mul.f32 ${s}, ${z}, ${f32(-1.4426950408889634)};
    ex2.approx.f32 ${s}, ${s};
    add.f32 ${s}, ${s}, ${f32(1)};
    rcp.approx.f32 ${s}, ${s};
</#macro>

<#--
Goes over rows %row, %row + %row_step, ... below %rows, `unroll` at a time while there are as many: the body, for that
number of rows, moves its own addresses on.
-->
<#macro rows unroll>
    {
    .reg .pred %more;
    .reg .b32 %ahead;
many_rows:
    mad.lo.u32 %ahead, %row_step, ${unroll - 1}, %row;
    setp.ge.u32 %more, %ahead, %rows;
    @%more bra one_row;
    {
<#nested unroll>
    }
    mad.lo.u32 %row, %row_step, ${unroll}, %row;
    bra many_rows;
one_row:
    setp.ge.u32 %more, %row, %rows;
    @%more bra no_row;
    {
<#nested 1>
    }
    add.u32 %row, %row, %row_step;
    bra one_row;
no_row:
    }
</#macro>

<#--
Philox 4x32-10 (Salmon et al., 2011): 128 random bits in %random0 to 3, of the key (%seed_low, %seed_high) and the
counter (low, high, third, fourth), all .b32. taken: 2 for %random0 and 1 alone.
-->
<#macro philox low high third fourth taken=4>
    .reg .b32 %random<4>;
    {
    .reg .b32 %key0, %key1, %high0, %high1;
    mov.b32 %random0, ${low};
    mov.b32 %random1, ${high};
    mov.b32 %random2, ${third};
    mov.b32 %key0, %seed_low;
    mov.b32 %key1, %seed_high;
<#list 0..<10 as round>
<#-- The first two words come from the middle two of the round before, and those from all. -->
<#local all = taken == 4 || round lt 8>
<#if round != 0>
    add.u32 %key0, %key0, 0x9E3779B9;
    add.u32 %key1, %key1, 0xBB67AE85;
</#if>
<#if all || round == 8>
    mul.hi.u32 %high0, %random0, 0xD2511F53;
    xor.b32 %high0, %high0, ${(round == 0)?then(fourth, "%random3")};
</#if>
<#if all || round == 9>
    mul.hi.u32 %high1, %random2, 0xCD9E8D57;
    xor.b32 %high1, %high1, %random1;
</#if>
    mul.lo.u32 %random1, %random2, 0xCD9E8D57;
<#if all>
    mul.lo.u32 %random3, %random0, 0xD2511F53;
</#if>
<#if all || round == 9>
    xor.b32 %random0, %high1, %key0;
</#if>
<#if all || round == 8>
    xor.b32 %random2, %high0, %key1;
</#if>
</#list>
    }
</#macro>

<#--
Rounds values %NAME from `first` on, n = 4 or 1 of them, to bf16 stochastically: up with the probability of what is
cut off. Element i of a tensor takes word i mod 4 of Philox with the counter (i / 4 low, i / 4 high, step, stream).
%index is the first element's number; infinities and NaN stay.
-->
<#macro roundStochastically name n first stream>
    {
    .reg .pred %finite;
    .reg .b32 %low, %high, %word;
    .reg .b64 %group;
    shr.u64 %group, %index, 2;
    mov.b64 {%low, %high}, %group;
<@philox "%low" "%high" "%step_number" stream/>
<#if n == 1>
    cvt.u32.u64 %low, %index;
    and.b32 %low, %low, 3;
<#list 1..<4 as i>
    setp.eq.u32 %finite, %low, ${i};
    selp.b32 %random0, %random${i}, %random0, %finite;
</#list>
</#if>
<#list 0..<n as i>
    shr.u32 %random${i}, %random${i}, 16;
    mov.b32 %word, %${name}${first + i};
    and.b32 %low, %word, 0x7FFFFFFF;
    setp.lt.u32 %finite, %low, 0x7F800000;
    @%finite add.u32 %word, %word, %random${i};
    and.b32 %${name}${first + i}, %word, 0xFFFF0000;
</#list>
    }
</#macro>
