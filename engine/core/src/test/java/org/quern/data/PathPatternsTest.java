package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;

class PathPatternsTest {
    @TempDir
    Path folder;

    @BeforeEach
    void makeFiles() throws IOException {
        for (String name : List.of(
                "b/2.jsonl",
                "b/1.txt",
                "b/deep/3.txt.gz",
                "b/deep/folder.txt/4.jsonl.gz",
                "b/readme.md",
                "c10.txt",
                "c9.txt")) {
            Files.createDirectories(folder.resolve(name).getParent());
            Files.createFile(folder.resolve(name));
        }
    }

    @Test
    void findsFilesByNameFolderAndGlob() {
        assertThat(find("c9.txt")).containsExactly("c9.txt");
        assertThat(find("b"))
                .containsExactly("b/1.txt", "b/2.jsonl", "b/deep/3.txt.gz", "b/deep/folder.txt/4.jsonl.gz");
        assertThat(find("./b/../b/deep")).containsExactly("b/deep/3.txt.gz", "b/deep/folder.txt/4.jsonl.gz");
        assertThat(find("b/*")).containsExactly("b/1.txt", "b/2.jsonl");
        assertThat(find("b/**.{txt,txt.gz}")).containsExactly("b/1.txt", "b/deep/3.txt.gz");
    }

    @Test
    void keepsTheOrderOfPatternsAndTakesAFileOnce() {
        assertThat(find("c[0-9].txt", "c*.txt")).containsExactly("c9.txt", "c10.txt");
        assertThat(find("c*.txt", "c[0-9].txt")).containsExactly("c10.txt", "c9.txt");
    }

    @Test
    void takesAFileThatIsCalledLikeAGlob() throws IOException {
        Files.createFile(folder.resolve("c[9].txt"));
        assertThat(find("c[9].txt")).containsExactly("c[9].txt");
    }

    @Test
    void rejectsAPatternWithoutFiles() {
        String expected = ": expected files ending in one of [.jsonl, .jsonl.gz, .txt, .txt.gz], found ";
        assertThatThrownBy(() -> find("c9.txt", "missing.txt"))
                .isInstanceOf(QuernException.class)
                .hasMessage(folder.resolve("missing.txt") + expected + "no such file");
        assertThatThrownBy(() -> find("b/*.parquet"))
                .isInstanceOf(QuernException.class)
                .hasMessage(folder.resolve("b/*.parquet") + expected + "none");
        assertThatThrownBy(() -> find("none/*.txt")).hasMessage(folder.resolve("none/*.txt") + expected + "none");
        assertThatThrownBy(() -> find("b/readme.md")).hasMessage(folder.resolve("b/readme.md") + expected + "none");
    }

    private List<String> find(String... patterns) {
        List<Path> paths = Stream.of(patterns).map(folder::resolve).toList();
        return PathPatterns.files(paths, CorpusReader.SUFFIXES).stream()
                .map(file -> folder.relativize(file).toString())
                .toList();
    }
}
