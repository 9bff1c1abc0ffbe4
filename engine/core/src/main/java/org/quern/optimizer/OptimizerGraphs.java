package org.quern.optimizer;

import java.util.ArrayList;
import java.util.List;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Node.Output;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;

/// An optimiser as two graphs: the gradient's norm, and the update. Between the two the training loop may look
/// at the norm and leave the update out.
public final class OptimizerGraphs {
    /// The norm of the whole gradient and the factor that clips it, fp32 [2].
    public static final String CLIP = "optimizer.clip";
    /// Learning rate, 1 - beta1^t and 1 - beta2^t of AdamW, fp32 [3].
    public static final String ADAMW_SCALARS = "optimizer.adamw.scalars";
    /// The number of the update, from 1, by which bf16 moments are rounded, int32 [1].
    public static final String UPDATE_NUMBER = "optimizer.update_number";
    /// Learning rate of Muon, fp32 [3] of which the first counts.
    public static final String MUON_SCALARS = "optimizer.muon.scalars";

    /// The coefficients of Muon's Newton-Schulz iteration.
    private static final double A = 3.4445;

    private static final double B = -4.7750;
    private static final double C = 2.0315;

    private final OptimizerSettings settings;
    private final List<Parameter> parameters;

    public OptimizerGraphs(OptimizerSettings settings, List<Parameter> parameters) {
        this.settings = settings;
        this.parameters = List.copyOf(parameters);
    }

    /// The norm of all gradients, and the clip factor.
    public Graph norm() {
        Graph graph = new Graph();
        List<Value> sums = new ArrayList<>();
        for (Parameter parameter : parameters) {
            sums.add(graph.add(
                    "sum of squares of " + parameter.name(), new Op.SumOfSquares(), gradient(graph, parameter)));
        }
        clip(graph, sums);
        return graph;
    }

    /// The first half of `norm`: the sum of squares of each gradient, a state.
    public Graph squares() {
        Graph graph = new Graph();
        for (Parameter parameter : parameters) {
            graph.addInto(
                    new Op.SumOfSquares(),
                    List.of(gradient(graph, parameter)),
                    List.of(new Output(graph.state(square(parameter), Shape.of(1), DType.F32), false)));
        }
        return graph;
    }

    /// The other half of `norm`: the clip factor, from the states of `squares`.
    public Graph clip() {
        Graph graph = new Graph();
        clip(
                graph,
                parameters.stream()
                        .map(parameter -> graph.state(square(parameter), Shape.of(1), DType.F32))
                        .toList());
        return graph;
    }

    private void clip(Graph graph, List<Value> sums) {
        double maxNorm = settings.clipGradNorm() == 0 ? Double.POSITIVE_INFINITY : settings.clipGradNorm();
        graph.addInto(new Op.ClipFactor(maxNorm), sums, List.of(new Output(clip(graph), false)));
    }

    /// The state that holds the sum of squares of a parameter's gradient, fp32 [1].
    public static String square(Parameter parameter) {
        return "square_sum." + parameter.name();
    }

    /// One step of all parameters.
    public Graph update() {
        Graph graph = new Graph();
        for (Parameter parameter : parameters) {
            if (usesMuon(parameter)) {
                muon(graph, parameter, settings.muon().orElseThrow());
            } else {
                adamW(graph, parameter);
            }
        }
        return graph;
    }

    /// The names of the optimiser's own states: the moments.
    public List<String> states() {
        return parameters.stream()
                .flatMap(parameter -> usesMuon(parameter)
                        ? List.of(momentum(parameter)).stream()
                        : List.of(firstMoment(parameter), secondMoment(parameter)).stream())
                .toList();
    }

    private boolean usesMuon(Parameter parameter) {
        return settings.muon().isPresent()
                && switch (parameter.kind()) {
                    case LINEAR, LINEAR_TRANSPOSED -> true;
                    case VECTOR, EMBEDDING -> false;
                };
    }

