package org.quern.ptx;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.quern.gpu.CacheFolder;
import org.quern.gpu.IoReason;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Assembled modules on the disk, each in a file named by the hash of what it was made from.
///
/// A file is the SHA-256 of the rest, then what each kernel needs, then the cubin. Several processes may
/// use a folder at once: files appear whole. What the folder refuses is assembled each time.
public final class CubinCache {
    private static final Logger LOG = LoggerFactory.getLogger(CubinCache.class);
    /// Changes when the files' format does, or what is asked of the assemblers.
    private static final String FORMAT = "2";

    private static final int HASH_BYTES = 32;

    private final Path folder;
    private final AtomicBoolean warned = new AtomicBoolean();

    /// @param folder made when it is needed
    public CubinCache(Path folder) {
        this.folder = folder;
    }

    /// The user's, in [CacheFolder].
    public static CubinCache standard() {
        return new CubinCache(CacheFolder.path().resolve("cubins"));
    }

    /// A module from the cache, or assembled and kept.
    ///
    /// @throws org.quern.gpu.GpuException as [Assembler#assemble]
    public Assembled assemble(String kernel, String ptx, String architecture, Assembler assembler) {
        Path file = folder.resolve(key(ptx, architecture, assembler.name()) + ".cubin");
        return read(kernel, file).orElseGet(() -> {
            Assembled assembled = assembler.assemble(kernel, ptx, architecture);
            write(file, assembled);
            return assembled;
        });
    }

    private static String key(String ptx, String architecture, String assembler) {
        MessageDigest digest = sha256();
        for (String part : new String[] {FORMAT, architecture, assembler, ptx}) {
            digest.update(part.getBytes(StandardCharsets.UTF_8));
            digest.update((byte) 0);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private Optional<Assembled> read(String kernel, Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (bytes.length < HASH_BYTES) {
                throw new IOException("it has only %d bytes".formatted(bytes.length));
            }
            MessageDigest digest = sha256();
            digest.update(bytes, HASH_BYTES, bytes.length - HASH_BYTES);
            if (!Arrays.equals(digest.digest(), 0, HASH_BYTES, bytes, 0, HASH_BYTES)) {
                throw new IOException("its checksum is wrong");
            }
            return Optional.of(decode(new ByteArrayInputStream(bytes, HASH_BYTES, bytes.length - HASH_BYTES)));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn("{} of {} is not usable ({}): it is assembled again", file, kernel, IoReason.of(e));
            return Optional.empty();
        }
    }

    private void write(Path file, Assembled assembled) {
        try {
            byte[] content = encode(assembled);
            Files.createDirectories(folder);
            Path part = Files.createTempFile(folder, "cubin", ".part");
            try {
                try (var out = Files.newOutputStream(part)) {
                    out.write(sha256().digest(content));
                    out.write(content);
                }
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            if (warned.compareAndSet(false, true)) {
                LOG.warn(
                        "{} cannot keep assembled kernels ({}): every start assembles them. {} names another folder.",
                        folder,
                        IoReason.of(e),
                        CacheFolder.VARIABLE);
            }
        }
    }

    private static byte[] encode(Assembled assembled) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(assembled.kernels().size());
        for (Map.Entry<String, ResourceUsage> kernel : assembled.kernels().entrySet()) {
            ResourceUsage usage = kernel.getValue();
            out.writeUTF(kernel.getKey());
            out.writeInt(usage.registers());
            out.writeInt(usage.stackBytes());
            out.writeInt(usage.sharedBytes());
            out.writeInt(usage.constantBytes());
        }
        out.write(assembled.cubin());
        return bytes.toByteArray();
    }

    private static Assembled decode(ByteArrayInputStream bytes) throws IOException {
        DataInputStream in = new DataInputStream(bytes);
        Map<String, ResourceUsage> kernels = new TreeMap<>();
        int count = in.readInt();
        for (int i = 0; i < count; i++) {
            kernels.put(in.readUTF(), new ResourceUsage(in.readInt(), in.readInt(), in.readInt(), in.readInt()));
        }
        return new Assembled(in.readAllBytes(), kernels);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
