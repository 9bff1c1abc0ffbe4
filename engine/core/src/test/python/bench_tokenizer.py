"""Times tiktoken and Hugging Face tokenizers beside `quern bench cpu --only encode` and `--only train-tokenizer`.

    python bench_tokenizer.py --only encode --text FILE --ranks cl100k_base.tiktoken         needs tiktoken
    python bench_tokenizer.py --only encode --library tokenizers --text FILE --ranks ...     needs tokenizers
    python bench_tokenizer.py --only train-tokenizer --text FILE [--threads N]               needs tokenizers

Prints JSON objects: {"bench", "library", "threads", "reps", "median_seconds", "min_seconds", "max_seconds",
"megabytes_per_second"} (of the median). `encode` is the expression and the ranks of cl100k, one thread, CPU time: tiktoken
on the whole text, tokenizers on documents of 20,000 bytes, which it is faster with. Neither keeps words from call to call
in a way that shows, so `encode cold` and `encode warm` are one figure. `train-tokenizer` is the BpeTrainer of tokenizers,
32,768 tokens, Llama 3's expression, documents of 20,000 bytes, wall time. All do what the Java side does: the same ids, the
same merges.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from golden_tokenizer import CL100K, END, llama3_pre_tokenizer

# The same words as CL100K in the dialect of Hugging Face tokenizers: no possessive counts, and `$` is the end of a line.
CL100K_ONIGURUMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
VOCAB_SIZE = 32768
DOCUMENT_BYTES = 20_000


def tiktoken_encoding(ranks):
    import tiktoken
    import tiktoken.load

    return tiktoken.Encoding(
        "cl100k", pat_str=CL100K, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(str(ranks)), special_tokens={}
    )


def encode(text, ranks):
    import tiktoken

    encoding = tiktoken_encoding(ranks)
    string = text.decode("utf-8")
    return f"tiktoken {tiktoken.__version__}", lambda: encoding.encode_ordinary(string)


def hugging_face(ranks):
    import tiktoken.load
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    alphabet = bytes_to_unicode()
    vocabulary = tiktoken.load.load_tiktoken_bpe(str(ranks))
    merges = []
    for token, rank in vocabulary.items():
        for cut in range(1, len(token)):
            left, right = vocabulary.get(token[:cut]), vocabulary.get(token[cut:])
            if left is not None and right is not None:
                merges.append((rank, left, right, token[:cut], token[cut:]))
    merges.sort()

    def written(token):
        return "".join(alphabet[b] for b in token)

    tokenizer = Tokenizer(
        models.BPE(
            {written(token): rank for token, rank in vocabulary.items()},
            [(written(left), written(right)) for _, _, _, left, right in merges],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CL100K_ONIGURUMA), "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    return tokenizer


def encode_hugging_face(text, ranks):
    import tokenizers

    tokenizer = hugging_face(ranks)
    documents = [text[i : i + DOCUMENT_BYTES].decode("utf-8", "replace") for i in range(0, len(text), DOCUMENT_BYTES)]

    def work():
        for document in documents:
            tokenizer.encode(document, add_special_tokens=False)

    return f"tokenizers {tokenizers.__version__}", work


def bytes_to_unicode():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + n) for n, b in enumerate(others)}


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
    parser.add_argument("--library", choices=["tiktoken", "tokenizers"], default="tiktoken", help="of encode")
    parser.add_argument("--threads", type=int, help="of train-tokenizer (default: all)")
    parser.add_argument("--reps", type=int, default=3)
    args = parser.parse_args()
    threads = 1 if args.only == "encode" else args.threads or len(os.sched_getaffinity(0))
    # Read when the library starts its threads.
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    text = args.text.read_bytes()
    if args.only == "train-tokenizer":
        library, work = train(text)
    elif args.library == "tokenizers":
        library, work = encode_hugging_face(text, args.ranks)
    else:
        library, work = encode(text, args.ranks)
    clock = time.process_time if args.only == "encode" else time.perf_counter
    seconds = []
    for _ in range(args.reps):
        start = clock()
        work()
        seconds.append(clock() - start)
    median = statistics.median(seconds)
    for bench in ["encode cold", "encode warm"] if args.only == "encode" else [args.only]:
        report(bench, library, threads, args.reps, seconds, median, len(text))


def report(bench, library, threads, reps, seconds, median, size):
    line = {"bench": bench, "library": library, "threads": threads, "reps": reps, "median_seconds": median}
    line |= {"min_seconds": min(seconds), "max_seconds": max(seconds), "megabytes_per_second": size / 1e6 / median}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
