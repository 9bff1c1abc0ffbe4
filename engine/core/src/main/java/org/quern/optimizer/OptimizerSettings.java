package org.quern.optimizer;

import java.util.Optional;

/// What an optimiser needs to know.
///
/// @param lr the peak learning rate of AdamW
/// @param weightDecay decoupled weight decay of matrices; vectors have none
/// @param clipGradNorm the norm that the whole gradient is clipped to; 0 for no clipping
/// @param bf16Moments if present, AdamW's moments are bf16, rounded stochastically with random numbers of this
///     seed; else they are fp32, as Muon's momentum always is
/// @param muon if present, the matrices of the layers are trained by Muon; embeddings, output layer and vectors
///     by AdamW
public record OptimizerSettings(
        double lr,
        double beta1,
        double beta2,
        double eps,
        double weightDecay,
        double clipGradNorm,
        Optional<Long> bf16Moments,
        Optional<Muon> muon) {

    /// Muon (Jordan et al., 2024).
    ///
    /// @param lr the peak learning rate
    /// @param momentum of the Nesterov momentum
    /// @param newtonSchulzSteps iterations of the orthogonalisation
    public record Muon(double lr, double momentum, int newtonSchulzSteps, double weightDecay) {}
}
