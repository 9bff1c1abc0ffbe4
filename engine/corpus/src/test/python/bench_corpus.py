#!/usr/bin/env python3
"""datatrove's stages on the documents that `quern bench corpus` measures: documents and megabytes a second of processor time.

  bench_corpus.py TEXT DATATROVE MODEL [ROUNDS]

DATATROVE is a checkout of huggingface/datatrove at a649de79 (0.10.0), MODEL is lid.176.ftz. Words are what stands between
spaces instead of what spaCy makes of them, which costs datatrove more. Needs Debian's python3-fasttext, -xxhash and what
golden_filters.py needs.
"""
import importlib
import sys
import time
import types

TEXT, DATATROVE, MODEL = sys.argv[1:4]
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 3
SIZE = 3000


class Anything:
    def __init__(self, *_, **__): pass
    def __getattr__(self, name): return Anything()
    def __call__(self, *_, **__): return Anything()


class Spaces:
    def word_tokenize(self, text): return text.split()

    def span_tokenize(self, text):
        ends = [i + 1 for i, c in enumerate(text) if c in ".?!"]
        return list(zip([0] + ends, ends + [len(text)]))


def stand_in(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    module.__getattr__ = lambda key: Anything
    sys.modules[name] = module


for name in ["huggingface_hub", "huggingface_hub.utils", "huggingface_hub.hf_file_system", "huggingface_hub.errors",
             "tokenizers", "tokenizers.processors"]:
    stand_in(name)
sys.path.insert(0, DATATROVE + "/src")
tokenizers = importlib.import_module("datatrove.utils.word_tokenizers")
tokenizers.load_word_tokenizer = lambda language: Spaces()
import fasttext  # noqa: E402
from datatrove.data import Document  # noqa: E402
from datatrove.pipeline import filters  # noqa: E402
from datatrove.pipeline.dedup import minhash  # noqa: E402
from datatrove.pipeline.formatters import PIIFormatter  # noqa: E402

minhash.load_word_tokenizer = tokenizers.load_word_tokenizer
fasttext.FastText.eprint = lambda *_: None


def documents():
    text = open(TEXT, encoding="utf-8").read()
    start = 0
    while start < len(text):
        end = min(len(text), start + SIZE)
        line = end if end == len(text) else text.rfind("\n", start, end + 1)
        end = line if line > start else end
        yield text[start:end]
        start = end


texts = list(documents())
megabytes = sum(len(text.encode()) for text in texts) / 1e6
model = fasttext.load_model(MODEL)
signature = minhash.MinhashDedupSignature("/tmp")
personal = PIIFormatter()
stages = {
    "language": lambda text: model.predict(text.replace("\n", " "), k=-1),
    "gopher_repetition": filters.GopherRepetitionFilter(),
    "gopher_quality": filters.GopherQualityFilter(),
    "c4_quality": filters.C4QualityFilter(filter_no_terminal_punct=False),
    "fineweb_quality": filters.FineWebQualityFilter(),
    "personal_data": personal.format,
    "minhash": lambda text: signature.get_signature(signature.get_shingles(text)),
}
print(f"{'stage':20} {'documents/s':>12} {'MB/s':>8}")
for name, stage in stages.items():
    apply = stage if callable(stage) and not hasattr(stage, "filter") else (
        lambda text, stage=stage: stage.filter(Document(text=text, id="0")))
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for text in texts:
            apply(text)
        taken.append(time.process_time() - start)
    seconds = sorted(taken)[ROUNDS // 2]
    print(f"{name:20} {len(texts) / seconds:12.0f} {megabytes / seconds:8.1f}", flush=True)
