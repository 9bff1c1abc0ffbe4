package org.quern.graph;

import java.util.List;
import java.util.Optional;

/// The operations that models, their gradients and their optimisers are made of.
///
/// Notation: N rows (tokens of a batch, B sequences of T), C columns, H query heads, K key-value heads of D
/// columns each, V the vocabulary. Tensors of tokens are [N, C]. Every executor has an exhaustive switch over
/// these, so that a new operation does not compile until every device has it.
public sealed interface Op {

    /// The shapes of the outputs.
    ///
    /// @throws IllegalArgumentException if the inputs do not fit
    List<Shape> outputShapes(List<Shape> inputs);

    /// The cost of a node of this operation.
    default Cost cost(Node node) {
        return new Cost(flopPerElement() * node.output(0).shape().size(), bytes(node));
    }

    /// The floating-point operations for an element of the first output, where that is all there is to say.
    default double flopPerElement() {
        return 1;
    }

    /// The inputs whose memory the first output may take over if nobody reads them later, the best one first.
    default List<Integer> inPlace() {
        return List.of();
    }

    /// Whether the outputs take little to compute from inputs that the gradient needs anyway.
    default boolean cheapToRecompute() {
        return false;
    }

    /// Adds the operations that compute the gradients of the inputs from those of the outputs.
    default void differentiate(Node node, Gradients gradients) {
        throw new IllegalStateException(this + " has no gradient");
    }

    // ---------------------------------------------------------------- linear

    /// What a product is to a linear layer of a model's blocks.
    enum Role {
        /// Nothing.
        OTHER,
        /// What the layer gives.
        FORWARD,
        /// A gradient: `a` is that of what the layer gave, `b` its weights or what it took.
        GRADIENT_A,
        /// The same the other way round.
        GRADIENT_B
    }

    /// op(a) op(b), each transposed or not; leading sizes of `a` are rows. Accumulation in fp32.
    record MatMul(boolean transposeA, boolean transposeB, Role role) implements Op {
        public MatMul(boolean transposeA, boolean transposeB) {
            this(transposeA, transposeB, Role.OTHER);
        }

        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape a = inputs.get(0);
            Shape b = inputs.get(1);
            int inner = transposeA ? a.rows() : a.columns();
            check(b.rank() == 2 && inner == (transposeB ? b.columns() : b.rows()), this, inputs);
            return List.of(Shape.of(transposeA ? a.columns() : a.rows(), transposeB ? b.rows() : b.columns()));
        }

