<#--
  What the attention kernels share: tiles of bf16 rows in shared memory, and products of their fragments.

  A tile holds rows of one head, head_size columns each. A row's 16-byte chunk c lies at chunk c ^ swizzle(row), so
  that eight rows' chunks of one column, which ldmatrix reads, and eight chunks of neighbouring threads, which cp.async
  writes, lie in different banks. Tiles are aligned to 256 bytes: a column is then chosen by xor with the address.

  Fragments are mma.m16n8k16's: of 16 x 16 A a thread holds 4 registers of two neighbouring columns each, rows lane / 4
  and + 8, columns 2 (lane % 4) and + 8; of 16 x 8 accumulators 4 floats: rows lane / 4 and + 8, columns
  2 (lane % 4) and + 1. Accumulators of m16 x n8 tiles are numbered 4 (m n8_tiles + n) + i.
-->
<@columns_are head_size/>
<#-- How many columns tiles have. -->
<#macro columns_are count>
<#assign row_bytes = 2 * count>
<#assign chunks = count / 8>
<#assign head_steps = count / 16>
</#macro>
<#assign swizzle_mask = min(chunks, 8) - 1>
<#assign minus_infinity = "0fFF800000">
<#assign swizzle_shift = log2(8 / min(chunks, 8))>

<#-- The bits that the swizzle flips in an address of this row, where the other rows' bits are elsewhere. -->
<#function swizzle row>
    <#return 16 * ((row * (swizzle_mask + 1) / 8)?floor % (swizzle_mask + 1))>
</#function>

<#-- offset = where chunk `chunk` of row `row` lies in a tile, by default its first. -->
<#macro place offset row chunk="">
<#if swizzle_shift != 0>
    shr.u32 ${offset}, ${row}, ${swizzle_shift};
    and.b32 ${offset}, ${offset}, ${swizzle_mask};
<#else>
    and.b32 ${offset}, ${row}, ${swizzle_mask};
</#if>
<#if chunk != "">
    xor.b32 ${offset}, ${offset}, ${chunk};
</#if>
    shl.b32 ${offset}, ${offset}, 4;
    mad.lo.u32 ${offset}, ${row}, ${row_bytes}, ${offset};
</#macro>

<#-- Where this lane's row of A fragments lies: matrices (rows 0-7, 8-15) of chunk 0, then of chunk 1. So lie also the
     transposed B fragments of a tile whose rows are summed over. -->
<#macro place_a offset>
    and.b32 row, lane, 15;
    shr.u32 chunk, lane, 4;
<@place offset "row" "chunk"/>
</#macro>

<#-- Where this lane's row of B fragments lies, of a tile whose rows are the product's columns: chunks (0, 1) of rows
     0-7, then of rows 8-15. -->
<#macro place_b offset>
    shr.u32 row, lane, 4;
    shl.b32 row, row, 3;
    and.b32 chunk, lane, 7;
    add.u32 row, row, chunk;
    shr.u32 chunk, lane, 3;
    and.b32 chunk, chunk, 1;
<@place offset "row" "chunk"/>
</#macro>

<#-- Starts copying `rows` rows from `pointer`, which is advanced, to the tile at `target` by `threads` threads; rows
     from `limit` on are zeros. `row` is the number of this thread's first, and is advanced. -->
<#macro copy rows threads pointer row limit target step>
    <#local rows_per_pass = threads / chunks>
    <#list 0..<(rows / rows_per_pass) as i>
    <#local flip = swizzle(i * rows_per_pass)>
    setp.lt.s32 inside, ${row}, ${limit};
    selp.b32 size, 16, 0, inside;
    <#if flip != 0>
    xor.b32 address, ${target}, ${flip};
    </#if>
    cp.async.cg.shared.global [${(flip != 0)?then("address", target)} + ${i * rows_per_pass * row_bytes}], [${pointer}], 16, size;
    mad.wide.u32 ${pointer}, ${step}, 1, ${pointer};
    add.s32 ${row}, ${row}, ${rows_per_pass};
    </#list>
</#macro>

<#-- c += a b; b of the last ldmatrix. -->
<#macro mma c ci a ai bi>
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {${c}${ci}, ${c}${ci + 1}, ${c}${ci + 2}, ${c}${ci + 3}}, {${a}${ai}, ${a}${ai + 1}, ${a}${ai + 2}, ${a}${ai + 3}}, {b${bi}, b${bi + 1}}, {${c}${ci}, ${c}${ci + 1}, ${c}${ci + 2}, ${c}${ci + 3}};
</#macro>

