package org.quern.kernels.check;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.quern.kernels.check.Mutations.Mutation;

/// Why nobody finds some of the faults.
final class Survivors {
    private static final List<Reason> REASONS = List.of(
            same(".*", "add.u64 %end, %tile, \\d+;", "a last whole tile goes vector by vector, with the same results"),
            same(
                    ".*",
                    "mad.lo.u32 %ahead, %(row_)?step, \\d+, %row;|add.u32 %ahead, %column, \\d+;",
                    "the last rows or columns go one by one instead of several at a time, with the same results"),
            same(
                    "embedding|norm",
                    "add.u32 %column, %(column, (256|1024)|first, \\d+);",
                    "a bound is compared with multiples of the vector, where one more makes no difference"),
            same(
                    "cross_entropy",
                    "mad.lo.u32 %index, %threads, 8, %index;|mul.wide.u32 %offset, %index, 2;",
                    "behind pairs of vectors there is at most one, and what would follow it is not used"),
            same(
                    "norm",
                    "add.u64 %(xa|brancha), %(xa|brancha), \\d+;|add.u32 %shared1, %shared0, \\d+;",
                    "of a sum, x and what is added are read in the first pass only; norms of one sum have one place for it"),
            same("sampling", "shr.s32 %t, %t, 31;", "a shift by 32 is one by 31: both fill the register with the sign"),
            same("sampling", "shfl.sync.\\w+.b32 %high, %high, .* // 0 in", "a number of tokens has no upper word"),
            same("sampling", ".* // an id, not needed", "a draw needs the key of the likeliest token alone"),
            same(
                    "sampling",
                    "add.u32 %t, %columns, \\d+;|mul.lo.u32 %t, %t, 32;",
                    "segments may be longer than they need be; a warp ends at its point, before what is another's"),
            missed(
                    "sampling",
                    "add.u32 %(id|t), %id, \\d+;|shl.b32 %t, %t, 16;",
                    "in one pass, the last ids of a row, or those of a warp's later rounds, where no draw depends on them"),
            missed(
                    "adamw|pointwise",
                    "xor.b32 %high1, %high1, %random1;",
                    "the upper word of an element's number, which is 0 in tensors of less than 2^34 elements"),
            same("sort", "add.u32 %at, %at, 256;", "the last of a series of advances, whose result is not used"),
            same(
                    "attention_.*",
                    "bar.warp.sync 0xffffffff; // keeps",
                    "it is there for the assembler; nothing is exchanged"),
            same(
                    "attention_.*",
                    "bar.warp.sync 0xffffffff; // all lanes",
                    "the rows were read by operations of the whole warp, which no lane runs ahead of"),
            same(
                    "attention_.*",
                    "mad.wide.u32 (pointer|keys|values|queries|offset), (\\w+_)?step, 1,|add.s32 (load_row|copy_row|row), "
                            + "|mul.lo.u32 step, out_step,",
                    "the last of a series of advances, whose result is not used"),
            same(
                    "attention_.*",
                    "add.[su]32 ((end|last), first|size, size|row_tiles, rows|column, key|mask_low, mask_low), "
                            + "|add.s32 low, low, 1; // the first key of the last window",
                    "a bound of what is skipped or masked as a whole: more is looked at, with the same results"),
            missed("attention_backward", "add.u32 row, row, \\d+;", "sequences of more than 8,192 tokens, a slow case"),
            missed(
                    "attention_.*",
                    "sub.s32 seen, |add.[su]32 (key_first|column), ",
                    "the edge of a window or a document at one place of a tile, which the cases of that head size lack"),
            missed(
                    "attention_.*",
                    "cp.async.cg|xor.b32 address, target,|sub.u32 copy_row,|shl.b64 offset, at,|mad.wide.u32 out, row,|@more |"
                            + "sub.u32 left,",
                    "keys that end within a tile, fill more of them or are split over blocks, at one head size"),
            same(
                    "matmul",
                    "add.u32 %t, %(n0|write), |add.u32 %tiles_n, %n,",
                    "a bound that is compared with multiples of a tile or a stage, or another way to the same results"),
            same(
                    "matmul",
                    "add.u32 %row, %row, |add.u64 %[ab]_source, %[ab]_source, |add.u32 %(extra_)?line, %(extra_)?line, ",
                    "the last of a series of advances, whose result is not used"),
            same(
                    "matmul",
                    "mul.wide.u32 %from, %(ldc|ld_extra), |add.u32 %u, %k, 31;",
                    "by elements what could go in pieces of 16 bytes, or a tile of zeros more, with the same results"),
            same(
                    "attention_(forward|backward|gradient)",
                    "or.b64 (value_matrix|stage_columns_matrix|own_columns), wide, 0x400000400[24]000000;",
                    "the distance of boxes, of which a head of 64 has one"),
            missed(
                    "attention_forward",
                    "mad.lo.u32 first_seen, group, 64, first;",
                    "a document that begins where a tile of keys ends one behind a warpgroup's first query"),
            same(
                    "matmul|attention_(forward|backward|gradient)",
                    "or.b64 (%desc_[ab]0, %desc_[ab]0|\\w+_matrix, wide), 0x4000004000010000;",
                    "the leading offset of a swizzled matrix with its rows along k, which has no meaning"),
            same(
                    "matmul",
                    "add.u32 %k, %k, (63|127);|add.u32 %tiles_m, %m, 127;|add.u32 %t, %column, \\d+;",
                    "tiles of zeros more, or of which nothing is stored; a bound compared with multiples of the vector"),
            same(
                    "quantize",
                    "add.u32 %t, %column, \\d+;",
                    "a bound within 8 columns, where the columns are a multiple of 8"),
            same(
                    "quantize|norm(_gradient)?|reduction|sampling",
                    "@%first st.shared.u32 |@%p st.shared.(f32 \\[%slot|u64 \\[%t\\], %best|v2.u64 \\[%t\\], \\{%sum, %w)",
                    "all lanes of a warp have the same number"),
            missed("embedding_gradient", "add.u32 %i, %i, 1024;", "an id with rows in more than 1,024 ranges"),
            same("matmul", "and.b32 %t, %band, 1;", "another order of the tiles"),
            same(
                    "matmul",
                    "or.b64 %desc_a0, %desc_a0, 0x4000004002000000;",
                    "the distance of boxes, of which a product's 64 rows of A have one"),
            same("matmul", "add.u32 %own_barrier, ", "another barrier, which nobody else uses"),
            same(
                    "matmul",
                    "@%first_lane cp.async.bulk.wait_group.read 0; // the next item",
                    "where a warp has one slab, or stores two of each piece of C, the next item waits for the first one itself"),
            same(
                    "matmul",
                    "mbarrier.try_wait.parity.acquire.cluster.*// only the own block",
                    "only what the own block's consumers have read is written"),
            same(
                    "matmul",
                    "@%leader mbarrier.arrive.release.cluster.shared::cluster.b64 _, \\[%extra_empty[1-9]\\];",
                    "what was read is told by the arrival before, for which producers wait first"),
            missed(
                    "matmul",
                    "@%leader mbarrier.arrive.* _, \\[%extra_empty",
                    "all other threads arrive instead of one, an odd number: the phase ends too early, but nothing comes in between"),
            same("norm_gradient", "add.u32 %place, %place, ", "columns and their bound are multiples of 4"),
            missed(
                    "matmul",
                    "shl.b32 %(tile_m, %band|band_tiles, %tiles_n), 3;|add.u32 %t, %element, |and.b32 %t, %n, "
                            + "|mad.lo.u32 %row, %copied, ",
                    "results of more than 8 rows of tiles, or ends of k or of columns at one place of a tile, with that "
                            + "epilogue"),
            missed(
                    "sampling",
                    "sub.u64 %target, %target, 1;|shfl.sync.idx.b32 %low, %low, 31,",
                    "a draw at the last unit of a sum, or the lower word of a last lane's sum, where no row has them"));

    private Survivors() {}

    /// @param templates that it holds for, without their architecture
    /// @param places instructions, with what the file remarks behind them
    /// @param equivalent whether the fault makes no difference to any input, rather than to the cases' alone
    record Reason(Pattern templates, Pattern places, boolean equivalent, String why) {
        @Override
        public String toString() {
            return (equivalent ? "equivalent: " : "missed: ") + why;
        }
    }

    private static Reason same(String templates, String places, String why) {
        return new Reason(Pattern.compile(templates), Pattern.compile(places), true, why);
    }

    private static Reason missed(String templates, String places, String why) {
        return new Reason(Pattern.compile(templates), Pattern.compile(places), false, why);
    }

    static Optional<Reason> reason(String template, Mutation survivor) {
        return REASONS.stream()
                .filter(reason -> reason.templates
                                .matcher(template.substring(0, template.indexOf('.')))
                                .matches()
                        && reason.places.matcher(survivor.place()).lookingAt())
                .findFirst();
    }
}
