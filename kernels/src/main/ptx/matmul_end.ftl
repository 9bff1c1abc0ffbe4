<#--
The end of a tile, for matmul.sm_90a.ptx: what becomes of a warp's sums, 16 rows of C.

They go through shared memory slab by slab: 16 rows of 128 bytes with the swizzle of tensor maps. A warp has slabs of its
own, which its first lane stores by the map of C, so that stores go on beside the next tile's products; a slab is
written again when the copy before has read it. What `extra` holds of the tile comes by stages as A and B do, right behind
the item's k tiles, in boxes of all rows and as many columns as a slab; they are read as they lie.

Where rows are not aligned to 16 bytes, which maps cannot have, lanes copy to and from slabs element by element.

The product leaves rows of 8 columns with four lanes, two neighbours each. Of brain floats matrix loads and stores take
16 rows and columns at a time. Floats are put one by one, by odd rows the right neighbour first: no access meets bank
conflicts.
-->
<#assign slab_columns = 128 / element_bytes>
<#assign slabs = tile_n / slab_columns>
<#assign outputs = slabs * reads_extra?then(1, 2)> <#-- of a tile -->
<#assign slab_bytes = 2048>
<#assign used = (outputs % buffers == 0)?then(buffers, 1)> <#-- each item begins with the first -->
<#-- `extra` in stages. -->
<#assign extra_bytes = tile_m * 128> <#-- of a box -->
<#assign boxes_of_stage = min((stage_bytes / extra_bytes)?floor, slabs)>
<#assign extra_stages = reads_extra?then((slabs / boxes_of_stage)?ceiling, 0)>

<#macro end_registers>
<@epilogue_registers/>
    .reg .pred %mapped, %first_lane, %plain, %odd_row, %line_inside, %extra_comes, %extra_by_elements;
    .reg .b64 %c0, %c_map, %extra_map, %c_step, %extra_step, %c_at, %split_bytes;
    .reg .b32 %slab, %first_line, %line, %column, %element, %out<16>, %held<16>;
    .reg .b32 %place<4>, %put<4>, %put_next<4>, %at_next, %own_barrier;
    .reg .b${8 * element_bytes} %value;
    .reg .f32 %y<16>;
<#if reads_extra>
    .reg .b32 %source, %own_rows, %extra_at<${extra_stages}>, %extra_empty<${extra_stages}>;
</#if>
<#if adds_bias>
    .reg .b16 %own_bias<${tile_n / 32}>;
    .reg .f32 %bias_left, %bias_right;
    .reg .b32 %holder<8>;
</#if>
</#macro>

<#-- Whether `extra` comes by stages. -->
<#macro find_extra>
    ld.param.u32 %t, [mapped];
    setp.ne.u32 %mapped, %t, 0;
    ld.param.u64 %from, [extra];
    setp.ne.u64 %has_extra, %from, 0;
    and.pred %extra_comes, %mapped, %has_extra;
</#macro>

<#-- ================================================================ the producer -->
<#macro produce_extra>
    @!%extra_comes bra extra_produced;
<#list 0..<extra_stages as i>
<#local first = i * boxes_of_stage>
<#local boxes = min(boxes_of_stage, slabs - first)>
<@find_barriers/>
produce_extra_${i}:
    mbarrier.try_wait.parity${clustered?then(".acquire.cluster", "")}.shared::cta.b64 %wait, [%empty], %parity; // only the own block gets it
    @!%wait bra produce_extra_${i};
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%full], ${boxes * extra_bytes};
    mad.lo.u32 %a_at, %stage, ${stage_bytes}, %base;
<#list 0..<boxes as box>
    add.u32 %t, %n0, ${(first + box) * slab_columns};
    cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%a_at + ${box * extra_bytes}], [%extra_map, {%t, %m0}], [%full];
</#list>
<@next_stage/>
</#list>
extra_produced:
</#macro>

<#-- ================================================================ a consumer -->
<#macro set_up_end>

    // what is the same for all tiles
<@epilogue_parameters/>
<@find_extra/>
    mov.b64 %c0, %c;
    ld.param.u32 %ldc, [ldc];
    ld.param.u32 %ld_extra, [ld_extra];
    ld.param.u64 %split_bytes, [split_bytes];
    mul.wide.u32 %c_step, %ldc, ${element_bytes};
    mul.wide.u32 %extra_step, %ld_extra, ${element_bytes};
    mov.b64 %c_map, c_map;
    cvta.param.u64 %c_map, %c_map;
