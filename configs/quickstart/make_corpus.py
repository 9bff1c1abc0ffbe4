#!/usr/bin/env python3
"""Makes austen.jsonl.gz, one chapter of Jane Austen's six novels a line, from Debian's package r-cran-janeaustenr.

    apt-get download r-cran-janeaustenr=1.0.0-1
    python3 make_corpus.py r-cran-janeaustenr_1.0.0-1_all.deb

Needs nothing but Python's own library. README.md says what is kept and what is changed.
"""

import gzip
import hashlib
import io
import json
import re
import struct
import sys
import tarfile
import zlib

PACKAGE_SHA256 = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"
DATA = "./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
# In the order of publication.
NOVELS = ["Sense and Sensibility", "Pride and Prejudice", "Mansfield Park", "Emma", "Northanger Abbey", "Persuasion"]

HEADING = re.compile(r"(chapter|volume) ([0-9]+|[IVXL]+)$", re.IGNORECASE)
ADVERTISEMENT = "ADVERTISEMENT BY THE AUTHORESS, TO NORTHANGER ABBEY"
# What follows is not the novel any more: the last line, and the footnote and the note of a modern edition.
END = re.compile(r"(the end|finis)$|\*vide a letter|a note on the text$", re.IGNORECASE)
EDITION_NOTE = re.compile(r"\s*\[(End volume one of this edition|At this point in the first and second editions)")


def ar_member(archive, name):
    """A member of a Unix ar archive, which is what a .deb is."""
    position = 8
    while position < len(archive):
        header = archive[position : position + 60]
        size = int(header[48:58])
        if header[:16].decode().strip().rstrip("/") == name:
            return archive[position + 60 : position + 60 + size]
        position += 60 + size + size % 2
    raise SystemExit(f"the package holds no {name}")


def r_blocks(rdb):
    """The objects of an R database: blocks of a 4-byte big-endian length and a zlib stream."""
    position = 0
    while position < len(rdb):
        (length,) = struct.unpack_from(">I", rdb, position)
        stream = zlib.decompressobj()
        block = stream.decompress(rdb[position + 4 :])
        if len(block) != length:
            raise SystemExit(f"block at {position}: expected {length} bytes, found {len(block)}")
        yield block
        position = len(rdb) - len(stream.unused_data)


def r_strings(block):
    """A character vector in R's serialisation, version 3: XDR, 14 bytes of header, native encoding, then CHARSXPs."""
    (encoding,) = struct.unpack_from(">I", block, 14)
    position = 18 + encoding
    kind, count = struct.unpack_from(">II", block, position)
    if kind != 16:
        raise SystemExit(f"expected a character vector (type 16), found type {kind}")
    position += 8
    for _ in range(count):
        _, length = struct.unpack_from(">Ii", block, position)
        position += 8
        yield block[position : position + length].decode("utf-8")
        position += length


def paragraphs(lines):
    """Rejoins the lines of each paragraph. An indented line (verse, a signature) stays a line of its own."""
    blocks = []
    block = None
    for line in lines:
        indented = line[:1] == " "
        line = " ".join(line.split())
        if not line:
            block = None
        elif block is None:
            block = [line]
            blocks.append(block)
            after_indented = indented
        else:
            if indented or after_indented:
                block.append("\n" + line)
            elif block[-1].endswith("-") or line.startswith("--"):
                block.append(line)
            else:
                block.append(" " + line)
            after_indented = indented
    return "\n\n".join("".join(block) for block in blocks)


def chapters(novel, lines):
    """(title, text) of each chapter; what stands before the first heading is the title page."""
    if novel == "Sense and Sensibility":
        # The only novel whose letters are set off by five spaces.
        lines = [line.removeprefix("     ") for line in lines]
    volume, heading, body = "", None, []
    in_note = False
    for line in lines + ["the end"]:
        match = HEADING.match(line)
        ends = END.match(line)
        if match or ends or line == ADVERTISEMENT:
            if heading:
                yield f"{novel}, {volume}{heading}", paragraphs(body)
            body = []
            if ends:
                return
            if match and match[1].lower() == "volume":
                volume, heading = f"Volume {match[2]}, ", None
            else:
                heading = f"Chapter {match[2]}" if match else "Advertisement"
        else:
            note_starts = EDITION_NOTE.match(line)
            in_note = in_note or bool(note_starts)
            if not in_note:
                body.append(line.replace("declared,* it", "declared, it"))
            if line.endswith("]"):
                in_note = False


def main(package):
    with open(package, "rb") as file:
        archive = file.read()
    found = hashlib.sha256(archive).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{package}: expected sha256 {PACKAGE_SHA256}, found {found}")
    with tarfile.open(fileobj=io.BytesIO(ar_member(archive, "data.tar.xz"))) as tar:
        rdb = tar.extractfile(DATA).read()
    novels = {lines[0].lower(): lines for lines in map(list, map(r_strings, r_blocks(rdb)))}

    documents = []
    for novel in NOVELS:
        count, size = len(documents), 0
        for title, text in chapters(novel, novels[novel.lower()]):
            documents.append({"text": text, "title": title})
            size += len(text.encode("utf-8"))
        print(f"{novel}: {len(documents) - count} documents, {size} bytes")
    jsonl = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode("utf-8")
    with open("austen.jsonl.gz", "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as out:
            out.write(jsonl)
    print(f"{len(documents)} documents, {sum(len(d['text'].encode('utf-8')) for d in documents)} bytes of text")
    print(f"sha256 of the lines, uncompressed: {hashlib.sha256(jsonl).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
