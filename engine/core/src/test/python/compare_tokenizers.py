"""Quern, tiktoken, Hugging Face tokenizers and jtokkit encode the same texts with cl100k, in turns, one thread each.

    python compare_tokenizers.py --ranks cl100k_base.tiktoken --quern launcher/target/quern.jar \
        --jtokkit jtokkit-1.1.0.jar --java .../bin/java TEXT...       needs tiktoken and tokenizers

Prints a table in Markdown: for each text the megabytes a second of CPU time, and whether the ids are those of tiktoken
(SHA-256). Texts (UTF-8) are cut into documents of some 20,000 bytes, at line ends. Encoders are cold: they have met no
word yet. Quern and jtokkit run in a JVM that has warmed up (EncodeBench.java); tokenizers, which would take minutes, gets
the first part of each text (--tokenizers-bytes), and its ids are compared on that.
"""

import argparse
import array
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

from bench_tokenizer import hugging_face, tiktoken_encoding

DOCUMENT_BYTES = 20_000
BENCH = Path(__file__).parent.parent / "bench" / "EncodeBench.java"


def documents(text):
    parts, start = [], 0
    while start < len(text):
        end = min(len(text), start + DOCUMENT_BYTES)
        while end < len(text) and text[end - 1] != 0x0A:
            end += 1
        parts.append(text[start:end].decode("utf-8"))
        start = end
    return parts


def timed(encode, parts):
    start = time.process_time()
    ids = [encode(part) for part in parts]
    seconds = time.process_time() - start
    flat = array.array("i")
    for some in ids:
        flat.extend(some)
    return seconds, hashlib.sha256(flat.tobytes()).hexdigest()


def java(args, library, text):
    command = [args.java, "-Xmx4g", "-XX:+UseSerialGC", "-cp", f"{args.quern}:{args.jtokkit}", BENCH, library, args.ranks]
    line = subprocess.run([*command, text, str(DOCUMENT_BYTES)], check=True, capture_output=True, text=True).stdout
    result = json.loads(line)
    return result["seconds"], result["sha256"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=Path, required=True)
    parser.add_argument("--quern", type=Path, required=True, help="quern.jar, with its lib folder beside it")
    parser.add_argument("--jtokkit", type=Path, required=True)
    parser.add_argument("--java", default="java")
    parser.add_argument("--tokenizers-bytes", type=int, default=4_000_000)
    parser.add_argument("texts", nargs="+", type=Path)
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    print("| text | MB | Quern | tiktoken | ratio | jtokkit | ratio | tokenizers | ratio | ids |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for text in args.texts:
        raw = text.read_bytes()
        parts = documents(raw)
        ours, digest = java(args, "quern", text)
        tiktoken, expected = timed(tiktoken_encoding(args.ranks).encode_ordinary, parts)
        jtokkit, other = java(args, "jtokkit", text)
        size, count = 0, 0
        while count < len(parts) and size < args.tokenizers_bytes:
            size += len(parts[count].encode())
            count += 1
        slow = hugging_face(args.ranks)
        hf, hf_digest = timed(lambda part: slow.encode(part, add_special_tokens=False).ids, parts[:count])
        _, hf_expected = timed(tiktoken_encoding(args.ranks).encode_ordinary, parts[:count])
        rates = [len(raw) / 1e6 / ours, len(raw) / 1e6 / tiktoken, len(raw) / 1e6 / jtokkit, size / 1e6 / hf]
        differing = [
            name
            for name, same in [
                ("Quern", digest == expected),
                ("jtokkit", other == expected),
                ("tokenizers", hf_digest == hf_expected),
            ]
            if not same
        ]
        cells = [f"{rates[0]:.1f}"] + [cell for rate in rates[1:] for cell in (f"{rate:.2f}", f"{rates[0] / rate:.1f}")]
        verdict = "the same" if not differing else "other ids: " + ", ".join(differing)
        print(f"| {text.stem} | {len(raw) / 1e6:.1f} | {' | '.join(cells)} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