<#if reads_extra>
    not.pred %extra_by_elements, %mapped;
    and.pred %extra_by_elements, %extra_by_elements, %has_extra;
<#if epilogue == "bf16">
    setp.eq.f32 %plain, %alpha, ${f32(1)};
    not.pred %inside, %has_extra;
    and.pred %plain, %plain, %inside;
    not.pred %inside, %has_bias;
    and.pred %plain, %plain, %inside;
<#else>
    not.pred %plain, %has_extra;
</#if>
    sub.u32 %t, %warp, 4;
<#if turns>
    and.b32 %t, %t, 3;
</#if>
    mad.lo.u32 %own_rows, %t, ${slab_bytes}, %base;
    add.u32 %own_barrier, %group, 3;
<#else>
    mov.b64 %extra_map, extra_map;
    cvta.param.u64 %extra_map, %extra_map;
</#if>
    setp.eq.u32 %first_lane, %lane, 0;
    sub.u32 %t, %warp, 4;
    mad.lo.u32 %slab, %t, ${buffers * slab_bytes}, %base;
    add.u32 %slab, %slab, ${areas};
    // a block's place in a slab: its row, and within it a piece of 16 bytes
<#if float>
    shr.u32 %row, %lane, 2;
    shr.u32 %t, %lane, 1;
    and.b32 %t, %t, 1;
    xor.b32 %t, %t, %row;
<#else>
    and.b32 %row, %lane, 15;
    and.b32 %u, %lane, 7;
    shr.u32 %t, %lane, 4;
    xor.b32 %t, %t, %u;
</#if>
    shl.b32 %t, %t, 4;
    mad.lo.u32 %place0, %row, 128, %t;
<#if float>
    and.b32 %t, %lane, 1;
    mad.lo.u32 %place0, %t, 8, %place0;
    and.b32 %t, %row, 1;
    setp.ne.u32 %odd_row, %t, 0;
    mad.lo.u32 %place0, %t, 4, %place0;
</#if>
<#list 0..<4 as i>
<#if i gt 0>
    xor.b32 %place${i}, %place0, ${32 * i};
</#if>
    add.u32 %put${i}, %slab, %place${i};
<#if float>
    xor.b32 %put_next${i}, %put${i}, 4;
</#if>
</#list>
<#if adds_bias>
    and.b32 %t, %lane, 3;
    shl.b32 %holder0, %t, 1;
<#list [1, 8, 9, 16, 17, 24, 25] as column>
    add.u32 %holder${column?index + 1}, %holder0, ${column};
</#list>
</#if>
</#macro>

<#-- What the end needs of global memory besides: lane l has the bias of columns l, l + 32 and so on. -->
<#macro begin_item>
<#if adds_bias>
    add.u32 %column, %n0, %lane;
    mul.wide.u32 %wide, %column, 2;
    add.u64 %bias_at, %bias, %wide;
<#list 0..<tile_n / 32 as i>
    add.u32 %t, %column, ${32 * i};
    setp.lt.and.u32 %inside, %t, %n, %has_bias;
    mov.b16 %own_bias${i}, 0;
    @%inside ld.global.b16 %own_bias${i}, [%bias_at + ${64 * i}];
</#list>
</#if>
</#macro>

<#-- Waits until `extra` is there. -->
<#macro await_extra>
    @!%extra_comes bra extra_awaited;
<#list 0..<extra_stages as i>
<@find_barriers/>
await_extra_${i}:
    mbarrier.try_wait.parity.shared::cta.b64 %wait, [%full], %parity;
    @!%wait bra await_extra_${i};
    mad.lo.u32 %extra_at${i}, %stage, ${stage_bytes}, %own_rows;
<#if clustered>
    add.u32 %extra_empty${i}, %empty, %reached;
<#else>
    mov.u32 %extra_empty${i}, %empty;
</#if>
<@next_stage/>
</#list>
extra_awaited:
</#macro>

<#macro end_item>

    // what becomes of the sums
    cvt.u64.u32 %from, %split;
    mad.lo.u64 %c, %split_bytes, %from, %c0;
<#if turns>
    and.b32 %t, %warp, 3;
    mad.lo.u32 %first_line, %t, 16, %m0;
