"""Trains the model of a Quern run in PyTorch: same initial weights, data, order, schedule, optimiser and evaluation.

    python train_reference.py RUN [--threads N] [--micro-batch N] [--steps N] [--every N] [--double]

needs torch, transformers, numpy, pyyaml (written with 2.13, 5.18). RUN is the folder of a finished run whose data are
text or token shards, without document mask. It reads config.yaml, the token shards, the
model's shape from a checkpoint's config.json and, to print beside its own, metrics.jsonl. Nothing else is taken from
Quern: initial weights and order of samples are computed here from the seed, by a port of its generator. Steps that
Quern's spike guard left out are left out here too.

Prints both losses every N steps, then both final validation losses and their ratio. SDPA attention, fp32, fused AdamW,
and Muon as in golden_muon.py.
With --double PyTorch computes in float64 instead, several times as long: the arbiter where two float32 programs differ.
"""

import argparse
import contextlib
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from golden_models import in_double, no_float32
from golden_muon import newton_schulz
from transformers import AutoConfig, AutoModelForCausalLM

MASK64 = (1 << 64) - 1


# ---------------------------------------------------------------- random numbers: org.quern.base.Philox


def philox(seed, stream, step, index):
    """Philox 2x64-10 of an array of indices: 64 random bits each."""
    low32, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    multiplier = np.uint64(0xD2B74407B1CE6E93)
    m_low, m_high = multiplier & low32, multiplier >> shift
    left = np.array(index, dtype=np.uint64, ndmin=1)
    right = np.full_like(left, stream << 32 | step)
    key = seed & MASK64
    for _ in range(10):
        l_low, l_high = left & low32, left >> shift
        middle = l_high * m_low + (l_low * m_low >> shift)
        other = l_low * m_high + (middle & low32)
        high = l_high * m_high + (middle >> shift) + (other >> shift)
        left, right = high ^ np.uint64(key) ^ right, left * multiplier
        key = (key + 0x9E3779B97F4A7C15) & MASK64
    return left


