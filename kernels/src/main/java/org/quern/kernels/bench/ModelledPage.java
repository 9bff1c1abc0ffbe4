package org.quern.kernels.bench;

import java.util.List;
import java.util.Locale;
import org.quern.kernels.bench.ModelledTimes.Limit;
import org.quern.kernels.bench.ModelledTimes.Side;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

/// [ModelledTimes] as a section of `kernels/KERNELS.md`.
public final class ModelledPage {
    private final ModelledTimes modelled = new ModelledTimes();

    /// The section.
    public static String markdown() {
        ModelledPage page = new ModelledPage();
        return page.kernels() + page.forms() + page.tiles() + page.layers();
    }

    private String kernels() {
        StringBuilder text = new StringBuilder("""

                ## Modelled times

                What the kernels do for the sizes of training, counted on the emulator (tiles and steps of small launches, times
                their number), and the time that the busiest part of the device needs for it at these rates. Where tensor cores
                wait while a tile is finished: products, and then what that takes of issue slots, special functions or shared
                memory. Nothing here was measured: there is no latency in it, and of caches only the rate of the L2 (H100:
                arXiv:2402.13499). What tensor maps move, tiles of C among it, goes on beside products, and counts for the L2
                cache and device memory alone. Products by the plan that is chosen without a table, with the multiprocessors that
                the last round of tiles leaves idle.

                """);
        for (DeviceRates rates : List.of(DeviceRates.A100, DeviceRates.H100)) {
            text.append("- %s: tensor cores %.1f TFLOP/s, L2 cache %.1f TB/s, device memory %.2f TB/s\n"
                    .formatted(
                            rates.device(),
                            rates.matrixFlopPerSecond() / 1e12,
                            rates.l2BytesPerSecond() / 1e12,
                            rates.bytesPerSecond() / 1e12));
        }
        text.append("""

                | kernel | sm_80 on an A100 | limited by | TFLOP/s | sm_90a on an H100 | limited by | TFLOP/s |
                |---|--:|---|--:|--:|---|--:|
                """);
        for (Product product : BenchmarkCatalog.products()) {
            text.append(line(product)).append('\n');
        }
        for (AttentionTraining training : AttentionBenchmarks.TRAININGS) {
            for (int pass = 0; pass < 2; pass++) {
                text.append(line(training, pass)).append('\n');
            }
        }
        return text.toString();
    }

    private String forms() {
        StringBuilder text = new StringBuilder("""

                ### Forms of attention's gradient

                By two kernels, and fused, with its scratch and with the multiprocessors that are left without a head. What the
                L2 cache does not hold of Q, dOut and sums of dQ until the next tile of keys needs it is moved through device
                memory.

                | kernel | two kernels | limited by | TFLOP/s | fused | limited by | TFLOP/s | scratch |
                |---|--:|---|--:|--:|---|--:|--:|
                """);
        AttentionBenchmarks.TRAININGS.forEach(
                training -> text.append(forms(training)).append('\n'));
        return text.toString();
    }

    private String tiles() {
        StringBuilder text = new StringBuilder("""

                ### Tiles of warpgroups

                The same for each tile, by its best split of k, in TFLOP/s. Copies to both blocks of a pair are read once from
                the L2 cache, as the emulator counts their sectors. A letter names the limit: L2 cache, tensor cores, device
                memory, or products and then ends.

                """);
        text.append("| product |");
        for (WarpgroupMatMulPlan.Tile tile : WarpgroupMatMulPlan.TILES) {
            text.append(" %s |".formatted(tile));
        }
        text.append("\n|---|").repeat("--:|", WarpgroupMatMulPlan.TILES.size()).append('\n');
        for (Product product : BenchmarkCatalog.products()) {
            text.append(tiles(product)).append('\n');
        }
        return text.toString();
    }

    private String layers() {
        StringBuilder text =
                new StringBuilder("""

                ### Linear layers in floats of 8 bits

                On an H100, whose tensor cores multiply %.1f TFLOP/s of such floats: the products of a layer, and what makes
                such floats of its input and of the gradient of its output, once as they are and once transposed. Weights become
                such floats once an update. Milliseconds; of products, TFLOP/s and the letter of the limit behind them. The last
                columns: all of it, the same layer's products of brain floats, and how much faster it is.

                | layer | forward | dx | dw | input | gradient | all | bf16 | |
                |---|---|---|---|--:|--:|--:|--:|--:|
                """.formatted(DeviceRates.H100.ofBytes().matrixFlopPerSecond() / 1e12));
        MatMulBenchmarks.LAYERS.stream()
                .filter(layer -> layer.products().allMatch(Product::mayBeInBytes))
                .forEach(layer -> text.append(line(layer)).append('\n'));
        return text.toString();
    }

