"""Golden values of the Muon optimiser (Keller Jordan, https://kellerjordan.github.io/posts/muon/).

    python golden_muon.py [FILE]        needs torch, safetensors (made with 2.13)

writes FILE (default: ../resources/golden/muon.safetensors), for each of the matrices `tall` [24, 7], `wide` [5, 19],
`square` [16, 16] and `row` [1, 13]:

    <matrix>.weight          fp32 [rows, cols], before the first step
    <matrix>.gradients       fp32 [4 steps, rows, cols]
    <matrix>.newton_schulz   fp32 [rows, cols], the orthogonalised first gradient
    <matrix>.weights         fp32 [4 steps, rows, cols], after each step

Conventions, for a matrix of rows = outputs and cols = inputs (nn.Linear; transpose where weights are [in, out]):

    momentum <- 0.95 momentum + 0.05 gradient          starts at 0
    update    = 0.95 momentum + 0.05 gradient          (Nesterov)
    X         = update / (its Frobenius norm + 1e-7), transposed if rows > cols
    5 times:    A = X X^T;  X <- 3.4445 X + (-4.7750 A + 2.0315 A A) X
    weight   <- (1 - lr * 0.1) weight                  decoupled decay, lr 0.02
    weight   <- weight - lr sqrt(max(1, rows / cols)) X

Computed in float64 from float32 inputs and rounded once, at the end. Checked here against torch.optim.Muon (whose
bfloat16 is turned into float64; it has max(norm, 1e-7)), and printed: how far the same in float32 is from it.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

LR, DECAY, MOMENTUM, STEPS = 0.02, 0.1, 0.95, 4
SHAPES = {"tall": (24, 7), "wide": (5, 19), "square": (16, 16), "row": (1, 13)}


def newton_schulz(update, steps=5):
    x = update.T if update.shape[0] > update.shape[1] else update
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if update.shape[0] > update.shape[1] else x


def muon(weight, gradients):
    rows, cols = weight.shape
    momentum, after = torch.zeros_like(weight), []
    for gradient in gradients:
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * gradient
        x = newton_schulz(MOMENTUM * momentum + (1 - MOMENTUM) * gradient)
        weight = (1 - LR * DECAY) * weight - LR * max(1, rows / cols) ** 0.5 * x
        after.append(weight)
    return torch.stack(after)


def torch_muon(weight, gradients):
    to_bfloat16, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, torch.Tensor.clone
    parameter, after = torch.nn.Parameter(weight.clone()), []
    optimizer = torch.optim.Muon([parameter], lr=LR, weight_decay=DECAY, momentum=MOMENTUM)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        after.append(parameter.detach().clone())
    torch.Tensor.bfloat16 = to_bfloat16
    return torch.stack(after)


def main():
    file = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "../resources/golden/muon.safetensors")
    torch.set_num_threads(1)
    generator, tensors = torch.Generator().manual_seed(4), {}
    for name, shape in SHAPES.items():
        weight = torch.randn(shape, generator=generator) * 0.3
        gradients = torch.randn((STEPS, *shape), generator=generator) * 0.01
        orthogonal = newton_schulz(gradients[0].double())
        weights = muon(weight.double(), gradients.double())
        torch.testing.assert_close(weights, torch_muon(weight.double(), gradients.double()), rtol=0, atol=2e-6)
        tensors |= {
            f"{name}.weight": weight,
            f"{name}.gradients": gradients,
            f"{name}.newton_schulz": orthogonal.float(),
            f"{name}.weights": weights.float(),
        }
        singular = torch.linalg.svdvals(orthogonal)
        print(
            f"{name:6} {list(shape)}: singular values {singular.min():.3f} to {singular.max():.3f}; float32 against "
            f"float64: Newton-Schulz {(newton_schulz(gradients[0]) - orthogonal).abs().max():.1e}, "
            f"weights {(muon(weight, gradients) - weights).abs().max():.1e} (largest absolute)"
        )
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    file.chmod(0o644)


if __name__ == "__main__":
    main()
