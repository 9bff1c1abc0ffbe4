package org.quern.corpus.quality;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.Verdict;
import org.quern.corpus.archive.ArchiveFile;
import org.quern.corpus.archive.PageReader;
import org.quern.corpus.extract.ExtractStage;
import org.quern.data.CorpusReader;
import org.quern.data.PathPatterns;

/// Texts of one label: of text files, one a file or with form feeds between them, and of all files that pages come
/// in, with the text extracted where they hold HTML.
public final class LabelledTexts {
    private static final List<String> TEXT_SUFFIXES = List.of(".txt", ".txt.gz");
    private static final int MAX_PAGE_BYTES = 16 << 20;

    private LabelledTexts() {}

    /// Reads all texts of some files, in their order.
    ///
    /// @param patterns files, folders, and patterns such as `good/*.parquet`
    /// @throws QuernException naming a pattern without files, and a file without texts
    public static List<String> read(List<Path> patterns) {
        List<String> suffixes = Stream.concat(TEXT_SUFFIXES.stream(), PageReader.SUFFIXES.stream())
                .toList();
        List<String> texts = new ArrayList<>();
        for (Path file : PathPatterns.files(patterns, suffixes)) {
            int before = texts.size();
            if (TEXT_SUFFIXES.stream().anyMatch(file.toString()::endsWith)) {
                readText(file, texts);
            } else {
                readPages(file, texts);
            }
            if (texts.size() == before) {
                throw QuernException.data("%s: expected texts to learn from, found none".formatted(file));
            }
        }
        return texts;
    }

    private static void readText(Path file, List<String> texts) {
        try (CorpusReader reader = new CorpusReader(List.of(file))) {
            reader.forEachRemaining(document -> {
                String text = new String(document.text(), StandardCharsets.UTF_8);
                if (!text.isBlank()) {
                    texts.add(text);
                }
            });
        }
    }

    private static void readPages(Path file, List<String> texts) {
        ExtractStage extract = new ExtractStage();
        ArchiveFile archive = new ArchiveFile.Local(file.toString(), file);
        try (PageReader reader = PageReader.open(archive, MAX_PAGE_BYTES)) {
            for (Optional<Page> page = reader.next(); page.isPresent(); page = reader.next()) {
                if (extract.apply(page.get()) instanceof Verdict.Kept(Page kept)
                        && !kept.text().isBlank()) {
                    texts.add(kept.text());
                }
            }
        } catch (IOException e) {
            throw QuernException.io("%s: its texts cannot be read".formatted(file), e);
        }
    }
}
