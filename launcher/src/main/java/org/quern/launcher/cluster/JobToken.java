package org.quern.launcher.cluster;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import org.quern.base.QuernException;

/// The secret that the processes of a job have in common.
public final class JobToken {
    /// A file that holds it, such as a mounted secret.
    static final String FILE = "QUERN_JOB_TOKEN_FILE";

    /// The secret itself.
    static final String VALUE = "QUERN_JOB_TOKEN";

    private static final int LEAST_BYTES = 16;
    private static final int MADE_BYTES = 32;

    private JobToken() {}

    /// As the environment says, else from a file in the run's folder, which all machines share; made there if
    /// need be.
    ///
    /// @param run the run's folder
    public static byte[] find(Map<String, String> environment, Path run) {
        String value = environment.get(VALUE);
        if (value != null) {
            return checked(value, VALUE);
        }
        String file = environment.get(FILE);
        try {
            if (file != null) {
                return checked(Files.readString(Path.of(file)), file);
            }
            Path shared = run.resolve("token");
            if (Files.notExists(shared)) {
                make(shared);
            }
            return checked(Files.readString(shared), shared.toString());
        } catch (IOException e) {
            throw QuernException.io("the job's token cannot be read", e);
        }
    }

    /// What tells it to a process that this one starts.
    public static Map<String, String> environment(byte[] token) {
        return Map.of(VALUE, new String(token, StandardCharsets.UTF_8));
    }

    /// Whoever is first makes it.
    private static void make(Path file) throws IOException {
        byte[] bytes = new byte[MADE_BYTES];
        new SecureRandom().nextBytes(bytes);
        Path made = Files.createTempFile(
                file.getParent(),
                "token",
                "",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            Files.writeString(made, HexFormat.of().formatHex(bytes));
            Files.createLink(file, made);
        } catch (FileAlreadyExistsException _) {
            // Another process was faster.
        } finally {
            Files.delete(made);
        }
    }

    private static byte[] checked(String text, String source) {
        byte[] token = text.strip().getBytes(StandardCharsets.UTF_8);
        if (token.length < LEAST_BYTES) {
            throw QuernException.data("%s must hold a token of at least %d bytes: it has %d"
                    .formatted(source, LEAST_BYTES, token.length));
        }
        return token;
    }
}
