"""Times PyTorch on the CPU beside `quern bench cpu`: matrix products and a training step of GPT-2 124M.

    python bench_cpu.py [--only matmul|step] [--threads N] [--reps R]        needs torch, transformers

Prints a JSON object a line: {"bench": "matmul", "shape", "m", "n", "k", "threads", "reps", "median_seconds",
"min_seconds", "max_seconds", "gflops"} (of the median), and {"bench": "step", "model", "batch", "sequence", ...,
"tokens_per_second"}; the first line says which PyTorch. All in fp32. A matrix product is C[m, n] = A[m, k] B, with B
as [k, n] for the squares and as nn.Linear keeps it, [n, k], for the GPT-2 shapes (m = 4 x 64 tokens).

A training step is forward, loss, backward and AdamW (fused: PyTorch's fastest) on B=4 sequences of T=64 random tokens,
eager mode (no torch.compile), SDPA attention, no dropout, random weights.
"""

import argparse
import json
import os
import statistics
import time

import torch

SQUARES = [512, 1024, 2048]
GPT2_SHAPES = {
    "gpt2-qkv": (256, 2304, 768),
    "gpt2-attention-out": (256, 768, 768),
    "gpt2-mlp-up": (256, 3072, 768),
    "gpt2-mlp-down": (256, 768, 3072),
    "gpt2-logits": (256, 50257, 768),
}


def times(work, reps):
    """Seconds of `reps` calls, after two to warm up."""
    seconds = []
    for rep in range(reps + 2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds[2:]


def report(seconds, threads, rate_name, work, **what):
    median = statistics.median(seconds)
    line = what | {"threads": threads, "reps": len(seconds), "median_seconds": median}
    line |= {"min_seconds": min(seconds), "max_seconds": max(seconds), rate_name: work / median}
    print(json.dumps(line), flush=True)


def matmul(threads, reps):
    products = {f"{n}": (n, n, n) for n in SQUARES} | GPT2_SHAPES
    for shape, (m, n, k) in products.items():
        a = torch.randn(m, k)
        b = torch.randn(n, k).T if shape in GPT2_SHAPES else torch.randn(k, n)
        out = torch.empty(m, n)
        seconds = times(lambda: torch.mm(a, b, out=out), reps)
        report(seconds, threads, "gflops", 2e-9 * m * n * k, bench="matmul", shape=shape, m=m, n=n, k=k)


def step(threads, reps, batch=4, sequence=64):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="sdpa")
    model = GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    tokens = torch.randint(config.vocab_size, (batch, sequence + 1))

    def work():
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    what = {"bench": "step", "model": "gpt2-124m", "batch": batch, "sequence": sequence}
    report(times(work, reps), threads, "tokens_per_second", batch * sequence, **what)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["matmul", "step"], help="default: both")
    parser.add_argument("--threads", type=int, help="default: 1 and all for matmul, all for the step")
    parser.add_argument("--reps", type=int, help="timed repetitions (default: 20 for matmul, 5 for the step)")
    args = parser.parse_args()
    everything = len(os.sched_getaffinity(0))
    print(json.dumps({"bench": "environment", "torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}))
    if args.only != "step":
        for threads in [args.threads] if args.threads else sorted({1, everything}):
            torch.set_num_threads(threads)
            matmul(threads, args.reps or 20)
    if args.only != "matmul":
        torch.set_num_threads(args.threads or everything)
        step(args.threads or everything, args.reps or 5)


if __name__ == "__main__":
    main()
