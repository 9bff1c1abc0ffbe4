package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JCudaNativesTest {
    private static final int PROCESSES = 8;

    @TempDir
    private Path folder;

    /// Loads the library with the compiler and asks it something.
    static final class Loading {
        public static void main(String[] args) {
            JCudaNatives.load("JNvPTXCompiler", JNvPTXCompiler.class);
            int[] major = new int[1];
            JNvPTXCompiler.nvPTXCompilerGetVersion(major, new int[1]);
            System.out.println("version " + major[0]);
        }
    }

    /// Asks twice for a library that cannot be loaded.
    static final class Failing {
        public static void main(String[] args) {
            for (int i = 0; i < 2; i++) {
                try {
                    JCudaNatives.load("JNvrtc", jcuda.nvrtc.JNvrtc.class);
                } catch (GpuException e) {
                    System.out.println(e.getMessage());
                }
            }
        }
    }

    @Test
    void extractsOnceForManyProcesses() throws Exception {
        Path cache = folder.resolve("cache");
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        List<JavaProcess> processes = new ArrayList<>();
        for (int i = 0; i < PROCESSES; i++) {
            processes.add(start(Loading.class, cache, temporary));
        }
        for (JavaProcess process : processes) {
            assertThat(process.await()).isEqualTo("version 12\nexit 0\n");
        }
        assertThat(files(cache))
                .filteredOn(name -> !name.equals("lock"))
                .singleElement()
                .asString()
                .endsWith(".so");
        assertThat(files(temporary)).isEmpty();
    }

    @Test
    void worksWithoutACache() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "");
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        assertThat(start(Loading.class, file.resolve("cache"), temporary).await())
                .endsWith("version 12\nexit 0\n");
        assertThat(files(temporary)).isEmpty();
    }

    @Test
    void extractsAgainWhatIsIncomplete() throws Exception {
        java.net.URL resource = JCudaNatives.class.getResource("/lib/libJNvrtc-12.6.0-linux-x86_64.so");
        Path extracted = ShippedLibrary.extract(resource, "platform", "lib.so", folder);
        byte[] whole = Files.readAllBytes(extracted);
        Files.write(extracted, new byte[10]);
        ShippedLibrary.extract(resource, "platform", "lib.so", folder);
        assertThat(extracted).hasBinaryContent(whole);
    }

    @Test
    void tellsTwiceWhatIsMissing() throws Exception {
        String output = start(Failing.class, folder, folder).await();
        org.junit.jupiter.api.Assumptions.assumeTrue(output.lines().count() == 3, "this machine has libnvrtc");
        String line = "libJNvrtc-12.6.0-linux-x86_64.so cannot be loaded: .*"
                + "libnvrtc.so.12: cannot open shared object file: No such file or directory\n";
        assertThat(output).matches(line + line + "exit 0\n");
    }

    private static JavaProcess start(Class<?> main, Path cache, Path temporary) throws IOException {
        return new JavaProcess(
                Map.of(CacheFolder.VARIABLE, cache.toString()), List.of("-Djava.io.tmpdir=" + temporary), main);
    }

    private static List<String> files(Path folder) throws IOException {
        try (var files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> file.getFileName().toString())
                    .filter(name -> !name.startsWith("hsperfdata"))
                    .toList();
        }
    }
}
