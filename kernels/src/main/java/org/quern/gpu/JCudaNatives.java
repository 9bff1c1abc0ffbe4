package org.quern.gpu;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/// Loads JCuda's native libraries.
///
/// JCuda would extract each into the folder for temporary files, under a fixed name and without a lock, so that
/// of several processes that start at once some die of half a library. Here [ShippedLibrary] extracts each, and
/// JCuda is led there: what lies in the folder of its choice it loads without extracting. Libraries on
/// `java.library.path` win.
public final class JCudaNatives {
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
        try {
            if (onLibraryPath(file)) {
                initialize(owner);
                return LOADED;
            }
            URL resource = resource(file).orElseThrow(() -> absent(library, file));
            ShippedLibrary.use(resource, platform, file, extracted -> initializeFrom(extracted.getParent(), owner));
            return LOADED;
        } catch (IOException e) {
            return "%s cannot be extracted: %s".formatted(file, IoReason.of(e));
        } catch (GpuException e) {
            return e.getMessage();
        } catch (LinkageError e) {
            return "%s cannot be loaded: %s".formatted(file, reason(e));
        }
    }

    private static void initializeFrom(Path folder, Class<?> owner) {
        String before = System.setProperty(TEMPORARY, folder.toString());
        try {
            initialize(owner);
        } finally {
            System.setProperty(TEMPORARY, before);
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
}