    private void adamW(Graph graph, Parameter parameter) {
        double decay = parameter.kind() == Parameter.Kind.VECTOR ? 0 : settings.weightDecay();
        Value weights = Model.state(graph, parameter);
        DType type = settings.bf16Moments().isPresent() ? DType.BF16 : DType.F32;
        Value first = graph.state(firstMoment(parameter), parameter.shape(), type);
        Value second = graph.state(secondMoment(parameter), parameter.shape(), type);
        List<Value> inputs = new ArrayList<>(List.of(
                weights,
                gradient(graph, parameter),
                first,
                second,
                clip(graph),
                graph.state(ADAMW_SCALARS, Shape.of(3), DType.F32)));
        if (type == DType.BF16) {
            inputs.add(graph.state(UPDATE_NUMBER, Shape.of(1), DType.I32));
        }
        graph.addInto(
                new Op.AdamW(
                        settings.beta1(),
                        settings.beta2(),
                        settings.eps(),
                        decay,
                        settings.bf16Moments().map(seed -> new Op.StochasticRounding(seed, number(parameter)))),
                inputs,
                List.of(new Output(weights, false), new Output(first, false), new Output(second, false)));
    }

    /// A number that does not depend on which other parameters there are: of its name.
    private static int number(Parameter parameter) {
        return parameter.name().hashCode() >>> 2;
    }

    /// Each matrix of the parameter moves by its momentum's nearest semi-orthogonal matrix, times
    /// sqrt(max(1, outputs / inputs)).
    private void muon(Graph graph, Parameter parameter, OptimizerSettings.Muon muon) {
        Value weights = Model.state(graph, parameter);
        Value buffer = graph.state(momentum(parameter), parameter.shape(), DType.F32);
        Value scalars = graph.state(MUON_SCALARS, Shape.of(3), DType.F32);
        Value update = graph.transientValue("update of " + parameter.name(), parameter.shape());
        graph.addInto(
                new Op.NesterovMomentum(muon.momentum()),
                List.of(gradient(graph, parameter), buffer, clip(graph)),
                List.of(new Output(update, false), new Output(buffer, false)));
        for (Parameter.Part part : parameter.parts()) {
            int rows = part.shape().rows();
            int columns = part.shape().columns();
            Value matrix = parameter.parts().size() == 1
                    ? update
                    : graph.add("rows of " + part.name(), new Op.Rows(part.fromRow(), rows), update);
            Value step = orthogonal(graph, matrix, muon.newtonSchulzSteps());
            double outputsPerInput =
                    parameter.kind() == Parameter.Kind.LINEAR ? rows / (double) columns : columns / (double) rows;
            double scale = Math.sqrt(Math.max(1, outputsPerInput));
            graph.addInto(
                    new Op.ApplyUpdate(part.fromRow(), scale, muon.weightDecay()),
                    List.of(weights, step, scalars),
                    List.of(new Output(weights, false)));
        }
    }

    /// Newton-Schulz iteration towards the nearest semi-orthogonal matrix: X becomes a X + (b A + c A^2) X with
    /// A = X X^T, or the same from the right, whichever A is smaller.
    private static Value orthogonal(Graph graph, Value matrix, int steps) {
        boolean wide = matrix.shape().rows() <= matrix.shape().columns();
        Value x = graph.add("x", new Op.Normalize(1e-7), matrix);
        for (int i = 0; i < steps; i++) {
            Value gram = graph.add("gram", new Op.MatMul(!wide, wide), x, x);
            Value squared = graph.add("gram^2", new Op.MatMul(false, false), gram, gram);
            Value polynomial = graph.add("polynomial", new Op.LinearCombination(B, C), gram, squared);
            Value product = wide
                    ? graph.add("product", new Op.MatMul(false, false), polynomial, x)
                    : graph.add("product", new Op.MatMul(false, false), x, polynomial);
            x = graph.add("x", new Op.LinearCombination(A, 1), x, product);
        }
        return x;
    }

    private static Value gradient(Graph graph, Parameter parameter) {
        return graph.state(ModelGraphs.gradient(parameter.name()), parameter.shape(), DType.F32);
    }

    private static Value clip(Graph graph) {
        return graph.state(CLIP, Shape.of(2), DType.F32);
    }

    private static String firstMoment(Parameter parameter) {
        return "exp_avg." + parameter.name();
    }

    private static String secondMoment(Parameter parameter) {
        return "exp_avg_sq." + parameter.name();
    }

    private static String momentum(Parameter parameter) {
        return "momentum_buffer." + parameter.name();
    }
}