<#-- The A fragments of all columns of a warp's m16_tiles rows: register 4 (k m16_tiles + m) of `a`. -->
<#macro load_a a address>
    <#list 0..<head_steps as k>
<@load_a_step a=a ai=4 * k * m16_tiles address=address k=k/>
    </#list>
</#macro>

<#macro load_a_step a ai address k>
    xor.b32 address, ${address}, ${32 * k};
    <#list 0..<m16_tiles as m>
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {${a}${ai + 4 * m}, ${a}${ai + 4 * m + 1}, ${a}${ai + 4 * m + 2}, ${a}${ai + 4 * m + 3}}, [address + ${m * 16 * row_bytes}];
    </#list>
</#macro>

<#-- c = a b^T over the head's columns: the warp's rows times the n8_tiles * 8 rows of the tile at b_address. A is in
     registers `a`, or, if `a_address` is given, loaded into them step by step. -->
<#macro times_rows c a b_address a_address="">
    <#list 0..<(4 * m16_tiles * n8_tiles) as i>
    mov.f32 ${c}${i}, ${f32(0)};
    </#list>
    <#list 0..<head_steps as k>
    <#if a_address != "">
<@load_a_step a=a ai=0 address=a_address k=k/>
    </#if>
    xor.b32 address, ${b_address}, ${32 * k};
    <#list 0..<(n8_tiles / 2) as n>
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {b0, b1, b2, b3}, [address + ${n * 16 * row_bytes}];
    <#list 0..<m16_tiles as m>
    <#list 0..1 as half>
<@mma c=c ci=4 * (m * n8_tiles + 2 * n + half) a=a ai=4 * m + (a_address == "")?then(4 * k * m16_tiles, 0) bi=2 * half/>
    </#list>
    </#list>
    </#list>
    </#list>
</#macro>

<#-- c += p b: the warp's weights, n8_tiles * 8 columns as A fragments in `p`, times the rows of the tile at b_address,
     head_size columns. -->
<#macro times_columns c p b_address>
    <#list 0..<head_steps as n>
    <#if (m16_tiles * head_steps >= 16) && n != 0 && n % 2 == 0>
    bar.warp.sync 0xffffffff; // keeps the assembler from loading far ahead, into registers that it lacks
    </#if>
    xor.b32 address, ${b_address}, ${32 * n};
    <#list 0..<(n8_tiles / 2) as k>
    ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {b0, b1, b2, b3}, [address + ${k * 16 * row_bytes}];
    <#list 0..<m16_tiles as m>
    <#list 0..1 as half>
<@mma c=c ci=4 * (m * 2 * head_steps + 2 * n + half) a=p ai=4 * (k * m16_tiles + m) bi=2 * half/>
    </#list>
    </#list>
    </#list>
    </#list>
</#macro>

<#-- Rounds accumulators of n8_tiles * 8 columns to A fragments. -->
<#macro as_fragments p c>
    <#list 0..<(n8_tiles / 2) as k>
    <#list 0..<m16_tiles as m>
    <#list 0..3 as i>
    <#local from = 4 * (m * n8_tiles + 2 * k + (i / 2)?floor) + 2 * (i % 2)>
    cvt.rn.bf16x2.f32 ${p}${4 * (k * m16_tiles + m) + i}, ${c}${from + 1}, ${c}${from};
    </#list>
    </#list>
    </#list>
</#macro>

<#-- Scores of keys that row `row` does not see become -infinity. It sees `low` and `span` keys more; both columns are
     counted from this thread's first. -->
<#macro hide s row>
    <#list 0..<n8_tiles as n>
    <#list 0..1 as i>
    <#local at = 4 * ((row / 2)?floor * n8_tiles + n) + 2 * (row % 2) + i>
    sub.s32 seen, ${8 * n + i}, low;
    setp.gt.u32 hidden, seen, span;
    selp.f32 ${s}${at}, ${minus_infinity}, ${s}${at}, hidden;
    </#list>
    </#list>
</#macro>

<#-- The online softmax of a tile of scores: s becomes exp(scale (s - max)), largest<r>, total<r> (of this thread's
     columns) and the weighted sums o are brought up to date. A row that sees no key yet has largest = -infinity, and
     subtracts 0 instead. -->
<#macro online_softmax s o>
    <#list 0..<(2 * m16_tiles) as r>
<@row_softmax s r "factor">
<@rescale o r "factor"/>
</@row_softmax>
    </#list>
</#macro>