    /// A product by each tile.
    String tiles(Product product) {
        Side side = Side.WARPGROUPS;
        StringBuilder text = new StringBuilder("| %s %s |".formatted(product.use(), product.sizes()));
        for (WarpgroupMatMulPlan.Tile tile : WarpgroupMatMulPlan.TILES) {
            Limit limit =
                    modelled.product(side, WarpgroupMatMulPlan.choose(side.device(), tile, product.shape()), product);
            text.append(String.format(
                    Locale.ROOT,
                    " %.0f %s |",
                    product.flop() / limit.seconds() / 1e12,
                    limit.part().charAt(0)));
        }
        return text.toString();
    }

    /// A product by both architectures.
    String line(Product product) {
        StringBuilder text = new StringBuilder("| %s".formatted(product.name()));
        for (Side side : Side.values()) {
            ProductPlan plan = side.plan(product.shape());
            text.append(columns(
                    "%s, k in %d: ".formatted(plan.tile().name(), plan.splits()),
                    modelled.product(side, plan, product),
                    product.flop()));
        }
        return text.append(" |").toString();
    }

    /// A layer in floats of 8 bits.
    String line(MatMulBenchmarks.Layer layer) {
        Side side = Side.WARPGROUPS;
        StringBuilder text = new StringBuilder("| %s |".formatted(layer.name()));
        double input = modelled.quantize(layer.rows(), layer.inputs()).seconds();
        double gradient = modelled.quantize(layer.rows(), layer.outputs()).seconds();
        double all = input + gradient;
        double brainFloats = 0;
        for (Product product : layer.products().toList()) {
            Shape shape = product.shape();
            Fp8MatMul.Plan plan = Fp8MatMul.Plan.choose(side.device(), shape.m(), shape.n(), shape.k());
            Limit limit = modelled.product(side, plan, product);
            text.append(String.format(
                    Locale.ROOT,
                    " %s, k in %d: %.3f, %.0f %s |",
                    plan.tile().name(),
                    plan.splits(),
                    1e3 * limit.seconds(),
                    product.flop() / limit.seconds() / 1e12,
                    limit.part().charAt(0)));
            all += limit.seconds();
            brainFloats += modelled.product(side, side.plan(shape), product).seconds();
        }
        return text.append(String.format(
                        Locale.ROOT,
                        " %.3f | %.3f | %.3f | %.3f | %+.0f %% |",
                        1e3 * input,
                        1e3 * gradient,
                        1e3 * all,
                        1e3 * brainFloats,
                        100 * (brainFloats / all - 1)))
                .toString();
    }

    /// @param pass 0 forward, 1 backward
    String line(AttentionTraining training, int pass) {
        KernelBenchmark benchmark = AttentionBenchmarks.training(training.use(), training.shape())
                .toList()
                .get(pass);
        StringBuilder text = new StringBuilder("| " + benchmark.name());
        for (Side side : Side.values()) {
            text.append(columns(
                    ModelledTimes.isFused(side, training.shape(), pass) ? "fused: " : "",
                    modelled.attention(side, training.shape(), pass, benchmark.bytes()),
                    benchmark.flop()));
        }
        return text.append(" |").toString();
    }

    /// The forms of the gradient of an attention.
    String forms(AttentionTraining training) {
        Attention.Shape shape = training.shape();
        KernelBenchmark benchmark =
                AttentionBenchmarks.training(training.use(), shape).toList().getLast();
        StringBuilder text = new StringBuilder("| " + benchmark.name());
        for (Gradient form : List.of(Gradient.TWO_KERNELS, Gradient.FUSED)) {
            text.append(columns("", modelled.gradient(form, shape, benchmark.bytes()), benchmark.flop()));
        }
        return text.append(
                        " | %.0f MB |".formatted(Gradient.FUSED.workspaceBytes(Side.WARPGROUPS.device(), shape) / 1e6))
                .toString();
    }

    private static String columns(String plan, Limit limit, double flop) {
        return String.format(
                Locale.ROOT,
                " | %s%.3f ms | %s | %.0f",
                plan,
                1e3 * limit.seconds(),
                limit.part(),
                flop / limit.seconds() / 1e12);
    }
}
