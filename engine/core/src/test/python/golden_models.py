"""Golden values of tiny GPT-2 and Llama models, computed by PyTorch with the model classes of transformers.

    python golden_models.py [FOLDER]        needs torch, transformers, safetensors, numpy (made with 2.13, 5.18)

writes FOLDER/{gpt2,llama-tied,llama-untied} (default: ../resources/golden), each with

    config.json, model.safetensors   a Hugging Face folder as `save_pretrained` writes it: the weights, fp32.
                                     llama-untied's config.json is in the older spelling of published models
                                     (rope_theta + rope_scaling), llama-tied's in the newer one (rope_parameters).
    golden.safetensors               input_ids, targets   int32 [B, T]; target -100: ignored
                                     logits               fp32 [B, T, vocab]
                                     grad.<weight>        fp32, of the mean loss over the targets that count
                                     train.input_ids, train.targets   int32 [10 steps, 2 micro-batches, B, T]
    golden.json                      loss; train: losses before each of ten optimiser steps, loss after the last,
                                     gradient norms before clipping; greedy: prompts and the 24 tokens after each

Targets are shifted already: the target of position t is the token at t + 1 (no shift inside the loss).

The reference is float64 throughout: weights are rounded to float32 first and widened, everything after is double
(transformers' own casts to float32 in norms, rotary tables and softmax included), and what is stored as fp32 is
rounded once, at the end. The float32 result of the same code is computed too; the table printed at the end says how
far PyTorch itself is from the reference in float32, which is what a tolerance must allow for.

Training: torch.optim.AdamW, lr 1e-3, betas 0.9 and 0.95, eps 1e-8, weight decay 0.1 for tensors of two and more
dimensions and 0 for others; the two micro-batches' summed losses are divided by the number of counting targets of
both; clip_grad_norm_ 1.0 (factor min(1, 1 / (norm + 1e-6))).
"""

import contextlib
import copy
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

B, T, STEPS, MICRO_BATCHES, GREEDY = 2, 13, 10, 2, 24
PROMPTS = [[7], [3, 1, 4, 1, 5], [9, 2, 6, 5, 3, 5, 8, 9, 7]]


@contextlib.contextmanager
def no_float32():
    """Turns the model code's explicit casts to float32 into casts to float64."""
    float32, to_float = torch.float32, torch.Tensor.float
    torch.float32, torch.float, torch.Tensor.float = torch.float64, torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = float32, float32, to_float


def in_double(model):
    """The same model with its weights widened and its rotary tables computed again in float64."""
    double = copy.deepcopy(model).double()
    for module in double.modules():
        if hasattr(module, "inv_freq"):
            frequencies = rotary_frequencies(double.config)
            torch.testing.assert_close(module.inv_freq, frequencies, rtol=1e-6, atol=0)
            module.inv_freq = frequencies
    return double


def rotary_frequencies(config):
    """The rotary frequencies in float64, with Llama 3.1's scaling, written independently of transformers."""
    rope, frequencies = config.rope_parameters, []
    for i in range(0, config.head_dim, 2):
        frequency = rope["rope_theta"] ** (-i / config.head_dim)
        if rope["rope_type"] == "llama3":
            turns = rope["original_max_position_embeddings"] * frequency / (2 * math.pi)
            low, high = rope["low_freq_factor"], rope["high_freq_factor"]
            keep = min(1.0, max(0.0, (turns - low) / (high - low)))
            frequency *= keep + (1 - keep) / rope["factor"]
        frequencies.append(frequency)
    return torch.tensor(frequencies, dtype=torch.float64)


def loss_sum(model, ids, targets):
    logits = model(input_ids=ids, use_cache=False).logits
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"), logits


def forward_and_gradients(model, ids, targets):
    model.zero_grad()
    total, logits = loss_sum(model, ids, targets)
    loss = total / (targets != -100).sum()
    loss.backward()
    return loss.item(), logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters()}


def train(model, ids, targets):
    model = copy.deepcopy(model)
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        counting = (targets[step] != -100).sum()
        loss = 0.0
        for micro_batch in range(MICRO_BATCHES):
            part = loss_sum(model, ids[step, micro_batch], targets[step, micro_batch])[0] / counting
            part.backward()
            loss += part.item()
        losses.append(loss)
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
    with torch.no_grad():
        after = sum(loss_sum(model, ids[-1, m], targets[-1, m])[0].item() for m in range(MICRO_BATCHES))
    return losses, after / (targets[-1] != -100).sum().item(), norms


