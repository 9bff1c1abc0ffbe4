package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// A run on a disk that is full again and again, wherever it is; where this process may mount one.
final class FullDiskTest {
    @TempDir
    private Path folder;

    @Test
    void goesOnWhenThereIsRoom() throws IOException, InterruptedException {
        SmallCorpus corpus = SmallCorpus.in(folder);
        Path disk = Files.createDirectory(folder.resolve("disk"));
        int kilobytes = 16;
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk.toString()), "cannot mount");
        try {
            int failures = 0;
            CorpusReport report = null;
            while (report == null) {
                try {
                    report = corpus.build("disk/run");
                } catch (QuernException e) {
                    assertThat(e.exitCode()).isEqualTo(ExitCode.IO);
                    assertThat(e).hasMessageContaining("No space left on device");
                    failures++;
                    kilobytes += 32;
                    assertThat(run("mount", "-o", "remount,size=" + kilobytes + "k", disk.toString()))
                            .isTrue();
                }
            }
            assertThat(failures).isGreaterThan(5);
            corpus.assertSameAsThreads("disk/run", report);
        } finally {
            run("umount", "-l", disk.toString());
        }
    }

    private static boolean run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }
}
