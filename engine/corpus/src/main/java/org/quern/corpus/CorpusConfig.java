package org.quern.corpus;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.quern.config.Checked;
import org.quern.config.Default;
import org.quern.config.EmptyWord;
import org.quern.config.Range;
import org.quern.config.TokenizerSection;
import org.quern.corpus.filter.C4Quality;
import org.quern.corpus.filter.FineWebQuality;
import org.quern.corpus.filter.GopherQuality;
import org.quern.corpus.filter.GopherRepetition;
import org.quern.corpus.filter.PersonalData;
import org.quern.store.Location;

/// What a corpus is made of and how. The sections of stages stand in the order in which pages go through them;
/// each may be `off`, and begins with FineWeb's thresholds.
///
/// @param inputs files, folders and patterns such as `crawl/*.warc.gz` or `s3://bucket/crawl/*.warc.gz`; each is a
///     snapshot of its own
/// @param maxPageBytes longer records and pages are counted and passed over
/// @param urls which pages to drop by their URL
/// @param language which languages to keep; by default all, unidentified
/// @param quality a trained classifier; by default none
/// @param decontamination by default none
/// @param personalData what is replaced
/// @param shardPages of each Parquet file
/// @param samples pages to keep for each reason of a drop, to be looked at
/// @param tokens what to tokenize the corpus with; by default it stays text
/// @param threads that work on pages
public record CorpusConfig(
        List<Location> inputs,

        @Default("16777216") @Range(min = 1024, max = 1 << 30)
        int maxPageBytes,

        @Default("{}") @EmptyWord("off") Optional<Urls> urls,
        @EmptyWord("off") Optional<Language> language,
        @Default("{}") @EmptyWord("off") Optional<GopherRepetition.Settings> gopherRepetition,
        @Default("{}") @EmptyWord("off") Optional<GopherQuality.Settings> gopherQuality,
        @Default("{}") @EmptyWord("off") Optional<C4Quality.Settings> c4Quality,
        @Default("{}") @EmptyWord("off") Optional<FineWebQuality.Settings> finewebQuality,
        @EmptyWord("off") Optional<Quality> quality,
        @EmptyWord("off") Optional<Decontamination> decontamination,
        @Default("{}") @EmptyWord("off") Optional<PersonalData.Settings> personalData,
        @Default("{}") @EmptyWord("off") Optional<Duplicates> duplicates,
        @Default("100000") @Range(min = 1) int shardPages,
        @Default("20") @Range(min = 0, max = 1000) int samples,
        @EmptyWord("off") Optional<Tokens> tokens,
        @EmptyWord("all") @Range(min = 1) Optional<Integer> threads) {
    /// What decides which pages are kept and how, before they are compared with each other.
    public CorpusConfig ofPages() {
        return new CorpusConfig(
                List.of(),
                maxPageBytes,
                urls,
                language,
                gopherRepetition,
                gopherQuality,
                c4Quality,
                finewebQuality,
                quality,
                decontamination,
                personalData,
                duplicates,
                1,
                samples,
                Optional.empty(),
                Optional.empty());
    }

    /// Pages that are dropped by their URL.
    ///
    /// @param lists a folder with lists of the user's, besides those that Quern comes with
    /// @param toulouse a folder with the lists of the University of Toulouse (UT1)
    /// @param categories of those to read; by default all
    /// @param softWords how many different soft words drop a page
    public record Urls(
            Optional<Path> lists,
            Optional<Path> toulouse,
            @Default("[]") List<String> categories,
            @Default("2") @Range(min = 1) int softWords) {}

    /// A classifier that keeps pages.
    ///
    /// @param model of fastText
    /// @param label that pages are kept for
    /// @param minScore of those
    public record Quality(
            Path model,
            String label,
            @Range(min = 0, max = 1) double minScore) {}

    /// Pages that share texts with an evaluation are dropped.
    ///
    /// @param texts the evaluation's: `.txt` and `.jsonl` files
    /// @param words in the n-grams that are compared
    /// @param limit how many shared n-grams drop a page
    public record Decontamination(
            List<Path> texts,
            @Default("13") @Range(min = 1) int words,
            @Default("1") @Range(min = 1) int limit) {}

    /// Identification of languages.
    ///
    /// @param model fastText's `lid.176.ftz` or `lid.176.bin`
    /// @param keep the languages that go on, as the model calls them; by default all
    /// @param minScore pages go on above this
    /// @param characters of a page that are read, in pieces from its beginning to its end, or `all`, as in FineWeb
    public record Language(
            Path model,
            @Default("[]") List<String> keep,
            @Default("0.65") @Range(min = 0, max = 1) double minScore,

            @Default("600") @EmptyWord("all") @Range(min = 100)
            Optional<Integer> characters) {}

    /// Removal of pages that are the same as another: of each cluster, the page with the smallest hash of its
    /// URL and then of its id is kept.
    ///
    /// @param exact the same words in the same order
    /// @param near nearly the same, by MinHash
    /// @param acrossInputs looks for them in all inputs together, not in each alone
    public record Duplicates(
            @Default("true") boolean exact,
            @Default("{}") @EmptyWord("off") Optional<Near> near,
            @Default("false") boolean acrossInputs) {}

    /// MinHash.
    ///
    /// @param buckets how many chances two pages have to be found
    /// @param hashes in a bucket, all of which must be equal
    /// @param words in the n-grams that are hashed
    /// @param seed of the hash functions
    public record Near(
            @Default("14") @Range(min = 1, max = 1000) int buckets,
            @Default("8") @Range(min = 1, max = 1000) int hashes,
            @Default("5") @Range(min = 1, max = 100) int words,
            @Default("1") long seed) {}

    /// Token shards that training reads as `data.shards`.
    ///
    /// @param tokenizer a file, or training on this corpus
    /// @param validationFraction of the pages, held out by chance
    /// @param seed of that chance
    public record Tokens(
            TokenizerSection tokenizer,
            @Default("0.005") @Range(above = 0, below = 1) double validationFraction,
            @Default("1") long seed)
            implements Checked {
        @Override
        public List<String> problems() {
            return tokenizer.vocabSize().isPresent()
                    ? List.of("tokenizer must have file or train: vocab_size alone makes no tokens")
                    : List.of();
        }
    }
}