def greedy(model, prompt):
    """24 tokens from `generate`, and the smallest lead of a chosen token over the second best."""
    out = model.generate(
        torch.tensor([prompt]), max_new_tokens=GREEDY, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    best = [step[0].topk(2).values for step in out.logits]
    return out.sequences[0, len(prompt) :].tolist(), min((b[0] - b[1]).item() for b in best)


def batches(generator, vocab, *shape):
    """Sequences with something to learn: mostly an affine walk over the vocabulary; some targets are ignored."""
    tokens = torch.randint(vocab, (*shape, T + 1), generator=generator)
    for t in range(1, T + 1):
        walk = (5 * tokens[..., t - 1] + 3) % vocab
        tokens[..., t] = torch.where(torch.rand(shape, generator=generator) < 0.8, walk, tokens[..., t])
    ids, targets = tokens[..., :-1].contiguous(), tokens[..., 1:].contiguous()
    targets[torch.rand(targets.shape, generator=generator) < 0.1] = -100
    return ids, targets


def randomise(model, generator):
    """Weights large enough that every part of the model matters to the result."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                p.copy_(noise * (0.5 if "wpe" in name else 0.25))
            elif name.endswith("bias"):
                p.copy_(noise * 0.1)
            else:
                p.copy_(1 + noise * 0.2)


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


def old_spelling(path):
    """config.json as published Llama 3.1 models have it."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype", "float32")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def golden(folder, model, seed):
    generator = torch.Generator().manual_seed(seed)
    randomise(model, generator)
    model.eval()
    vocab = model.config.vocab_size
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if folder.name == "llama-untied":
        old_spelling(folder / "config.json")
    again = type(model).from_pretrained(folder, attn_implementation="eager")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))

    ids, targets = batches(generator, vocab, B)
    train_ids, train_targets = batches(generator, vocab, STEPS, MICRO_BATCHES, B)
    double = in_double(model)
    loss32, logits32, gradients32 = forward_and_gradients(again, ids, targets)
    losses32, after32, norms32 = train(again, train_ids, train_targets)
    with no_float32():
        loss, logits, gradients = forward_and_gradients(double, ids, targets)
        losses, after, norms = train(double, train_ids, train_targets)
    assert logits.dtype == torch.float64
    continuations = [greedy(again, prompt) for prompt in PROMPTS]

    tensors = {"input_ids": ids.int(), "targets": targets.int(), "logits": logits.float()}
    tensors |= {f"grad.{name}": g.float() for name, g in gradients.items()}
    tensors |= {"train.input_ids": train_ids.int(), "train.targets": train_targets.int()}
    save_file(tensors, folder / "golden.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)
    values = {
        "loss": loss,
        "train": {"losses": losses, "loss_after": after, "grad_norms": norms},
        "greedy": [{"prompt": p, "tokens": tokens} for p, (tokens, _) in zip(PROMPTS, continuations)],
    }
    (folder / "golden.json").write_text(json.dumps(values, indent=1) + "\n")

    print(f"\n{folder.name}: {sum(p.numel() for p in model.parameters())} parameters, loss {loss:.6f}")
    print("  PyTorch in float32 against float64:")
    print(f"    loss              relative {abs(loss32 / loss - 1):.1e}")
    print(f"    logits            largest absolute {(logits32 - logits).abs().max():.1e} (of {logits.abs().max():.2f})")
    worst = max(gradients, key=lambda n: relative(gradients32[n], gradients[n]))
    print(f"    gradients         worst relative norm {relative(gradients32[worst], gradients[worst]):.1e} ({worst})")
    off = max(abs(a / b - 1) for a, b in zip(losses32 + [after32], losses + [after]))
    print(f"    ten AdamW losses  worst relative {off:.1e}: {losses[0]:.4f} ... {losses[-1]:.4f}, after {after:.4f}")
    off = max(abs(a / b - 1) for a, b in zip(norms32, norms))
    print(f"    gradient norms    worst relative {off:.1e}: {min(norms):.3f} to {max(norms):.3f}")
    print(f"    greedy            smallest lead {min(lead for _, lead in continuations):.1e} logits, float32")
    for prompt, (tokens, _) in zip(PROMPTS, continuations):
        print(f"      {prompt} -> {tokens}")
    print(f"    {sum(f.stat().st_size for f in folder.iterdir()) / 1000:.0f} kB")


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "../resources/golden")
    torch.set_num_threads(1)
    gpt2 = GPT2Config(
        vocab_size=97, n_embd=24, n_layer=2, n_head=4, n_positions=40, activation_function="gelu_new",
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
        attn_implementation="eager",
    )  # fmt: skip
    golden(out / "gpt2", GPT2LMHeadModel(gpt2), 1)
    for tied in (True, False):
        # Wavelengths 2 pi 500^(i/4) = 6.3, 30, 140, 664 against the limits 48/4 and 48/1: kept, blended, stretched.
        llama = LlamaConfig(
            vocab_size=101, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            head_dim=8, intermediate_size=40, max_position_embeddings=384, rms_norm_eps=1e-5,
            tie_word_embeddings=tied, bos_token_id=None, eos_token_id=None, attn_implementation="eager",
            rope_parameters={
                "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 48,
            },
        )  # fmt: skip
        golden(out / ("llama-tied" if tied else "llama-untied"), LlamaForCausalLM(llama), 2 if tied else 3)


if __name__ == "__main__":
    main()