<#else>
    mad.lo.u32 %first_line, %warp, 16, %m0;
    sub.u32 %first_line, %first_line, 64;
</#if>
<#list 0..<slabs as s>
<@end_slab s/>
</#list>
<#if slabs gt 1>
    bra inside_ended;
outside:
    @%first_lane cp.async.bulk.wait_group.read 0; // the next item begins with the first slab
inside_ended:
</#if>
<#if reads_extra>
<@release_extra/>
</#if>
</#macro>

<#macro end_slab s>
<#local buffer = s % used>

    // columns ${slab_columns * s} to ${slab_columns * s + slab_columns - 1}
    add.u32 %column, %n0, ${slab_columns * s};
<#if s gt 0>
    setp.ge.u32 %none, %column, %n;
    @%none bra outside;
</#if>
<#if !reads_extra>
<@compute s, true/>
<@put 2 * s, "held", "extra"/>
<@put 2 * s + 1, "out", "c"/>
<#else>
<#if epilogue != "gelu_gradient">
    @%plain bra plain_${s};
</#if>
    add.u32 %source, %slab, ${buffer * slab_bytes};
    @%extra_comes add.u32 %source, %extra_at${(s / boxes_of_stage)?floor}, ${s % boxes_of_stage * extra_bytes};
    @!%extra_by_elements bra extra_is_there_${s};
<@copy_elements "extra_" + s, buffer, "extra", false/>
    bar.warp.sync 0xffffffff;
extra_is_there_${s}:
<@compute s, true/>
<#if epilogue != "gelu_gradient">
    bra computed_${s};
plain_${s}:
<@compute s, false/>
computed_${s}:
</#if>
<@put s, "out", "c"/>
</#if>
</#macro>

<#-- A slab's elements into %out, and what is stored to `extra` into %held.
     `whole`: with all that there may be besides the sums. -->
<#macro compute s whole>
<#if float>
<#list 0..<4 as j>
<#list 0..1 as half>
<#local sum = (4 * s + j) * 4 + 2 * half>
<#local out = 4 * j + 2 * half>
    selp.f32 %y${out}, %sum${sum + 1}, %sum${sum}, %odd_row;
    selp.f32 %y${out + 1}, %sum${sum}, %sum${sum + 1}, %odd_row;
</#list>
<#if whole>
    add.u32 %at, %source, %place${j};
    xor.b32 %at_next, %at, 4;
<#list 0..1 as half>
    ld.shared.f32 %e${2 * half}, [%at + ${half * 1024}];
    ld.shared.f32 %e${2 * half + 1}, [%at_next + ${half * 1024}];
</#list>
</#if>
<#list 0..<4 as i>
<@finish i, "%y" + (4 * j + i), "", whole?then("%e" + i, f32(0))/>
</#list>
</#list>
<#elseif !whole>
<#list 0..<32 as i>
    add.f32 %sum${32 * s + i}, %sum${32 * s + i}, ${f32(0)}; // as a bias and a residual of 0
</#list>
<@pack "out", "sum", 32 * s, 16/>
<#else>
<#if epilogue == "bf16">
    @!%has_extra bra no_extra_${s};
</#if>
<#if reads_extra>
<#list 0..<4 as j>
    add.u32 %at, %source, %place${j};
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 ${registers("held", 4 * j, 4)}, [%at];
</#list>
</#if>
<#if epilogue == "bf16">
    bra extra_is_read_${s};
no_extra_${s}:
<#list 0..<16 as i>
    mov.b32 %held${i}, 0;
</#list>
extra_is_read_${s}:
</#if>
<#if adds_bias>
    cvt.f32.bf16 %bias_left, %own_bias${2 * s};
    cvt.f32.bf16 %bias_right, %own_bias${2 * s + 1};
</#if>
<#list 0..<4 as j>
<#if adds_bias>
<#list 0..<4 as i>
    shfl.sync.idx.b32 %bias${i}, %bias_${(j lt 2)?then("left", "right")}, %holder${j % 2 * 4 + i}, 31, 0xffffffff;
