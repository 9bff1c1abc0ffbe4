"""Golden values of sampling, computed by the logits processors of transformers.

    python golden_sampler.py [FILE]        needs torch, transformers, safetensors (made with 2.13, 5.18)

writes FILE (default: ../resources/golden/sampler.safetensors):

    logits          fp32 [4, 53]: random, random with ties (rounded to halves), flat, one token far ahead
    settings        fp64 [cases, 4]: temperature, top_k (0: off), top_p (1: off), min_p (0: off)
    probabilities   fp32 [cases, 4, 53] after the processors, in the order in which `generate` builds them

Computed in float64. Where top_p cuts through equal logits, transformers' choice depends on its sort, which is made
stable here with the first token first, as Quern has it.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

SETTINGS = [
    (1.0, 0, 1.0, 0.0),
    (0.7, 0, 1.0, 0.0),
    (3.0, 0, 1.0, 0.0),
    (1.0, 1, 1.0, 0.0),
    (1.0, 13, 1.0, 0.0),
    (1.0, 53, 1.0, 0.0),
    (1.0, 1000, 1.0, 0.0),
    (1.0, 0, 0.9, 0.0),
    (1.0, 0, 0.01, 0.0),
    (1.0, 0, 0.999, 0.0),
    (1.0, 0, 1.0, 0.1),
    (1.0, 0, 1.0, 1.0),
    (0.8, 20, 0.95, 0.0),
    (0.8, 20, 0.95, 0.05),
    (1.3, 7, 0.5, 0.2),
    (1.7, 0, 0.8, 0.3),
]


def stable_sort(scores, descending=False):
    """Ascending, and of equal scores the last token first."""
    values, order = scores.flip(-1).sort(dim=-1, stable=True)
    return values, scores.shape[-1] - 1 - order


def main():
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "../resources/golden/sampler.safetensors"
    generator = torch.Generator().manual_seed(1)
    random = 3 * torch.randn(2, 53, generator=generator)
    ahead = torch.full((53,), -20.0)
    ahead[17] = 30.0
    logits = torch.stack([random[0], (2 * random[1]).round() / 2, torch.full((53,), -1.5), ahead])
    torch.sort = stable_sort
    probabilities = []
    for temperature, top_k, top_p, min_p in SETTINGS:
        scores = TemperatureLogitsWarper(temperature)(None, logits.double())
        if top_k > 0:
            scores = TopKLogitsWarper(top_k)(None, scores)
        if top_p < 1:
            scores = TopPLogitsWarper(top_p)(None, scores)
        if min_p > 0:
            scores = MinPLogitsWarper(min_p)(None, scores)
        probabilities.append(scores.softmax(-1))
    save_file(
        {
            "logits": logits,
            "settings": torch.tensor(SETTINGS, dtype=torch.float64),
            "probabilities": torch.stack(probabilities).float(),
        },
        file,
    )


if __name__ == "__main__":
    main()