<#-- The online softmax of row r; what is nested comes when it is known by which factor the sums so far become less. -->
<#macro row_softmax s r factor>
    <#local first = 4 * (r / 2)?floor * n8_tiles + 2 * (r % 2)>
    max.f32 peak, ${s}${first}, ${s}${first + 1};
    <#list 1..<n8_tiles as n>
    max.f32 peak, peak, ${s}${first + 4 * n};
    max.f32 peak, peak, ${s}${first + 4 * n + 1};
    </#list>
    shfl.sync.bfly.b32 other, peak, 1, 31, 0xffffffff;
    max.f32 peak, peak, other;
    shfl.sync.bfly.b32 other, peak, 2, 31, 0xffffffff;
    max.f32 peak, peak, other;
    max.f32 peak, peak, largest${r};
    setp.eq.f32 hidden, peak, ${minus_infinity};
    neg.f32 shift, peak;
    selp.f32 shift, ${f32(0)}, shift, hidden;
    mul.f32 shift, shift, scale;
    fma.rn.f32 ${factor}, largest${r}, scale, shift;
    ex2.approx.ftz.f32 ${factor}, ${factor};
    mov.f32 largest${r}, peak;
    mul.f32 total${r}, total${r}, ${factor};
    <#nested>
    <#list 0..<n8_tiles as n>
    <#list 0..1 as i>
    <#local at = first + 4 * n + i>
    fma.rn.f32 ${s}${at}, ${s}${at}, scale, shift;
    ex2.approx.ftz.f32 ${s}${at}, ${s}${at};
    add.f32 total${r}, total${r}, ${s}${at};
    </#list>
    </#list>
</#macro>

<#-- Multiplies the sums o of row r by a factor. -->
<#macro rescale o r factor>
    <#list 0..<(2 * head_steps) as n>
    <#list 0..1 as i>
    <#local at = 4 * ((r / 2)?floor * 2 * head_steps + n) + 2 * (r % 2) + i>
    mul.f32 ${o}${at}, ${o}${at}, ${factor};
    </#list>
    </#list>
</#macro>

<#-- Adds total<r> up over the four threads that share a row. -->
<#macro reduce_totals>
    <#list 0..<(2 * m16_tiles) as r>
    <#list [1, 2] as distance>
    shfl.sync.bfly.b32 other, total${r}, ${distance}, 31, 0xffffffff;
    add.f32 total${r}, total${r}, other;
    </#list>
    </#list>
</#macro>

<#-- Stores a warp's accumulators as bf16 rows, by way of its own rows of a tile in shared memory at `target`, so that
     memory is written in whole chunks. `out` is where the first row goes, and is changed, `step` the bytes from row to
     row. Of the rows, counted from `row`, which is changed, those below `end` are stored. -->
<#macro store_rows c target out step row end>
<@place "address" "quad"/>
    add.u32 address, address, ${target};
    shl.b32 word0, pair, 2;
    add.u32 address, address, word0;
    bar.warp.sync 0xffffffff; // all lanes have read the tile's rows
    <#list 0..<(2 * m16_tiles) as r>
    <#list 0..<(2 * head_steps) as n>
    <#local at = 4 * ((r / 2)?floor * 2 * head_steps + n) + 2 * (r % 2)>
    cvt.rn.bf16x2.f32 word0, ${c}${at + 1}, ${c}${at};
    xor.b32 word1, address, ${16 * n};
    st.shared.b32 [word1 + ${8 * r * row_bytes}], word0;
    </#list>
    </#list>
    bar.warp.sync 0xffffffff;
    shr.u32 size, lane, ${log2(chunks)};
    and.b32 chunk, lane, ${chunks - 1};
<@place "address" "size" "chunk"/>
    add.u32 address, address, ${target};
    add.u32 ${row}, ${row}, size;
    mad.wide.u32 ${out}, size, ${step}, ${out};
    mad.wide.u32 ${out}, chunk, 16, ${out};
    <#list 0..<(16 * m16_tiles * chunks / 32) as i>
    setp.lt.u32 inside, ${row}, ${end};
    xor.b32 word0, address, ${swizzle(i * 32 / chunks)};
    ld.shared.v4.b32 {word0, word1, word2, word3}, [word0 + ${i * 512}];
    @inside st.global.v4.b32 [${out}], {word0, word1, word2, word3};
    <#sep>
    mad.wide.u32 ${out}, ${step}, ${32 / chunks}, ${out};
    add.u32 ${row}, ${row}, ${32 / chunks};
    </#sep>
    </#list>
</#macro>