def uniform(seed, stream, step, index):
    return (philox(seed, stream, step, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed, stream, step, count):
    index = np.arange(count, dtype=np.uint64)
    u = 1 - uniform(seed, stream, step, 2 * index)
    v = uniform(seed, stream, step, 2 * index + 1)
    return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


# ---------------------------------------------------------------- order of samples: org.quern.data.SampleOrder


def place(sample, samples, seed):
    """The place in the corpus of a sample of the run: a keyed Feistel network, walked until it is inside."""
    stream, rounds = 0x5A3B1E, 8
    key = int(philox(seed, stream, rounds, sample // samples)[0])
    half = ((samples - 1).bit_length() + 1) // 2
    at = sample % samples
    while True:
        left, right = at >> half, at & (1 << half) - 1
        for r in range(rounds):
            left, right = right, left ^ int(philox(key, stream, r, right)[0]) & (1 << half) - 1
        at = left << half | right
        if at < samples:
            return at


def read_tokens(folder):
    """The tokens of a folder of `.tok` shards, one after another."""
    manifest = json.loads((folder / "manifest.json").read_text())
    parts = []
    for shard in manifest["shards"]:
        data = (folder / shard["file"]).read_bytes()
        assert data[:8] == b"QUERNTOK", shard
        width, count = int.from_bytes(data[12:16], "little"), int.from_bytes(data[16:24], "little")
        parts.append(np.frombuffer(data, f"<u{width}", count, 128))
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))


def batch(tokens, length, places):
    windows = torch.stack([tokens[p * length : p * length + length + 1] for p in places])
    return windows[:, :-1], windows[:, 1:]


# ---------------------------------------------------------------- initial weights: org.quern.model.Initialization


def parameters(config):
    """The tensors that Quern draws at once, in its order: their names, and whether they lead back to the residual."""
    llama = config.model_type == "llama"
    prefix = "model." if llama else "transformer."
    yield ([prefix + "embed_tokens.weight"] if llama else [prefix + "wte.weight"]), False
    if not llama:
        yield [prefix + "wpe.weight"], False
    for layer in range(config.num_hidden_layers):
        if llama:
            at = f"model.layers.{layer}."
            yield [at + "input_layernorm.weight"], False
            yield [at + f"self_attn.{p}_proj.weight" for p in "qkv"], False
            yield [at + "self_attn.o_proj.weight"], True
            yield [at + "post_attention_layernorm.weight"], False
            yield [at + "mlp.gate_proj.weight", at + "mlp.up_proj.weight"], False
            yield [at + "mlp.down_proj.weight"], True
        else:
            at = f"transformer.h.{layer}."
            for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"):
                yield [at + part + ".weight"], part.endswith("c_proj")
                yield [at + part + ".bias"], False
    for name in ["model.norm.weight"] if llama else ["transformer.ln_f.weight", "transformer.ln_f.bias"]:
        yield [name], False
    if not config.tie_word_embeddings:
        yield ["lm_head.weight"], False


@torch.no_grad()
def initialise(model, seed):
    config, tensors = model.config, dict(model.named_parameters())
    for index, (names, residual) in enumerate(parameters(config)):
        parts = [tensors.pop(name) for name in names]
        if parts[0].dim() < 2:
            parts[0].fill_(0 if names[0].endswith("bias") else 1)
            continue
        deviation = config.initializer_range / (math.sqrt(2.0 * config.num_hidden_layers) if residual else 1)
        values = deviation * normal(seed, 1, index, sum(p.numel() for p in parts))
        values = torch.from_numpy(values.astype(np.float32)).split([p.numel() for p in parts])
        for part, some in zip(parts, values):
            part.copy_(some.view_as(part))
    assert not tensors, f"no initial values for {list(tensors)}"


# ---------------------------------------------------------------- schedule: org.quern.optimizer.LearningRate


def lr_fraction(schedule, step, steps):
    warmup, final = schedule["warmup_steps"], schedule.get("final_lr_fraction", 0.1)
    if step < warmup:
        return (step + 1) / warmup

    def progress(start):
        return 1.0 if steps - 1 <= start else min(1.0, (step - start) / (steps - 1 - start))

    match schedule["name"]:
        case "constant":
            return 1.0
        case "linear":
            return 1 - progress(warmup) * (1 - final)
        case "cosine":
            return final + (1 - final) * (1 + math.cos(math.pi * progress(warmup))) / 2
        case "wsd":
            start = steps - schedule.get("decay_steps", max(1, steps // 5))
            return 1.0 if step < start else 1 - progress(start) * (1 - final)


# ---------------------------------------------------------------- optimiser: org.quern.optimizer.OptimizerGraphs


class Optimizer:
    """AdamW, without decay for vectors; with a section `muon`, Muon for the matrices between embedding and head."""

    def __init__(self, model, settings):
        self.settings, self.muon = settings, settings.get("muon")
        self.transposed = model.config.model_type == "gpt2"
        named = list(model.named_parameters())
        is_layer = {n: p.dim() == 2 and not any(e in n for e in ("embed", "wte", "wpe", "lm_head")) for n, p in named}
        self.matrices = [p for n, p in named if self.muon and is_layer[n]]
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        rest = [p for n, p in named if not (self.muon and is_layer[n])]
        groups = [
            {"params": [p for p in rest if p.dim() >= 2], "weight_decay": settings["weight_decay"]},
            {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=0.0, betas=settings["betas"], eps=float(settings["eps"]), fused=True)

    @torch.no_grad()
    def step(self, fraction):
        for group in self.adamw.param_groups:
            group["lr"] = self.settings["lr"] * fraction
        self.adamw.step()
        for weight, buffer in zip(self.matrices, self.momenta):
            lr, momentum = self.muon["lr"] * fraction, self.muon["momentum"]
            buffer.lerp_(weight.grad, 1 - momentum)
            update = newton_schulz(weight.grad.lerp(buffer, momentum), self.muon["newton_schulz_steps"])
            outputs, inputs = reversed(weight.shape) if self.transposed else weight.shape
            weight.mul_(1 - lr * self.muon["weight_decay"])
            weight.sub_(update, alpha=lr * max(1, outputs / inputs) ** 0.5)


# ---------------------------------------------------------------- training


def loss_sum(model, ids, targets):
    logits = model(input_ids=ids, use_cache=False).logits
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")


@torch.no_grad()
def evaluate(model, tokens, length, sequences, at_once):
    total = 0.0
    for first in range(0, sequences, at_once):
        count = min(at_once, sequences - first)
        total += loss_sum(model, *batch(tokens, length, range(first, first + count))).item()
    return total / (sequences * length)


def read_metrics(run):
    """Quern's training losses, skipped steps and validation losses, by step."""
    losses, skipped, validation = {}, set(), {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        line = json.loads(line)
        if "val_loss" in line:
            validation[line["step"]] = line["val_loss"]
        else:
            losses[line["step"]] = line["loss"]
            if line.get("skipped"):
                skipped.add(line["step"])
    return losses, skipped, validation


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--micro-batch", type=int, help="sequences at once (default: the global batch)")
    parser.add_argument("--steps", type=int, help="stop after so many (the schedule stays that of the run)")
    parser.add_argument("--every", type=int, default=50, help="steps between two printed lines")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with no_float32() if args.double else contextlib.nullcontext():
        repeat(args)


def repeat(args):

    run = yaml.safe_load((args.run / "config.yaml").read_text())
    settings, seed, train = run["optimizer"], run["run"]["seed"], run["train"]
    if run["data"].get("document_mask") or "train" in run["data"]:
        sys.exit("only runs on text or token shards, without document mask, can be repeated here")
    shards = Path(run["data"].get("shards", args.run / "data"))
    tokens, validation_tokens = read_tokens(shards / "train"), read_tokens(shards / "validation")
    length, global_batch, steps = train["sequence_length"], train["global_batch"], train["steps"]
    samples, validation_samples = (len(tokens) - 1) // length, (len(validation_tokens) - 1) // length
    sequences = run["evaluate"]["sequences"]
    sequences = validation_samples if sequences == "all" else min(sequences, validation_samples)
    micro_batch = args.micro_batch or global_batch
    clip = train["clip_grad_norm"]

    checkpoint = sorted((args.run / "checkpoints").glob("step-*"))[-1]
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(checkpoint), attn_implementation="sdpa")
    initialise(model, seed)
    if args.double:
        model = in_double(model)
    optimizer = Optimizer(model, settings)
    quern_losses, skipped, quern_validation = read_metrics(args.run)

    print(f"{sum(p.numel() for p in model.parameters())} parameters, {samples} samples, {sequences} for validation")
    print("   step    Quern  PyTorch  difference")
    began, validation_loss = time.perf_counter(), None
    last = min(args.steps or steps, steps)
    for step in range(last):
        places = [place(step * global_batch + i, samples, seed) for i in range(global_batch)]
        loss = 0.0
        for first in range(0, global_batch, micro_batch):
            ids, targets = batch(tokens, length, places[first : first + micro_batch])
            part = loss_sum(model, ids, targets) / (global_batch * length)
            part.backward()
            loss += part.item()
        if step + 1 not in skipped:
            if clip != "off":
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step(lr_fraction(run["schedule"], step, steps))
        model.zero_grad()
        done = step + 1
        if done <= 3 or done % args.every == 0 or done == last:
            quern = quern_losses[done]
            print(f"{done:7d} {quern:8.4f} {loss:8.4f} {quern - loss:+.2e}", flush=True)
        if done % run["evaluate"]["every"] == 0 or done == steps:
            validation_loss = evaluate(model, validation_tokens, length, sequences, micro_batch)
            quern = quern_validation.get(done, math.nan)
            print(f"{done:7d} {quern:8.4f} {validation_loss:8.4f} {quern - validation_loss:+.2e}  validation", flush=True)
    seconds = time.perf_counter() - began
    print(f"PyTorch {torch.__version__}, {args.threads} threads, {seconds:.0f} s with evaluations")
    if last == steps:
        ratio = quern_validation[steps] / validation_loss
        print(f"final validation loss: Quern {quern_validation[steps]:.4f}, PyTorch {validation_loss:.4f}, ratio {ratio:.5f}")


if __name__ == "__main__":
    main()