</#list>
</#if>
<#if reads_extra>
<@unpack "held", 4 * j, "e"/>
</#if>
<#list [0, 1, 0, 1, 2, 3, 2, 3] as bias>
<@finish bias?index, "%sum" + (32 * s + 8 * j + bias?index), "%bias" + bias/>
</#list>
<@pack "out", "sum", 32 * s + 8 * j, 4, 4 * j/>
<#if !reads_extra>
<@pack "held", "e", 0, 4, 4 * j/>
</#if>
</#list>
</#if>
</#macro>

<#-- Pairs of floats, from number `first` on, to words of brain floats. -->
<#macro pack words floats first count at=0>
<#list 0..<count as i>
    cvt.rn.bf16x2.f32 %${words}${at + i}, %${floats}${first + 2 * i + 1}, %${floats}${first + 2 * i};
</#list>
</#macro>

<#-- Stores a slab of C or `extra`, the tile's output number o. -->
<#macro put o words matrix>
<#local at = o % used * slab_bytes>
    @%first_lane cp.async.bulk.wait_group.read ${used - 1};
<#if float> <#-- a matrix is stored when all lanes have come to that -->
    bar.warp.sync 0xffffffff;
</#if>
<#list 0..<4 as j>
<#if float>
<#list 0..1 as half>
    st.shared.f32 [%put${j} + ${at + half * 1024}], %y${4 * j + 2 * half};
    st.shared.f32 [%put_next${j} + ${at + half * 1024}], %y${4 * j + 2 * half + 1};
</#list>
<#else>
    stmatrix.sync.aligned.m8n8.x4.shared.b16 [%put${j} + ${at}], ${registers(words, 4 * j, 4)};
</#if>
</#list>
    @!%mapped bra by_elements_${o};
    fence.proxy.async.shared::cta;
    bar.warp.sync 0xffffffff;
<#if matrix == "c">
    @%first_lane cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%c_map, {%column, %first_line, %split}], [%slab + ${at}];
<#else>
    @%first_lane cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%extra_map, {%column, %first_line}], [%slab + ${at}];
</#if>
    @%first_lane cp.async.bulk.commit_group;
    bra stored_${o};
by_elements_${o}:
    bar.warp.sync 0xffffffff;
<@copy_elements o, o % used, matrix, true/>
stored_${o}:
</#macro>

<#-- Copies a slab of C or `extra`, from shared memory if `out`, else what is outside of the matrix as 0. A lane has the same
     places either way. -->
<#macro copy_elements id buffer matrix out>
<#local type = "b" + 8 * element_bytes>
    add.u32 %element, %column, %lane;
<@element_address "%c_at", "%" + matrix, (matrix == "c")?then("%ldc", "%ld_extra"), "%first_line", "%element"/>
    mov.u32 %row, 0;
next_row_${id}:
    add.u32 %line, %first_line, %row;
    setp.lt.u32 %line_inside, %line, %m;
    mad.lo.u32 %at, %lane, ${element_bytes}, %slab;
    mad.lo.u32 %at, %row, 128, %at;
    and.b32 %t, %row, 7;
    shl.b32 %t, %t, 4;
    xor.b32 %at, %at, %t;
<#list 0..<slab_columns / 32 as part>
<#if part gt 0>
    xor.b32 %at, %at, 64;
</#if>
    add.u32 %t, %element, ${32 * part};
    setp.lt.and.u32 %inside, %t, %n, %line_inside;
<#if out>
    ld.shared.${type} %value, [%at + ${buffer * slab_bytes}];
    @%inside st.global.${type} [%c_at + ${64 * part}], %value;
<#else>
    mov.${type} %value, 0;
    @%inside ld.global.${type} %value, [%c_at + ${64 * part}];
    st.shared.${type} [%at + ${buffer * slab_bytes}], %value;
</#if>
</#list>
    add.u64 %c_at, %c_at, ${(matrix == "c")?then("%c_step", "%extra_step")};
    add.u32 %row, %row, 1;
    setp.lt.u32 %more, %row, 16;
    @%more bra next_row_${id};
</#macro>

<#-- Gives the stages of `extra` free. -->
<#macro release_extra>
    @!%extra_comes bra extra_is_released;
    bar.sync %own_barrier, 128;
<#list 0..<extra_stages as i>
    @%leader ${arrive} _, [%extra_empty${i}];
</#list>
extra_is_released:
</#macro>

<#-- Before the warp ends. -->
<#macro await_stores>
    @%first_lane cp.async.bulk.wait_group.read 0;
</#macro>
