package org.quern.gpu;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Loads JCuda's native libraries.
///
/// JCuda would extract each into the folder for temporary files, under a fixed name and without a lock, so that of
/// several processes that start at once some die of half a library. Here each is extracted once, under a lock and
/// by an atomic move, into [CacheFolder], and JCuda is led there: what lies in the folder of its choice it loads
/// without extracting. Libraries on `java.library.path` win.
public final class JCudaNatives {
    private static final Logger LOG = LoggerFactory.getLogger(JCudaNatives.class);
    private static final String TEMPORARY = "java.io.tmpdir";
    private static final Object LOCK = new Object();
    /// What was loaded, or the reason why it was not: a class whose first use failed is lost for the process.
    private static final Map<String, String> OUTCOMES = new HashMap<>();

    private static final String LOADED = "";

    /// All that Quern uses.
    private static final List<String> LIBRARIES = List.of("JCudaDriver", "JNvPTXCompiler", "JCublas2");

    private JCudaNatives() {}

    /// Loads a library by initialising the class of JCuda that belongs to it. Later calls do nothing.
    ///
    /// @param library without version and platform: `JCudaDriver`
    /// @throws GpuException if it cannot be loaded, the second time as well
    public static void load(String library, Class<?> owner) {
        synchronized (LOCK) {
            String outcome = OUTCOMES.computeIfAbsent(library, _ -> tryLoad(library, owner));
            if (!outcome.equals(LOADED)) {
                throw new GpuException(outcome);
            }
        }
    }

    /// Copies all libraries that Quern uses into a folder, for `java.library.path`.
    ///
    /// @throws GpuException if this platform has none
    public static void copyTo(Path folder) throws IOException {
        for (String library : LIBRARIES) {
            String file = LibUtils.createLibraryFileName(platformName(library));
            try (InputStream in =
                    resource(file).orElseThrow(() -> absent(library, file)).openStream()) {
                Files.copy(in, folder.resolve(file));
            }
        }
    }

    private static String platformName(String library) {
        return LibUtils.createPlatformLibraryName(library + "-" + JCudaVersion.get());
    }

    private static Optional<URL> resource(String file) {
        return Optional.ofNullable(JCudaNatives.class.getResource("/lib/" + file));
    }

    private static GpuException absent(String library, String file) {
        return new GpuException(
                "JCuda has no %s for this platform (%s is not on the class path): GPUs need x86-64 Linux"
                        .formatted(library, file));
    }

    private static String tryLoad(String library, Class<?> owner) {
        String platform = platformName(library);
        String file = LibUtils.createLibraryFileName(platform);
        Path temporary = null;
        try {
            if (onLibraryPath(file)) {
                initialize(owner);
                return LOADED;
            }
            URL resource = resource(file).orElseThrow(() -> absent(library, file));
            Path folder;
            try {
                folder = extract(resource, platform, file, CacheFolder.path().resolve("natives"));
            } catch (IOException e) {
                LOG.warn(
                        "{} cannot keep native libraries ({}): extracting {} for this process only. {} names another"
                                + " folder.",
                        CacheFolder.path(),
                        e.toString(),
                        library,
                        CacheFolder.VARIABLE);
                temporary = Files.createTempDirectory("quern-natives");
                folder = extract(resource, platform, file, temporary);
            }
            String before = System.setProperty(TEMPORARY, folder.toString());
            try {
                initialize(owner);
            } finally {
                System.setProperty(TEMPORARY, before);
            }
            return LOADED;
        } catch (IOException e) {
            return "%s cannot be extracted: %s".formatted(file, e);
        } catch (GpuException e) {
            return e.getMessage();
        } catch (LinkageError e) {
            return "%s cannot be loaded: %s".formatted(file, reason(e));
        } finally {
            if (temporary != null) {
                delete(temporary); // what is loaded stays loaded
            }
        }
    }

    private static boolean onLibraryPath(String file) {
        for (String folder : System.getProperty("java.library.path", "").split(File.pathSeparator)) {
            if (!folder.isEmpty() && Files.exists(Path.of(folder, file))) {
                return true;
            }
        }
        return false;
    }

    private static void initialize(Class<?> owner) {
        try {
            Class.forName(owner.getName(), true, owner.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    /// JCuda's message holds two stack traces; the loader's own line in it says what is missing.
    private static String reason(LinkageError e) {
        String text = String.valueOf(e.getMessage());
        return text.lines()
                .filter(line -> line.contains(".so") && line.contains(": ") && !line.contains("java.library.path"))
                .map(line -> line.substring(line.indexOf(": ") + 2).strip())
                .findFirst()
                .orElse(text.lines().findFirst().orElse(e.toString()));
    }

    /// Puts a library into a folder of its own, named by its content.
    ///
    /// @return that folder
    static Path extract(URL resource, String platform, String file, Path natives) throws IOException {
        Content content = Content.of(resource);
        Path folder = natives.resolve("%s-%08x-%d".formatted(platform, content.crc, content.bytes));
        Path library = folder.resolve(file);
        if (isWhole(library, content)) {
            return folder;
        }
        Files.createDirectories(folder);
        try (FileChannel channel =
                        FileChannel.open(natives.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock _ = lock(channel)) {
            if (!isWhole(library, content)) { // another process may have been first
                Path part = Files.createTempFile(folder, file, ".part");
                try (InputStream in = resource.openStream()) {
                    Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
                    Files.move(part, library, StandardCopyOption.ATOMIC_MOVE);
                } finally {
                    Files.deleteIfExists(part);
                }
            }
        }
        return folder;
    }

    private static boolean isWhole(Path library, Content content) throws IOException {
        return Files.exists(library) && Files.size(library) == content.bytes;
    }

    /// The lock only saves work, so a file system without locks does no harm.
    private static FileLock lock(FileChannel channel) {
        try {
            return channel.lock();
        } catch (IOException e) {
            LOG.debug("no lock", e);
            return null;
        }
    }

    private static void delete(Path folder) {
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            LOG.debug("cannot delete {}", folder, e);
        }
    }

    /// What tells one build of a library from another. A jar's directory has it, so nothing is unpacked to know it.
    private record Content(long crc, long bytes) {
        static Content of(URL resource) throws IOException {
            URLConnection connection = resource.openConnection();
            if (connection instanceof JarURLConnection jar) {
                JarEntry entry = jar.getJarEntry();
                return new Content(entry.getCrc(), entry.getSize());
            }
            try (CheckedInputStream in = new CheckedInputStream(connection.getInputStream(), new CRC32())) {
                long bytes = in.transferTo(java.io.OutputStream.nullOutputStream());
                return new Content(in.getChecksum().getValue(), bytes);
            }
        }
    }
}
