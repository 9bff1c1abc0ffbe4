"""Times tiktoken and Hugging Face tokenizers beside `quern bench cpu --only encode` and `--only train-tokenizer`.

    python bench_tokenizer.py --only encode --text FILE --ranks cl100k_base.tiktoken         needs tiktoken
    python bench_tokenizer.py --only train-tokenizer --text FILE [--threads N]               needs tokenizers

Prints a JSON object: {"bench", "library", "threads", "reps", "median_seconds", "min_seconds", "max_seconds",
"megabytes_per_second"} (of the median, wall time). `encode` is tiktoken with cl100k's expression on the whole text, one
thread. `train-tokenizer` is the BpeTrainer of tokenizers, 32,768 tokens, Llama 3's expression, documents of 20,000
bytes. Both do what the Java side does: the same ids, the same merges.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from golden_tokenizer import CL100K, END, llama3_pre_tokenizer

VOCAB_SIZE = 32768
DOCUMENT_BYTES = 20_000


def encode(text, ranks):
    import tiktoken
    import tiktoken.load

    encoding = tiktoken.Encoding(
        "cl100k", pat_str=CL100K, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(str(ranks)), special_tokens={}
    )
    string = text.decode("utf-8")
    return f"tiktoken {tiktoken.__version__}", lambda: encoding.encode_ordinary(string)


def train(text):
    import tokenizers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    documents = [text[i : i + DOCUMENT_BYTES].decode("utf-8", "replace") for i in range(0, len(text), DOCUMENT_BYTES)]

    def work():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = llama3_pre_tokenizer()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(documents, trainer)

    return f"tokenizers {tokenizers.__version__}", work


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["encode", "train-tokenizer"], required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--ranks", type=Path)
    parser.add_argument("--threads", type=int, help="of train-tokenizer (default: all)")
    parser.add_argument("--reps", type=int, default=3)
    args = parser.parse_args()
    threads = 1 if args.only == "encode" else args.threads or len(os.sched_getaffinity(0))
    # Read when the library starts its threads.
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    text = args.text.read_bytes()
    library, work = encode(text, args.ranks) if args.only == "encode" else train(text)
    seconds = []
    for _ in range(args.reps):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    line = {"bench": args.only, "library": library, "threads": threads, "reps": args.reps, "median_seconds": median}
    line |= {"min_seconds": min(seconds), "max_seconds": max(seconds), "megabytes_per_second": len(text) / 1e6 / median}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
