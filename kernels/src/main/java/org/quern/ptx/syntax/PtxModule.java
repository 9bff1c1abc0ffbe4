package org.quern.ptx.syntax;

import java.util.List;
import java.util.Map;

/// A PTX file. All names are unique: what a block of an entry declares again is renamed `name#2`.
///
/// @param version of the language, `8.0`
/// @param target the architecture, `sm_80`
/// @param variables of the module: shared, global or constant
/// @param entries its kernels
public record PtxModule(String version, String target, List<Variable> variables, List<Entry> entries) {

    /// The number of the target: 80 for `sm_80`, 90 for `sm_90a`.
    public int architecture() {
        return Integer.parseInt(target.replaceAll("[^0-9]", ""));
    }

    /// A kernel.
    ///
    /// @param parameters in order
    /// @param directives performance directives by name without the dot: `maxntid` to (128, 1, 1)
    /// @param registers declared ones; `.reg .b32 r<4>` makes four, in the order of the text
    /// @param variables declared inside: shared and local
    /// @param body labels and instructions
    public record Entry(
            String name,
            List<Parameter> parameters,
            Map<String, List<Integer>> directives,
            List<Register> registers,
            List<Variable> variables,
            List<Statement> body,
            int line) {}

    /// @param bytes all of it: an array of 128 bytes has 128
    public record Parameter(String name, PtxType type, int bytes, int alignment) {}

    public record Register(String name, PtxType type) {}

    /// A variable in memory.
    ///
    /// @param bytes 0 for `.extern .shared` of unknown size
    /// @param initial its first content, or that of its front; what lies behind is zero in global and constant
    ///     memory and undefined elsewhere
    public record Variable(
            StateSpace space, String name, PtxType type, long bytes, int alignment, byte[] initial, int line) {}
}
