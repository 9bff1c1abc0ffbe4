package org.quern.ptx;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.gpu.GpuException;

/// Turns PTX into machine code for one architecture.
public sealed interface Assembler permits CompilerLibrary, Ptxas {
    /// The environment variable that names a `ptxas`.
    String VARIABLE = "QUERN_PTXAS";

    /// What it is called, with its version.
    String name();

    /// Assembles a module.
    ///
    /// @param kernel for messages
    /// @param architecture `sm_90`
    /// @throws GpuException if the text is wrong, with the lines that are; if a kernel spills registers;
    ///     if the assembler changed it so that it is slow
    Assembled assemble(String kernel, String ptx, String architecture);

    /// An assembler and why it was chosen; none if the driver has to do it.
    record Choice(Optional<Assembler> assembler, String reason) {}

    /// The assembler for a text: the one that `QUERN_PTXAS` names, else the library that comes with Quern, else the
    /// `ptxas` in `PATH`.
    static Choice choose(String ptx, String architecture) {
        return choose(ptx, architecture, System.getenv());
    }

    /// The same, in another environment.
    static Choice choose(String ptx, String architecture, Map<String, String> environment) {
        String named = environment.getOrDefault(VARIABLE, "");
        if (!named.isEmpty()) {
            return new Choice(Optional.of(Ptxas.at(Path.of(named))), VARIABLE + " names it");
        }
        String version = version(ptx);
        String reason;
        if (!CompilerLibrary.ARCHITECTURES.contains(architecture)) {
            reason = "the library that comes with Quern does not know " + architecture;
        } else if (version.compareTo(CompilerLibrary.NEWEST_PTX) > 0) {
            reason = "the library that comes with Quern does not know PTX " + version;
        } else {
            try {
                return new Choice(Optional.of(CompilerLibrary.get()), "it comes with Quern");
            } catch (GpuException e) {
                reason = e.getMessage();
            }
        }
        return inPath(reason, architecture, environment);
    }

    private static Choice inPath(String reason, String architecture, Map<String, String> environment) {
        Optional<Ptxas> ptxas = Ptxas.inPath(environment.getOrDefault("PATH", ""));
        if (ptxas.isEmpty()) {
            return new Choice(
                    Optional.empty(),
                    "%s, and there is no ptxas in PATH (%s may name one)".formatted(reason, VARIABLE));
        }
        if (!ptxas.get().knows(architecture)) {
            return new Choice(
                    Optional.empty(),
                    "%s, nor does %s in PATH (%s may name another)"
                            .formatted(reason, ptxas.get().name(), VARIABLE));
        }
        return new Choice(Optional.of(ptxas.get()), reason);
    }

    /// The version of PTX that a text asks for: `7.4`. One digit each, until version 10.
    private static String version(String ptx) {
        Matcher matcher = Pattern.compile("(?m)^\\s*\\.version\\s+(\\d\\.\\d)").matcher(ptx);
        return matcher.find() ? matcher.group(1) : "";
    }
}
