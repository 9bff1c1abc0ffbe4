package org.quern.executor;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.gpu.CacheFolder;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.ProductPlans;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;
import tools.jackson.core.JacksonException;

/// How matrix products and the gradient of attention are computed on a device, as measured there by `quern kernels
/// tune`: a table of JSON for a device, the user's own in the [cache][CacheFolder], else the one that comes along.
/// For what is not in it, the kernels' models choose.
///
/// A table decides in which order sums are added: with another one, a run goes on with other last bits.
///
/// @param device its name
/// @param driver that the times were measured with
/// @param quern version of the kernels
/// @param date of the last measurement
/// @param command as it was typed
/// @param kernels hash of their text
public record TunedPlans(
        String device,
        int multiprocessors,
        String driver,
        String quern,
        String date,
        String command,
        String kernels,
        List<Row> products,
        List<AttentionRow> attentions)
        implements ProductPlans {
    private static final TunedPlans NONE = new TunedPlans("", 0, "", "", "", "", "", List.of(), List.of());
    private static final Map<String, TunedPlans> TABLES = new ConcurrentHashMap<>();

    /// A product and its fastest plan.
    ///
    /// @param use of the product that was timed
    /// @param tile of the kernels of the provider
    /// @param seconds of a launch, the median
    /// @param spread of its rounds, a part of the median
    /// @param modelSeconds of the plan that is chosen without a table; 0 if it did not run
    /// @param plans that were timed
    public record Row(
            String use,
            KernelProvider provider,
            Shape shape,
            String tile,
            int splits,
            double seconds,
            double spread,
            double modelSeconds,
            int plans) {
        public Row {
            if (splits < 1) {
                throw new IllegalArgumentException("splits must be at least 1: got " + splits);
            }
        }
    }

    /// The gradient of an attention in its faster form.
    ///
    /// @param use of the attention that was timed
    /// @param seconds of a launch, the median
    /// @param spread of its rounds, a part of the median
    /// @param otherSeconds of the other form; 0 if it did not run, or was wrong
    public record AttentionRow(
            String use, Attention.Shape shape, Gradient gradient, double seconds, double spread, double otherSeconds) {}

    /// The table of a device; an empty one if there is none.
    ///
    /// @throws QuernException naming the file, if it is none of ours
    public static TunedPlans of(DeviceProperties device) {
        TunedPlans plans = TABLES.computeIfAbsent(device.name(), name -> {
            Path own = file(name);
            return Files.exists(own) ? read(own) : shipped(name).orElse(NONE);
        });
        return plans.multiprocessors == device.multiprocessors() ? plans : NONE;
    }

    /// The user's own table of a device.
    public static Path file(String device) {
        return CacheFolder.path().resolve("tuned").resolve(fileName(device));
    }

    private static String fileName(String device) {
        return device.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-") + ".json";
    }

    private static Optional<TunedPlans> shipped(String device) {
        String name = "tuned/" + fileName(device);
        try (InputStream in = TunedPlans.class.getResourceAsStream(name)) {
            return in == null ? Optional.empty() : Optional.of(parse(in.readAllBytes(), name));
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(name), e);
        }
    }

    /// @throws QuernException naming the file, if it cannot be read
    public static TunedPlans read(Path file) {
        try {
            return parse(Files.readAllBytes(file), file.toString());
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(file), e);
        }
    }

    private static TunedPlans parse(byte[] json, String source) {
        try {
            return Json.MAPPER.readValue(json, TunedPlans.class);
        } catch (JacksonException e) {
            throw QuernException.data("%s must be a table of `quern kernels tune`: %s; remove it, or tune again"
                    .formatted(source, e.getOriginalMessage()));
        }
    }

    /// Writes the table; a reader sees the old one or the new one.
    public void write(Path file) {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            Path part = Files.createTempFile(
                    file.toAbsolutePath().getParent(), file.getFileName().toString(), ".part");
            try {
                Files.write(part, Json.pretty(this));
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            throw QuernException.io("%s could not be written".formatted(file), e);
        }
    }

    /// With a row for another product, or instead of an older one.
    public TunedPlans with(Row row, String newDate) {
        List<Row> rows = new ArrayList<>(products);
        rows.removeIf(other -> other.provider == row.provider && other.shape.equals(row.shape));
        rows.add(row);
        return new TunedPlans(device, multiprocessors, driver, quern, newDate, command, kernels, rows, attentions);
    }

    /// With a row for another attention, or instead of an older one.
    public TunedPlans with(AttentionRow row, String newDate) {
        List<AttentionRow> rows = new ArrayList<>(attentions);
        rows.removeIf(other -> other.shape.equals(row.shape));
        rows.add(row);
        return new TunedPlans(device, multiprocessors, driver, quern, newDate, command, kernels, products, rows);
    }

    public Optional<AttentionRow> row(Attention.Shape shape) {
        return attentions.stream().filter(row -> row.shape.equals(shape)).findFirst();
    }

    /// The form of the gradient of attention: the table's, of this attention, else of one that differs in the number
    /// of sequences alone and is alike to the kernels' model, else the only form that was right for heads of that
    /// size, else the model's.
    Gradient attentionGradient(DeviceProperties properties, Attention.Shape shape) {
        Gradient modelled = Gradient.choose(properties, shape);
        return row(shape)
                .or(() -> attentions.stream()
                        .filter(row -> sequence(row.shape).equals(sequence(shape))
                                && Gradient.choose(properties, row.shape) == modelled)
                        .findFirst())
                .or(() -> attentions.stream()
                        .filter(row -> row.shape.headDim() == shape.headDim() && row.otherSeconds == 0)
                        .findFirst())
                .map(AttentionRow::gradient)
                .orElse(modelled);
    }

    /// An attention, however many sequences there are.
    private static Attention.Shape sequence(Attention.Shape shape) {
        return new Attention.Shape(
                1, shape.length(), shape.heads(), shape.keyValueHeads(), shape.headDim(), shape.window());
    }

    public Optional<Row> row(KernelProvider provider, Shape shape) {
        return products.stream()
                .filter(row -> row.provider == provider && row.shape.equals(shape))
                .findFirst();
    }

    /// The plan for a product by `mma.sync`: the table's, else that of the kernels' model.
    @Override
    public MatMulPlan warps(DeviceProperties properties, Shape shape) {
        return plan(KernelProvider.PTX, shape, Stream.of(MatMulPlan.Tile.values()), MatMulPlan::new)
                .orElseGet(() -> MODELLED.warps(properties, shape));
    }

    /// The plan for a product by `wgmma`: the table's, else that of the kernels' model.
    @Override
    public WarpgroupMatMulPlan warpgroups(DeviceProperties properties, Shape shape) {
        return plan(KernelProvider.WARPGROUPS, shape, WarpgroupMatMulPlan.TILES.stream(), WarpgroupMatMulPlan::new)
                .orElseGet(() -> MODELLED.warpgroups(properties, shape));
    }

    /// The plan for a product in floats of 8 bits: the table's, else that of the kernels' model.
    @Override
    public Fp8MatMul.Plan fp8(DeviceProperties properties, Shape shape) {
        return plan(KernelProvider.FP8, shape, Fp8MatMul.TILES.stream(), Fp8MatMul.Plan::new)
                .orElseGet(() -> MODELLED.fp8(properties, shape));
    }

    private interface Maker<T, P extends ProductPlan> {
        P make(T tile, int splits);
    }

    /// Tiles that there are no more are as if they had not been measured.
    private <T extends Enum<T>, P extends ProductPlan> Optional<P> plan(
            KernelProvider provider, Shape shape, Stream<T> tiles, Maker<T, P> maker) {
        return nearest(provider, shape)
                .flatMap(row -> tiles.filter(tile -> tile.name().equals(row.tile))
                        .findFirst()
                        .map(tile -> maker.make(tile, row.splits)))
                .filter(plan -> plan.workspaceBytes(shape.m(), shape.n()) <= ProductPlan.WORKSPACE_LIMIT);
    }

    /// That of the product, else of the one that differs in the number of tokens alone, by up to a factor of 4.
    Optional<Row> nearest(KernelProvider provider, Shape shape) {
        return products.stream()
                .filter(row -> row.provider == provider
                        && layer(provider, row.shape).equals(layer(provider, shape))
                        && distance(row.shape, shape) <= Math.log(4))
                .min(Comparator.comparingDouble(row -> distance(row.shape, shape)));
    }

    private static double distance(Shape a, Shape b) {
        return Math.abs(Math.log((double) tokens(a) / tokens(b)));
    }

    /// Of a layer's activations: the rows of A, which a gradient of weights sums over.
    private static int tokens(Shape shape) {
        return shape.transposeA() ? shape.k() : shape.m();
    }

    /// A product, whatever its tokens. Floats of 8 bits are stored along k, however the layer has them.
    private static Shape layer(KernelProvider provider, Shape shape) {
        boolean transposeB = shape.transposeB() || provider == KernelProvider.FP8;
        return shape.transposeA()
                ? new Shape(shape.m(), shape.n(), 0, true, transposeB)
                : new Shape(0, shape.n(), shape.k(), false, transposeB);
    }
}
