package org.quern.launcher;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.gpu.JCudaNatives;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern bundle`: Quern as a folder that needs nothing else.
@Command(
        name = "bundle",
        description = {
            "Writes Quern with a Java runtime, its native libraries and the configs into a folder, and that folder as a "
                    + ".tar.gz beside it.",
            "It runs on x86-64 Linux (glibc 2.29 or newer) with nothing else installed; a GPU needs its driver."
        })
final class BundleCommand implements Callable<Integer> {
    /// Where jars have the libraries of x86-64 Linux, which a bundle is for, and where Quern's has its own.
    private static final List<String> OWN_NATIVES = List.of("linux/amd64/", "native/");

    private static final Pattern NATIVE = Pattern.compile(".*\\.(so|dll|dylib|jnilib)");

    /// Modules that libraries need: JCuda logs by java.logging, Logback looks for java.naming, FreeMarker uses
    /// java.beans, which is in java.desktop. Quern's own are found by jdeps.
    private static final Set<String> MODULES = Set.of("java.logging", "java.naming", "java.desktop");

    private static final double MIB = 1L << 20;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "The folder to make.")
    private Path output;

    @Override
    public Integer call() throws IOException {
        requireLinux();
        if (Files.exists(output)) {
            throw QuernException.data("%s exists already: a bundle needs a folder of its own".formatted(output));
        }
        Path archive = output.resolveSibling(output.toAbsolutePath().normalize().getFileName() + ".tar.gz");
        boolean whole = false;
        try {
            fill(Files.createDirectories(output));
            pack(archive);
            whole = true;
        } finally {
            if (!whole) {
                Files.deleteIfExists(archive);
                Folders.delete(output);
            }
        }
        System.out.printf(
                "%s: %.1f MiB%n%s: %.1f MiB%n", output, size(output) / MIB, archive, Files.size(archive) / MIB);
        return ExitCode.OK.code();
    }

    private static void fill(Path bundle) throws IOException {
        List<Path> jars = jars();
        link(modules(jars), bundle.resolve("runtime"));
        Path lib = Files.createDirectories(bundle.resolve("lib"));
        for (Path jar : jars) {
            String name = jar.getFileName().toString();
            if (name.equals("quern.jar")) {
                Files.copy(jar, bundle.resolve(name)); // its manifest names lib/*.jar
            } else if (!name.contains("-natives-")) {
                copyJar(jar, lib.resolve(name));
            }
        }
        JCudaNatives.copyTo(Files.createDirectories(bundle.resolve("natives")));
        copyResources(bundle);
    }

    private static void requireLinux() {
        String platform = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!platform.equals("Linux amd64")) {
            throw QuernException.data("a bundle is made where it is to run, on Linux amd64: this is " + platform);
        }
    }

    /// The class path, with what the manifests of its jars name.
    private static List<Path> jars() throws IOException {
        Set<Path> jars = new LinkedHashSet<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path path = Path.of(entry);
            if (!entry.endsWith(".jar")) {
                throw QuernException.data(
                        "a bundle is made of jars, so start this by bin/quern: the class path has " + entry);
            }
            jars.add(path);
            try (JarFile jar = new JarFile(path.toFile())) {
                String named = jar.getManifest() == null
                        ? null
                        : jar.getManifest().getMainAttributes().getValue(Attributes.Name.CLASS_PATH);
                for (String name : named == null ? new String[0] : named.split(" ")) {
                    Path other = path.resolveSibling(name);
                    if (Files.exists(other)) {
                        jars.add(other);
                    }
                }
            }
        }
        return List.copyOf(jars);
    }

    /// Without the native libraries of other platforms that some jars hold.
    private static void copyJar(Path jar, Path target) throws IOException {
        try (JarFile from = new JarFile(jar.toFile())) {
            if (from.stream().noneMatch(entry -> isForeign(entry.getName()))) {
                Files.copy(jar, target);
                return;
            }
            try (ZipOutputStream to = new ZipOutputStream(Files.newOutputStream(target))) {
                for (JarEntry entry : (Iterable<JarEntry>) from.stream()::iterator) {
                    if (!isForeign(entry.getName())) {
                        to.putNextEntry(new ZipEntry(entry.getName()));
                        from.getInputStream(entry).transferTo(to);
                    }
                }
            }
        }
    }

    private static boolean isForeign(String entry) {
        return NATIVE.matcher(entry).matches() && OWN_NATIVES.stream().noneMatch(entry::startsWith);
    }

    private static Set<String> modules(List<Path> jars) {
        List<String> arguments =
                new ArrayList<>(List.of("--multi-release", "25", "--ignore-missing-deps", "--print-module-deps"));
        jars.stream()
                .filter(jar -> jar.getFileName().toString().startsWith("quern"))
                .map(Path::toString)
                .forEach(arguments::add);
        Set<String> modules = new LinkedHashSet<>(MODULES);
        modules.addAll(List.of(run("jdeps", arguments).strip().split(",")));
        return modules;
    }

    private static void link(Set<String> modules, Path runtime) {
        run(
                "jlink",
                List.of(
                        "--add-modules",
                        String.join(",", modules),
                        "--exclude-files=/java.desktop/lib/**", // native code for windows and fonts
                        "--strip-java-debug-attributes",
                        "--no-header-files",
                        "--no-man-pages",
                        "--output",
                        runtime.toString()));
    }

    /// Runs a tool of the JDK.
    ///
    /// @return what it printed
    private static String run(String tool, List<String> arguments) {
        ToolProvider provider = ToolProvider.findFirst(tool)
                .orElseThrow(() -> QuernException.data("bundling needs %s, which this Java lacks: %s is no JDK"
                        .formatted(tool, System.getProperty("java.home"))));
        StringWriter output = new StringWriter();
        StringWriter errors = new StringWriter();
        int status = provider.run(
                new PrintWriter(output, true), new PrintWriter(errors, true), arguments.toArray(String[]::new));
        if (status != 0) {
            throw new QuernException(
                    ExitCode.IO,
                    "%s failed:%n%s%s".formatted(tool, output, errors).strip());
        }
        return output.toString();
    }

    /// The folder `bundle` of the jar that has this class: the launcher's script, the JVM's flags, the configs.
    private static void copyResources(Path target) throws IOException {
        Path script = target.resolve("bin/quern");
        try (FileSystem jar = FileSystems.newFileSystem(URI.create("jar:" + location()), java.util.Map.of());
                Stream<Path> paths = Files.walk(jar.getPath("bundle"))) {
            Path root = jar.getPath("bundle");
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                Path copy = target.resolve(root.relativize(path).toString());
                Files.createDirectories(copy.getParent());
                try (InputStream in = Files.newInputStream(path)) {
                    Files.copy(in, copy);
                }
            }
        }
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static URI location() {
        try {
            return BundleCommand.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI();
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private void pack(Path archive) throws IOException {
        Path folder = output.toAbsolutePath().normalize();
        Process tar = new ProcessBuilder(
                        "tar",
                        "-czf",
                        archive.toAbsolutePath().toString(),
                        "-C",
                        folder.getParent().toString(),
                        folder.getFileName().toString())
                .inheritIO()
                .start();
        try {
            int status = tar.waitFor();
            if (status != 0) {
                throw new IOException("tar failed with status " + status);
            }
        } catch (InterruptedException e) {
            tar.destroy();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while tar was running", e);
        }
    }

    private static long size(Path folder) throws IOException {
        try (Stream<Path> paths = Files.walk(folder)) {
            return paths.filter(Files::isRegularFile)
                    .mapToLong(path -> path.toFile().length())
                    .sum();
        }
    }
}
