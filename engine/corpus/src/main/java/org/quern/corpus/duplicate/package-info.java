/// Pages that were seen before: exactly, or nearly, by MinHash.
///
/// Three passes. [Fingerprints] are computed a page at a time; a [SignatureWriter] for each task sorts them
/// into a file a bucket; [DuplicateFinder] merges the files of a bucket, takes pages with equal records for
/// the same, joins the pairs of all buckets to clusters and tells which page of each to keep. What it says
/// depends on the pages and on the order of their numbers alone, not on how they were divided among tasks.
package org.quern.corpus.duplicate;
