/// From web archives to a corpus a model trains on. Data flows through the packages in this order:
///
/// | package | is |
/// |---|---|
/// | `archive` | WARC, WET, Parquet and JSONL in and out |
/// | `extract` | a page's text from its HTML |
/// | `fasttext` | text classifiers in the file format of fastText |
/// | `language` | which language a text is in |
/// | `filter` | URL lists, Gopher, C4 and FineWeb rules, the learned classifier, decontamination, personal data |
/// | `duplicate` | exact and MinHash duplicates |
/// | `run` | partitions of stages on threads or on Spark, their restart, their report |
package org.quern.corpus;