        /// 2 M N K.
        @Override
        public Cost cost(Node node) {
            Shape a = node.input(0).shape();
            double inner = transposeA ? a.rows() : a.columns();
            return new Cost(2 * inner * node.output(0).shape().size(), bytes(node));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value a = node.input(0);
            Value b = node.input(1);
            Value dOut = gradients.of(node.output(0));
            Role first = role == Role.OTHER ? Role.OTHER : Role.GRADIENT_A;
            Role second = role == Role.OTHER ? Role.OTHER : Role.GRADIENT_B;
            if (gradients.needed(a)) {
                if (transposeA) {
                    gradients.contribute(a, new MatMul(transposeB, true, second), b, dOut);
                } else {
                    gradients.contribute(a, new MatMul(false, !transposeB, first), dOut, b);
                }
            }
            if (gradients.needed(b)) {
                if (transposeB) {
                    gradients.contribute(b, new MatMul(true, transposeA, first), dOut, a);
                } else {
                    gradients.contribute(b, new MatMul(!transposeA, false, second), a, dOut);
                }
            }
        }
    }

    /// x [N, C] as floats of 8 bits, in copies for [QuantizedMatMul].
    record Quantize(DType type, List<Copy> copies) implements Op {
        /// @param transposed whether its rows are the columns of x
        /// @param shape of the rows, and of what the executor puts beside them
        public record Copy(boolean transposed, Shape shape) {}

        public Quantize {
            copies = List.copyOf(copies);
        }

        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return copies.stream().map(Copy::shape).toList();
        }

        /// The largest magnitude, and a scale.
        @Override
        public Cost cost(Node node) {
            return new Cost(2.0 * node.input(0).shape().size(), bytes(node));
        }
    }

    /// A [MatMul] of copies that [Quantize] makes, rows along k. Where an input is a parameter, the executor's copy
    /// of it is meant.
    record QuantizedMatMul(MatMul product, int m, int n, int k) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(Shape.of(m, n));
        }

        /// 2 M N K.
        @Override
        public Cost cost(Node node) {
            return new Cost(2.0 * m * n * k, bytes(node));
        }
    }

    /// x [N, C] + bias [C].
    record AddBias() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(1).equals(Shape.of(inputs.get(0).columns())), this, inputs);
            return List.of(inputs.get(0));
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(0);
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dOut = gradients.of(node.output(0));
            gradients.pass(node.input(0), dOut);
            gradients.contribute(node.input(1), new ColumnSum(), dOut);
        }
    }

    /// The sum of the rows: [N, C] to [C].
    record ColumnSum() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(Shape.of(inputs.get(0).columns()));
        }

        @Override
        public Cost cost(Node node) {
            return new Cost(node.input(0).shape().size(), bytes(node));
        }
    }

    /// x + y.
    record Add() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).equals(inputs.get(1)), this, inputs);
            return List.of(inputs.get(0));
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(1, 0);
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value dOut = gradients.of(node.output(0));
            gradients.pass(node.input(0), dOut);
            gradients.pass(node.input(1), dOut);
        }
    }

    // ---------------------------------------------------------------- embedding

    /// Rows of a table [V, C] by ids int32 [N].
    record Embedding() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).rank() == 1 && inputs.get(1).rank() == 2, this, inputs);
            return List.of(Shape.of(inputs.get(0).dim(0), inputs.get(1).columns()));
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value table = node.input(1);
            gradients.contribute(
                    table, new EmbeddingGradient(table.shape().rows()), node.input(0), gradients.of(node.output(0)));
        }
    }

    /// The gradient of the table: ids [N], dOut [N, C] to [rows, C].
    record EmbeddingGradient(int rows) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).dim(0) == inputs.get(1).rows(), this, inputs);
            return List.of(Shape.of(rows, inputs.get(1).columns()));
        }
    }

    // ---------------------------------------------------------------- norms

    /// x [N, C], weight [C] to (y, 1 / rms [N]). Zhang and Sennrich, 2019.
    record RmsNorm(double eps) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape x = inputs.get(0);
            check(inputs.get(1).equals(Shape.of(x.columns())), this, inputs);
            return List.of(x, Shape.of(x.rows()));
        }

        @Override
        public double flopPerElement() {
            return 4;
        }

        @Override
        public boolean cheapToRecompute() {
            return true;
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value weight = node.input(1);
            gradients.contributeAll(
                    List.of(x, weight), new RmsNormGradient(), x, weight, node.output(1), gradients.of(node.output(0)));
        }
    }

    /// x, weight, 1 / rms, dy to (dx, dWeight).
    record RmsNormGradient() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0), inputs.get(1));
        }

        @Override
        public double flopPerElement() {
            return 9;
        }
    }

    /// x [N, C], weight [C], bias [C] to (y, mean [N], 1 / standard deviation [N]). Ba et al., 2016.
    record LayerNorm(double eps) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape x = inputs.get(0);
            Shape row = Shape.of(x.columns());
            check(inputs.get(1).equals(row) && inputs.get(2).equals(row), this, inputs);
            return List.of(x, Shape.of(x.rows()), Shape.of(x.rows()));
        }

        @Override
        public double flopPerElement() {
            return 7;
        }

        @Override
        public boolean cheapToRecompute() {
            return true;
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            Value x = node.input(0);
            Value weight = node.input(1);
            gradients.contributeAll(
                    List.of(x, weight, node.input(2)),
                    new LayerNormGradient(),
                    x,
                    weight,
                    node.output(1),
                    node.output(2),
                    gradients.of(node.output(0)));
        }
    }

    /// x, weight, mean, 1 / standard deviation, dy to (dx, dWeight, dBias).
    record LayerNormGradient() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0), inputs.get(1), inputs.get(1));
        }

        @Override
        public double flopPerElement() {
            return 12;
        }
    }

    // ---------------------------------------------------------------- attention

    /// The heads of fused queries, keys and values: [N, (H + 2 K) D], in that order.
    record Heads(int query, int keyValue, int dim) {
        public Heads {
            if (query % keyValue != 0) {
                throw new IllegalArgumentException(
                        "key-value heads must divide query heads %d: got %d".formatted(query, keyValue));
            }
        }

        /// Columns of fused queries, keys and values.
        public int fusedColumns() {
            return (query + 2 * keyValue) * dim;
        }

        /// Columns of the queries and of the attention's output.
        public int outColumns() {
            return query * dim;
        }
    }

    /// The rotary frequencies of each pair of columns, in radians a position, [D / 2]; positions are below
    /// `positions`.
    record RopeFrequencies(List<Double> radians, int positions) {
        public RopeFrequencies {
            radians = List.copyOf(radians);
        }
    }

    /// Rotary positions (Su et al., 2021; pairs (i, i + D/2) as in Hugging Face's Llama) on the queries and
    /// keys of fused qkv, by positions int32 [N]. `inverse` turns backwards: the gradient.
    record Rope(Heads heads, RopeFrequencies frequencies, boolean inverse) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape qkv = inputs.get(0);
            check(qkv.columns() == heads.fusedColumns() && inputs.get(1).equals(Shape.of(qkv.rows())), this, inputs);
            return List.of(qkv);
        }

        @Override
        public double flopPerElement() {
            return 3;
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(0);
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            gradients.contribute(
                    node.input(0), new Rope(heads, frequencies, !inverse), gradients.of(node.output(0)), node.input(1));
        }
    }

    /// Causal attention within each sequence of `length` rows: fused qkv, start int32 [N] to (out [N, H D],
    /// log-sum-exp [N, H]). Token t sees tokens from max(start[t], t - window + 1) to t; window 0 is no window.
    /// `start` is where the token's document begins in its sequence. Never holds T x T values. Dao et al.,
    /// 2022.
    record Attention(Heads heads, int length, int window) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape qkv = inputs.get(0);
            check(
                    qkv.columns() == heads.fusedColumns()
                            && qkv.rows() % length == 0
                            && inputs.get(1).equals(Shape.of(qkv.rows())),
                    this,
                    inputs);
            return List.of(Shape.of(qkv.rows(), heads.outColumns()), Shape.of(qkv.rows(), heads.query()));
        }

        /// 4 D for each pair of tokens that the causal mask and the window leave; documents are not counted
        /// out.
        @Override
        public Cost cost(Node node) {
            return new Cost(4 * pairs(node) * heads.outColumns(), bytes(node));
        }

        /// Pairs (query, key) of one head that are computed.
        private double pairs(Node node) {
            double sequences = (double) node.input(0).shape().rows() / length;
            double span = window == 0 ? length : Math.min(window, length);
            return sequences * (span * (span + 1) / 2 + (length - span) * span);
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            gradients.contribute(
                    node.input(0),
                    new AttentionGradient(this),
                    node.input(0),
                    node.input(1),
                    node.output(0),
                    node.output(1),
                    gradients.of(node.output(0)));
        }
    }

    /// qkv, start, out, log-sum-exp, dOut to dQkv.
    record AttentionGradient(Attention attention) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        /// Five products of the size of attention's two.
        @Override
        public Cost cost(Node node) {
            return new Cost(10 * attention.pairs(node) * attention.heads().outColumns(), bytes(node));
        }
    }

    /// Attention of `length` new rows for each of B sequences over a cache of keys and values [B, K, capacity,
    /// D] each, to which it first appends theirs: fused qkv, keys, values, position int32 [1] (that of the
    /// first new row) to out [N, H D]. The caches are states that it changes.
    record CachedAttention(Heads heads, int length, int window) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape qkv = inputs.get(0);
            Shape cache = inputs.get(1);
            check(
                    qkv.columns() == heads.fusedColumns()
                            && cache.equals(inputs.get(2))
                            && cache.rank() == 4
                            && cache.dim(0) * length == qkv.rows()
                            && cache.dim(1) == heads.keyValue()
                            && cache.dim(3) == heads.dim(),
                    this,
                    inputs);
            return List.of(Shape.of(qkv.rows(), heads.outColumns()));
        }

        /// As if the cache were full.
        @Override
        public Cost cost(Node node) {
            double capacity = node.input(1).shape().dim(2);
            return new Cost(4 * capacity * node.output(0).shape().size(), bytes(node));
        }
    }

    // ---------------------------------------------------------------- feed-forward

    /// silu(gate) * up on fused (gate, up) [N, 2 F] to [N, F]. Shazeer, 2020.
    record SwiGlu() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape x = inputs.get(0);
            check(x.columns() % 2 == 0, this, inputs);
            return List.of(Shape.of(x.rows(), x.columns() / 2));
        }

        @Override
        public double flopPerElement() {
            return 6;
        }

        @Override
        public boolean cheapToRecompute() {
            return true;
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            gradients.contribute(node.input(0), new SwiGluGradient(), node.input(0), gradients.of(node.output(0)));
        }
    }

    /// (gate, up), dy to d(gate, up).
    record SwiGluGradient() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 7;
        }
    }

    /// Functions applied element by element.
    enum Function {
        /// GELU in its tanh form.
        GELU_TANH,
        /// max(x, 0)^2.
        RELU_SQUARED
    }

    /// function(x).
    record Activation(Function function) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 10;
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(0);
        }

        @Override
        public boolean cheapToRecompute() {
            return true;
        }

        @Override
        public void differentiate(Node node, Gradients gradients) {
            gradients.contribute(
                    node.input(0), new ActivationGradient(function), node.input(0), gradients.of(node.output(0)));
        }
    }

    /// x, dy to dx.
    record ActivationGradient(Function function) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 15;
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(1);
        }
    }

    // ---------------------------------------------------------------- loss

    /// The losses of a language model's output layer: hidden [N, C], weight [V, C], targets int32 [N] to
    /// (cross-entropy in nats [N], workspace [rowsAtOnce, V padded]) of the logits hidden weight^T. A
    /// negative target is ignored: its loss and gradient are 0.
    ///
    /// The logits of all rows never exist: chunks of `rowsAtOnce` rows take turns in the workspace.
    record LinearCrossEntropy(int rowsAtOnce) implements Op {
        private static final int ROWS_MULTIPLE = 128;
        /// Rows of logits start where the widest accesses may.
        private static final int COLUMNS_MULTIPLE = 64;

        /// As many rows at once as have at most that many logits, rounded down to a multiple of 128, which
        /// matrix units like; at least 128, and at most all. The gradient of the weight is read and written
        /// once a chunk.
        public static LinearCrossEntropy of(Shape hidden, Shape weight, int logits) {
            int rows = Math.max(ROWS_MULTIPLE, logits / weight.rows() / ROWS_MULTIPLE * ROWS_MULTIPLE);
            return new LinearCrossEntropy(Math.min(rows, hidden.rows()));
        }

        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape hidden = inputs.get(0);
            Shape weight = inputs.get(1);
            check(
                    hidden.columns() == weight.columns()
                            && inputs.get(2).equals(Shape.of(hidden.rows()))
                            && rowsAtOnce <= hidden.rows(),
                    this,
                    inputs);
            int columns = Math.ceilDiv(weight.rows(), COLUMNS_MULTIPLE) * COLUMNS_MULTIPLE;
            return List.of(Shape.of(hidden.rows()), Shape.of(rowsAtOnce, columns));
        }

        /// A product of 2 N C V, and 4 for each logit.
        @Override
        public Cost cost(Node node) {
            return chunkedCost(node, 1, 4, 2);
        }

        /// The gradients are computed from the logits while they are there, in the forward pass: an operation
        /// that computes losses and gradients takes the place of this one.
        @Override
        public void differentiate(Node node, Gradients gradients) {
            gradients.replace(
                    node,
                    List.of(node.input(0), node.input(1)),
                    new LinearCrossEntropyGradient(rowsAtOnce),
                    node.input(0),
                    node.input(1),
                    node.input(2),
                    gradients.of(node.output(0)));
        }
    }

    /// hidden, weight, targets, scale [1] (the gradient of each token's loss) to (losses, workspace, dHidden,
    /// dWeight). Hsu et al., 2024 (Liger kernel).
    record LinearCrossEntropyGradient(int rowsAtOnce) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(3).equals(Shape.of(1)), this, inputs);
            List<Shape> outputs = new LinearCrossEntropy(rowsAtOnce).outputShapes(inputs);
            return List.of(outputs.get(0), outputs.get(1), inputs.get(0), inputs.get(1));
        }

        /// Three products of 2 N C V, and 8 for each logit.
        @Override
        public Cost cost(Node node) {
            return chunkedCost(node, 3, 8, 6);
        }
    }

    /// The cost of an operation on logits that come in chunks.
    ///
    /// @param products matrix products of each chunk
    /// @param flopPerLogit beside the products
    /// @param passes times that the logits are read or written
    private static Cost chunkedCost(Node node, int products, int flopPerLogit, int passes) {
        Value weight = node.input(1);
        Value workspace = node.output(1);
        double rows = node.input(0).shape().rows();
        double logits = rows * weight.shape().rows();
        double chunks = Math.ceil(rows / workspace.shape().rows());
        // All tensors once, and the weight or its gradient with every product of every further chunk.
        double bytes = bytes(node)
                - workspace.bytes()
                + passes * logits * workspace.type().bytes()
                + products * (chunks - 1) * weight.bytes();
        return new Cost((2.0 * products * weight.shape().columns() + flopPerLogit) * logits, bytes);
    }

    // ---------------------------------------------------------------- optimiser

    /// The sum of the squares of all elements, to [1].
    record SumOfSquares() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(Shape.of(1));
        }

        @Override
        public Cost cost(Node node) {
            return new Cost(2.0 * node.input(0).shape().size(), bytes(node));
        }
    }

    /// Any number of sums of squares [1] to [2]: the norm of all together, and the factor min(1, maxNorm /
    /// norm) that clips it.
    record ClipFactor(double maxNorm) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.stream().allMatch(Shape.of(1)::equals), this, inputs);
            return List.of(Shape.of(2));
        }
    }

    /// Random numbers by which values are rounded to bf16: up with the probability of what is cut off. They depend
    /// on seed, tensor, step and element alone.
    ///
    /// @param tensor number of the tensor in the run, below 2^30
    record StochasticRounding(long seed, int tensor) {}

    /// AdamW (Loshchilov and Hutter, 2019) in place: parameter, gradient, first moment, second moment, clip [2]
    /// (the gradient is multiplied by its second element), scalars [3] (learning rate, 1 - beta1^t, 1 -
    /// beta2^t) to (parameter, first moment, second moment).
    ///
    /// @param rounding of the moments if they are bf16, and then a seventh input: t, int32 [1]
    record AdamW(double beta1, double beta2, double eps, double weightDecay, Optional<StochasticRounding> rounding)
            implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            Shape parameter = inputs.get(0);
            check(
                    inputs.subList(1, 4).stream().allMatch(parameter::equals)
                            && inputs.get(4).equals(Shape.of(2))
                            && inputs.get(5).equals(Shape.of(3))
                            && inputs.subList(6, inputs.size())
                                    .equals(rounding.map(_ -> Shape.of(1)).stream()
                                            .toList()),
                    this,
                    inputs);
            return List.of(parameter, parameter, parameter);
        }

        @Override
        public double flopPerElement() {
            return 14;
        }
    }

    /// Muon's momentum with Nesterov's look-ahead (Jordan et al., 2024), in place on the buffer: gradient,
    /// buffer, clip [2] to (update, buffer): buffer += (1 - momentum) (gradient - buffer), update = gradient +
    /// momentum (buffer - gradient).
    record NesterovMomentum(double momentum) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).equals(inputs.get(1)), this, inputs);
            return List.of(inputs.get(0), inputs.get(1));
        }

        @Override
        public double flopPerElement() {
            return 6;
        }
    }

    /// Rows `from` to `from + count` of a matrix, copied.
    record Rows(int from, int count) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(from + count <= inputs.get(0).rows(), this, inputs);
            return List.of(Shape.of(count, inputs.get(0).columns()));
        }
    }

    /// The same values in another tensor, whose type the executor may choose.
    record Cast() implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 0;
        }
    }

    /// x / (its Frobenius norm + eps).
    record Normalize(double eps) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 3;
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(0);
        }
    }

    /// a x + b y.
    record LinearCombination(double a, double b) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).equals(inputs.get(1)), this, inputs);
            return List.of(inputs.get(0));
        }

        @Override
        public double flopPerElement() {
            return 3;
        }

        @Override
        public List<Integer> inPlace() {
            return List.of(0, 1);
        }
    }

    /// A step with decoupled weight decay, in place on rows of a parameter: parameter, update [rows, C],
    /// scalars [3] (learning rate first) to parameter: row r becomes (1 - lr weightDecay) row - lr scale
    /// update.
    record ApplyUpdate(int fromRow, double scale, double weightDecay) implements Op {
        @Override
        public List<Shape> outputShapes(List<Shape> inputs) {
            check(inputs.get(0).columns() == inputs.get(1).columns(), this, inputs);
            return List.of(inputs.get(0));
        }

        @Override
        public Cost cost(Node node) {
            return new Cost(4.0 * node.input(1).shape().size(), bytes(node));
        }
    }

    private static void check(boolean fits, Op op, List<Shape> inputs) {
        if (!fits) {
            throw new IllegalArgumentException("%s does not take %s".formatted(op, inputs));
        }
    }

    /// Bytes of all tensors that a node reads and writes.
    private static double bytes(Node node) {
        double bytes = node.inputs().stream().mapToLong(Value::bytes).sum();
        for (Node.Output output : node.outputs()) {
            bytes += (output.accumulate() ? 2.0 : 1.0) * output.value().bytes();
        }
        return bytes;
    }
}
