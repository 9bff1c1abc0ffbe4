package org.quern.kernels.cpu;

import org.quern.kernels.cpu.Attention.Shape;

/// What the kernels compute, written plainly in double precision.
final class Reference {
    private Reference() {}

    static double[] rmsNorm(double[] x, double[] weight, int rows, double eps) {
        int width = weight.length;
        double[] y = new double[x.length];
        for (int row = 0; row < rows; row++) {
            double squares = 0;
            for (int i = 0; i < width; i++) {
                squares += x[row * width + i] * x[row * width + i];
            }
            for (int i = 0; i < width; i++) {
                y[row * width + i] = x[row * width + i] / Math.sqrt(squares / width + eps) * weight[i];
            }
        }
        return y;
    }

    static double[] layerNorm(double[] x, double[] weight, double[] bias, int rows, double eps) {
        int width = weight.length;
        double[] y = new double[x.length];
        for (int row = 0; row < rows; row++) {
            double mean = 0;
            for (int i = 0; i < width; i++) {
                mean += x[row * width + i] / width;
            }
            double variance = 0;
            for (int i = 0; i < width; i++) {
                variance += Math.pow(x[row * width + i] - mean, 2) / width;
            }
            for (int i = 0; i < width; i++) {
                y[row * width + i] = (x[row * width + i] - mean) / Math.sqrt(variance + eps) * weight[i] + bias[i];
            }
        }
        return y;
    }

    static double[] rope(double[] x, int[] positions, double[] inverseFrequencies, int heads, int keyValueHeads) {
        int half = inverseFrequencies.length;
        int width = (heads + 2 * keyValueHeads) * 2 * half;
        double[] y = x.clone();
        for (int row = 0; row < positions.length; row++) {
            for (int head = 0; head < heads + keyValueHeads; head++) {
                for (int i = 0; i < half; i++) {
                    int first = row * width + head * 2 * half + i;
                    int second = first + half;
                    double angle = positions[row] * inverseFrequencies[i];
                    y[first] = x[first] * Math.cos(angle) - x[second] * Math.sin(angle);
                    y[second] = x[second] * Math.cos(angle) + x[first] * Math.sin(angle);
                }
            }
        }
        return y;
    }

    record AttentionResult(double[] out, double[] lse) {}

    static AttentionResult attention(double[] qkv, int[] starts, Shape shape) {
        int rows = shape.sequences() * shape.length();
        int dim = shape.headDim();
        int width = (shape.heads() + 2 * shape.keyValueHeads()) * dim;
        double[] out = new double[rows * shape.heads() * dim];
        double[] lse = new double[rows * shape.heads()];
        for (int row = 0; row < rows; row++) {
            int position = row % shape.length();
            int sequence = row - position;
            int first = starts[row];
            if (shape.window() > 0) {
                first = Math.max(first, position - shape.window() + 1);
            }
            for (int head = 0; head < shape.heads(); head++) {
                int keyHead = head / (shape.heads() / shape.keyValueHeads());
                double[] scores = new double[position + 1];
                double max = Double.NEGATIVE_INFINITY;
                for (int t = first; t <= position; t++) {
                    int key = (sequence + t) * width + (shape.heads() + keyHead) * dim;
                    for (int i = 0; i < dim; i++) {
                        scores[t] += qkv[row * width + head * dim + i] * qkv[key + i] / Math.sqrt(dim);
                    }
                    max = Math.max(max, scores[t]);
                }
                double sum = 0;
                for (int t = first; t <= position; t++) {
                    sum += Math.exp(scores[t] - max);
                }
                for (int t = first; t <= position; t++) {
                    int value = (sequence + t) * width + (shape.heads() + shape.keyValueHeads() + keyHead) * dim;
                    for (int i = 0; i < dim; i++) {
                        out[(row * shape.heads() + head) * dim + i] += Math.exp(scores[t] - max) / sum * qkv[value + i];
                    }
                }
                lse[row * shape.heads() + head] = max + Math.log(sum);
            }
        }
        return new AttentionResult(out, lse);
    }

    static double[] swiGlu(double[] gateUp, int rows) {
        int width = gateUp.length / rows / 2;
        double[] y = new double[rows * width];
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < width; i++) {
                double gate = gateUp[row * 2 * width + i];
                y[row * width + i] = gate / (1 + Math.exp(-gate)) * gateUp[row * 2 * width + width + i];
            }
        }
        return y;
    }

    static double[] gelu(double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = 0.5 * x[i] * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x[i] + 0.044715 * x[i] * x[i] * x[i])));
        }
        return y;
    }

    static double[] reluSquared(double[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = Math.pow(Math.max(x[i], 0), 2);
        }
        return y;
    }

    static double[] crossEntropy(double[] logits, int[] targets) {
        int vocabulary = logits.length / targets.length;
        double[] losses = new double[targets.length];
        for (int row = 0; row < targets.length; row++) {
            if (targets[row] >= 0) {
                losses[row] = logSumExp(logits, row, vocabulary) - logits[row * vocabulary + targets[row]];
            }
        }
        return losses;
    }

    static double logSumExp(double[] logits, int row, int vocabulary) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            max = Math.max(max, logits[row * vocabulary + i]);
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits[row * vocabulary + i] - max);
        }
        return max + Math.log(sum);
    }
}
