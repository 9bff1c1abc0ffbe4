package org.quern.executor;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.quern.graph.Graph;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

/// The meaning of every operation, written plainly in double precision: what the devices are compared with.
///
/// It runs the nodes in the order of the graph, each value in memory of its own, so that neither the schedule
/// nor the memory plan has a part in its results. Gradient operations are written from their formulas,
/// independently of the kernels; finite differences check them.
final class ReferenceExecutor {
    private final Map<String, double[]> states = new HashMap<>();

    /// A state by name, to be filled or looked at.
    double[] state(Value value) {
        return states.computeIfAbsent(
                value.name(), name -> new double[Math.toIntExact(value.shape().size())]);
    }

    double[] state(String name) {
        return states.get(name);
    }

    void run(Graph graph) {
        Map<Value, double[]> values = new HashMap<>();
        for (Value value : graph.values()) {
            values.put(
                    value,
                    value.state()
                            ? state(value)
                            : new double[Math.toIntExact(value.shape().size())]);
        }
        for (Node node : graph.nodes()) {
            double[][] in = node.inputs().stream().map(values::get).toArray(double[][]::new);
            double[][] results = node.outputs().stream()
                    .map(output -> new double[values.get(output.value()).length])
                    .toArray(double[][]::new);
            compute(node, in, results);
            for (int i = 0; i < results.length; i++) {
                double[] target = values.get(node.output(i));
                for (int j = 0; j < target.length; j++) {
                    target[j] = node.accumulates(i) ? target[j] + results[i][j] : results[i][j];
                }
            }
        }
    }

