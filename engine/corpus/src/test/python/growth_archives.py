"""Writes plain WARC files of as many bytes as one likes, to see what `quern corpus build` takes for them.

    python3 growth_archives.py configs/quickstart/austen.jsonl.gz GIGABYTES FOLDER

Pages of 12 random paragraphs of Jane Austen's novels each, 7 kB; ten files; the same bytes each time.
"""

import gzip
import json
import random
import sys

PAGE = b"""<html><head><title>Page %d</title></head><body><div class="nav"><a href="/">home</a> <a href="/x">more</a></div>\
<article><h1>Chapter %d of %d</h1>
%s</article></body></html>"""
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
HEADER = b"""WARC/1.0\r
WARC-Type: response\r
WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-%012d>\r
WARC-Date: 2026-01-01T00:00:00Z\r
WARC-Target-URI: https://site%d.example/p%d\r
Content-Type: application/http; msgtype=response\r
Content-Length: %d\r
\r
"""
FILES = 10

novels, gigabytes, folder = sys.argv[1:]
with gzip.open(novels, "rt") as lines:
    texts = [paragraph.strip() for line in lines for paragraph in json.loads(line)["text"].split("\n")]
paragraphs = [b"<p>%s</p>\n" % text.encode() for text in texts if 200 < len(text) < 1500]
draw = random.Random(7)
page = 0
for file in range(FILES):
    with open(f"{folder}/growth-{file:02d}.warc", "wb") as out:
        while out.tell() < float(gigabytes) * 1e9 / FILES:
            page += 1
            html = HTTP + PAGE % (page, page, draw.getrandbits(60), b"".join(draw.choices(paragraphs, k=12)))
            out.write(HEADER % (page, page % 5000, page, len(html)) + html + b"\r\n\r\n")
