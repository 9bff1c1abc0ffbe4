package org.quern.gpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.Consumer;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A native library in a jar. It is extracted once for all processes, under a lock and by an atomic move, into a
/// part of [CacheFolder] that nobody else may write to; where that cannot be, for one process into a folder that is
/// deleted.
public final class ShippedLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(ShippedLibrary.class);
    /// Files up to this size are read, larger ones measured, to see whether they are whole.
    private static final long CHEAP_BYTES = 1 << 20;

    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    private ShippedLibrary() {}

    /// Hands over the extracted file, to be loaded.
    ///
    /// @param name of its folder, which its content's checksum completes
    /// @param file its name there
    public static void use(URL resource, String name, String file, Consumer<Path> load) throws IOException {
        Path extracted;
        try {
            extracted = extract(resource, name, file, CacheFolder.path().resolve("natives"));
        } catch (IOException e) {
            LOG.warn(
                    "{} cannot keep native libraries ({}): extracting {} for this process only. {} names another folder.",
                    CacheFolder.path(),
                    IoReason.of(e),
                    file,
                    CacheFolder.VARIABLE);
            Path temporary = Files.createTempDirectory("quern-natives");
            try {
                load.accept(extract(resource, name, file, temporary));
            } finally {
                delete(temporary); // what is loaded stays loaded
            }
            return;
        }
        load.accept(extracted);
    }

    /// Puts a library into a folder of its own, named by its content.
    static Path extract(URL resource, String name, String file, Path natives) throws IOException {
        Content content = Content.of(resource);
        Path folder = natives.resolve("%s-%08x-%d".formatted(name, content.crc, content.bytes));
        Path library = folder.resolve(file);
        Files.createDirectories(natives.getParent());
        keepPrivate(natives);
        if (isWhole(library, content)) {
            return library;
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
        return library;
    }

    /// Who could write there could make this process run anything. Only the owner of a folder may change its mode.
    private static void keepPrivate(Path natives) throws IOException {
        Files.createDirectories(natives, PosixFilePermissions.asFileAttribute(PRIVATE));
        Set<PosixFilePermission> others = EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);
        others.retainAll(Files.getPosixFilePermissions(natives));
        if (!others.isEmpty()) {
            Files.setPosixFilePermissions(natives, PRIVATE);
        }
    }

    private static boolean isWhole(Path library, Content content) throws IOException {
        return Files.exists(library)
                && Files.size(library) == content.bytes
                && (content.bytes > CHEAP_BYTES
                        || Content.of(library.toUri().toURL()).equals(content));
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
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
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
                long bytes = in.transferTo(OutputStream.nullOutputStream());
                return new Content(in.getChecksum().getValue(), bytes);
            }
        }
    }
}