    private static void compute(Node node, double[][] in, double[][] out) {
        Shape shape = node.inputs().isEmpty() ? null : node.input(0).shape();
        int rows = shape.rows();
        int columns = shape.columns();
        double[] x = in[0];
        double[] y = out[0];
        switch (node.op()) {
            case Op.MatMul(boolean transposeA, boolean transposeB, Op.Role _) -> {
                int m = node.output(0).shape().rows();
                int n = node.output(0).shape().columns();
                int k = transposeA ? rows : columns;
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < n; j++) {
                        for (int l = 0; l < k; l++) {
                            y[i * n + j] +=
                                    x[transposeA ? l * m + i : i * k + l] * in[1][transposeB ? j * k + l : l * n + j];
                        }
                    }
                }
            }
            case Op.AddBias() -> Arrays.setAll(y, i -> x[i] + in[1][i % columns]);
            case Op.ColumnSum() -> {
                for (int i = 0; i < x.length; i++) {
                    y[i % columns] += x[i];
                }
            }
            case Op.Add() -> Arrays.setAll(y, i -> x[i] + in[1][i]);
            case Op.Embedding() -> {
                int width = node.input(1).shape().columns();
                Arrays.setAll(y, i -> in[1][(int) x[i / width] * width + i % width]);
            }
            case Op.EmbeddingGradient(int tableRows) -> {
                int width = node.input(1).shape().columns();
                for (int i = 0; i < in[1].length; i++) {
                    y[(int) x[i / width] * width + i % width] += in[1][i];
                }
            }
            case Op.RmsNorm(double eps) -> {
                for (int r = 0; r < rows; r++) {
                    double squares = 0;
                    for (int c = 0; c < columns; c++) {
                        squares += x[r * columns + c] * x[r * columns + c];
                    }
                    out[1][r] = 1 / Math.sqrt(squares / columns + eps);
                    for (int c = 0; c < columns; c++) {
                        y[r * columns + c] = x[r * columns + c] * out[1][r] * in[1][c];
                    }
                }
            }
            case Op.RmsNormGradient() -> {
                for (int r = 0; r < rows; r++) {
                    double dot = 0;
                    for (int c = 0; c < columns; c++) {
                        dot += in[3][r * columns + c] * in[1][c] * x[r * columns + c];
                    }
                    double scale = in[2][r];
                    for (int c = 0; c < columns; c++) {
                        int i = r * columns + c;
                        y[i] = scale * (in[3][i] * in[1][c] - x[i] * scale * scale * dot / columns);
                        out[1][c] += in[3][i] * x[i] * scale;
                    }
                }
            }
            case Op.LayerNorm(double eps) -> {
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    for (int c = 0; c < columns; c++) {
                        sum += x[r * columns + c];
                    }
                    double mean = sum / columns;
                    double squares = 0;
                    for (int c = 0; c < columns; c++) {
                        squares += (x[r * columns + c] - mean) * (x[r * columns + c] - mean);
                    }
                    out[1][r] = mean;
                    out[2][r] = 1 / Math.sqrt(squares / columns + eps);
                    for (int c = 0; c < columns; c++) {
                        y[r * columns + c] = (x[r * columns + c] - mean) * out[2][r] * in[1][c] + in[2][c];
                    }
                }
            }
            case Op.LayerNormGradient() -> {
                for (int r = 0; r < rows; r++) {
                    double sum = 0;
                    double dot = 0;
                    for (int c = 0; c < columns; c++) {
                        int i = r * columns + c;
                        double normed = (x[i] - in[2][r]) * in[3][r];
                        sum += in[4][i] * in[1][c];
                        dot += in[4][i] * in[1][c] * normed;
                        out[1][c] += in[4][i] * normed;
                        out[2][c] += in[4][i];
                    }
                    for (int c = 0; c < columns; c++) {
                        int i = r * columns + c;
                        double normed = (x[i] - in[2][r]) * in[3][r];
                        y[i] = in[3][r] * (in[4][i] * in[1][c] - sum / columns - normed * dot / columns);
                    }
                }
            }
            case Op.Rope(Op.Heads heads, Op.RopeFrequencies frequencies, boolean inverse) -> {
                System.arraycopy(x, 0, y, 0, x.length);
                int half = heads.dim() / 2;
                for (int r = 0; r < rows; r++) {
                    for (int head = 0; head < heads.query() + heads.keyValue(); head++) {
                        for (int i = 0; i < half; i++) {
                            double angle = in[1][r] * frequencies.radians().get(i) * (inverse ? -1 : 1);
                            int a = r * columns + head * heads.dim() + i;
                            int b = a + half;
                            y[a] = x[a] * Math.cos(angle) - x[b] * Math.sin(angle);
                            y[b] = x[b] * Math.cos(angle) + x[a] * Math.sin(angle);
                        }
                    }
                }
            }
            case Op.Attention op -> attention(op, rows, x, in[1], y, out[1]);
            case Op.AttentionGradient(Op.Attention op) -> attentionGradient(op, rows, in, y);
            case Op.CachedAttention op -> cachedAttention(op, node.input(1).shape(), in, y);
            case Op.SwiGlu() -> {
                int half = columns / 2;
                Arrays.setAll(y, i -> {
                    double gate = x[i / half * columns + i % half];
                    return gate * sigmoid(gate) * x[i / half * columns + half + i % half];
                });
            }
            case Op.SwiGluGradient() -> {
                int half = columns / 2;
                for (int i = 0; i < in[1].length; i++) {
                    int g = i / half * columns + i % half;
                    double gate = x[g];
                    double s = sigmoid(gate);
                    y[g] = in[1][i] * x[g + half] * s * (1 + gate * (1 - s));
                    y[g + half] = in[1][i] * gate * s;
                }
            }
            case Op.Activation(Op.Function function) -> Arrays.setAll(y, i -> activation(function, x[i]));
            case Op.ActivationGradient(Op.Function function) ->
                Arrays.setAll(y, i -> in[1][i] * activationSlope(function, x[i]));
            case Op.LinearCrossEntropy(int rowsAtOnce) -> {
                double[][] logProbabilities = logProbabilities(x, in[1], columns);
                Arrays.setAll(y, r -> in[2][r] < 0 ? 0 : -logProbabilities[r][(int) in[2][r]]);
            }
            case Op.LinearCrossEntropyGradient(int rowsAtOnce) -> {
                double[][] logProbabilities = logProbabilities(x, in[1], columns);
                for (int r = 0; r < rows; r++) {
                    if (in[2][r] < 0) {
                        continue;
                    }
                    int target = (int) in[2][r];
                    y[r] = -logProbabilities[r][target];
                    for (int v = 0; v < logProbabilities[r].length; v++) {
                        double dLogit = in[3][0] * (Math.exp(logProbabilities[r][v]) - (v == target ? 1 : 0));
                        for (int c = 0; c < columns; c++) {
                            out[2][r * columns + c] += dLogit * in[1][v * columns + c];
                            out[3][v * columns + c] += dLogit * x[r * columns + c];
                        }
                    }
                }
            }
            case Op.SumOfSquares() -> y[0] = Arrays.stream(x).map(v -> v * v).sum();
            case Op.ClipFactor(double maxNorm) -> {
                y[0] = Math.sqrt(Arrays.stream(in).mapToDouble(sum -> sum[0]).sum());
                y[1] = Math.min(1, maxNorm / (y[0] + 1e-6));
            }
            case Op.AdamW op -> {
                for (int i = 0; i < x.length; i++) {
                    double gradient = in[1][i] * in[4][1];
                    out[1][i] = op.beta1() * in[2][i] + (1 - op.beta1()) * gradient;
                    out[2][i] = op.beta2() * in[3][i] + (1 - op.beta2()) * gradient * gradient;
                    double step = out[1][i] / in[5][1] / (Math.sqrt(out[2][i] / in[5][2]) + op.eps());
                    y[i] = x[i] * (1 - in[5][0] * op.weightDecay()) - in[5][0] * step;
                }
            }
            case Op.NesterovMomentum(double momentum) -> {
                for (int i = 0; i < x.length; i++) {
                    double gradient = x[i] * in[2][1];
                    out[1][i] = momentum * in[1][i] + (1 - momentum) * gradient;
                    y[i] = momentum * out[1][i] + (1 - momentum) * gradient;
                }
            }
            case Op.Rows(int from, int count) -> System.arraycopy(x, from * columns, y, 0, count * columns);
            case Op.Quantize _, Op.QuantizedMatMul _ ->
                throw new IllegalArgumentException("%s is for GPUs".formatted(node));
            case Op.Cast() -> System.arraycopy(x, 0, y, 0, y.length);
            case Op.Normalize(double eps) -> {
                double norm = Math.sqrt(Arrays.stream(x).map(v -> v * v).sum());
                Arrays.setAll(y, i -> x[i] / (norm + eps));
            }
            case Op.LinearCombination(double a, double b) -> Arrays.setAll(y, i -> a * x[i] + b * in[1][i]);
            case Op.ApplyUpdate(int fromRow, double scale, double weightDecay) -> {
                System.arraycopy(x, 0, y, 0, x.length);
                for (int i = 0; i < in[1].length; i++) {
                    int at = fromRow * columns + i;
                    y[at] = x[at] * (1 - in[2][0] * weightDecay) - in[2][0] * scale * in[1][i];
                }
            }
        }
    }

    /// For each row of x the logarithm of the softmax of its products with the rows of `weight`.
    private static double[][] logProbabilities(double[] x, double[] weight, int columns) {
        double[][] result = new double[x.length / columns][weight.length / columns];
        for (int r = 0; r < result.length; r++) {
            double sum = 0;
            for (int v = 0; v < result[r].length; v++) {
                result[r][v] = dot(x, r * columns, weight, v * columns, columns);
                sum += Math.exp(result[r][v]);
            }
            for (int v = 0; v < result[r].length; v++) {
                result[r][v] -= Math.log(sum);
            }
        }
        return result;
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double activation(Op.Function function, double x) {
        return switch (function) {
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU_SQUARED -> x > 0 ? x * x : 0;
        };
    }

    private static double activationSlope(Op.Function function, double x) {
        return switch (function) {
            case GELU_TANH -> {
                double t = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x));
                yield 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
            }
            case RELU_SQUARED -> x > 0 ? 2 * x : 0;
        };
    }

    /// Where the keys that row `r` sees begin, as a row.
    private static int firstKey(Op.Attention op, int r, double[] start) {
        int sequence = r / op.length() * op.length();
        int t = r - sequence;
        int first = (int) start[r];
        if (op.window() > 0) {
            first = Math.max(first, t - op.window() + 1);
        }
        return sequence + first;
    }

    private static int key(Op.Heads heads, int row, int head) {
        int group = heads.query() / heads.keyValue();
        return row * heads.fusedColumns() + (heads.query() + head / group) * heads.dim();
    }

    private static int value(Op.Heads heads, int row, int head) {
        return key(heads, row, head) + heads.keyValue() * heads.dim();
    }

    private static double dot(double[] a, int fromA, double[] b, int fromB, int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += a[fromA + i] * b[fromB + i];
        }
        return sum;
    }

    private static void attention(Op.Attention op, int rows, double[] qkv, double[] start, double[] out, double[] lse) {
        Op.Heads heads = op.heads();
        int dim = heads.dim();
        for (int r = 0; r < rows; r++) {
            int first = firstKey(op, r, start);
            for (int head = 0; head < heads.query(); head++) {
                double sum = 0;
                double[] weights = new double[r - first + 1];
                for (int s = first; s <= r; s++) {
                    int query = r * heads.fusedColumns() + head * dim;
                    weights[s - first] = Math.exp(dot(qkv, query, qkv, key(heads, s, head), dim) / Math.sqrt(dim));
                    sum += weights[s - first];
                }
                lse[r * heads.query() + head] = Math.log(sum);
                for (int s = first; s <= r; s++) {
                    for (int d = 0; d < dim; d++) {
                        out[(r * heads.query() + head) * dim + d] +=
                                weights[s - first] / sum * qkv[value(heads, s, head) + d];
                    }
                }
            }
        }
    }

    private static void attentionGradient(Op.Attention op, int rows, double[][] in, double[] dQkv) {
        Op.Heads heads = op.heads();
        int dim = heads.dim();
        double[] qkv = in[0];
        for (int r = 0; r < rows; r++) {
            for (int head = 0; head < heads.query(); head++) {
                int o = (r * heads.query() + head) * dim;
                int query = r * heads.fusedColumns() + head * dim;
                double delta = dot(in[4], o, in[2], o, dim);
                for (int s = firstKey(op, r, in[1]); s <= r; s++) {
                    int k = key(heads, s, head);
                    int v = value(heads, s, head);
                    double weight =
                            Math.exp(dot(qkv, query, qkv, k, dim) / Math.sqrt(dim) - in[3][r * heads.query() + head]);
                    double dScore = weight * (dot(in[4], o, qkv, v, dim) - delta) / Math.sqrt(dim);
                    for (int d = 0; d < dim; d++) {
                        dQkv[query + d] += dScore * qkv[k + d];
                        dQkv[k + d] += dScore * qkv[query + d];
                        dQkv[v + d] += weight * in[4][o + d];
                    }
                }
            }
        }
    }

    private static void cachedAttention(Op.CachedAttention op, Shape cache, double[][] in, double[] out) {
        Op.Heads heads = op.heads();
        int dim = heads.dim();
        int capacity = cache.dim(2);
        int from = (int) in[3][0];
        int group = heads.query() / heads.keyValue();
        for (int r = 0; r < cache.dim(0) * op.length(); r++) {
            int sequence = r / op.length();
            int position = from + r % op.length();
            for (int head = 0; head < heads.keyValue(); head++) {
                int slot = ((sequence * heads.keyValue() + head) * capacity + position) * dim;
                System.arraycopy(in[0], key(heads, r, head * group), in[1], slot, dim);
                System.arraycopy(in[0], value(heads, r, head * group), in[2], slot, dim);
            }
            int first = op.window() == 0 ? 0 : Math.max(0, position - op.window() + 1);
            for (int head = 0; head < heads.query(); head++) {
                int row = (sequence * heads.keyValue() + head / group) * capacity;
                double sum = 0;
                double[] result = new double[dim];
                for (int s = first; s <= position; s++) {
                    int query = r * heads.fusedColumns() + head * dim;
                    double weight = Math.exp(dot(in[0], query, in[1], (row + s) * dim, dim) / Math.sqrt(dim));
                    sum += weight;
                    for (int d = 0; d < dim; d++) {
                        result[d] += weight * in[2][(row + s) * dim + d];
                    }
                }
                for (int d = 0; d < dim; d++) {
                    out[(r * heads.query() + head) * dim + d] = result[d] / sum;
                }
            }
        }
    }
}
