package org.quern.ptx;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.quern.gpu.GpuException;

/// What NVIDIA's assembler says: `ptxas --verbose` and the compiler library use the same words.
final class AssemblerLog {
    private static final int ERRORS_SHOWN = 5;
    private static final Pattern ERROR = Pattern.compile("line (\\d+); (?:error|fatal)\\s*:\\s*(.*)");
    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '([^']+)'");
    private static final Pattern STACK =
            Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
    private static final Pattern USED = Pattern.compile("Used (\\d+) registers(.*)");
    private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
    private static final Pattern CONSTANT = Pattern.compile("(\\d+) bytes cmem");
    /// The assembler changed the kernel so that it is slow: setmaxnreg ignored (7508), wgmma in sequence (7512, 7514,
    /// 7515), a wait (7517) or a fence (7519) put in, and whatever else it has numbers for from version to version.
    private static final Pattern DAMAGE = Pattern.compile(".*(?:\\(C75\\d\\d\\)|Potential Performance Loss).*");

    private AssemblerLog() {}

    /// The errors of a failed run, each with its line of the text.
    static GpuException failure(String kernel, String architecture, String assembler, String log, String ptx) {
        List<String> lines = ptx.lines().toList();
        List<String> errors = new ArrayList<>();
        Matcher matcher = ERROR.matcher(log);
        while (matcher.find() && errors.size() < ERRORS_SHOWN) {
            int line = Integer.parseInt(matcher.group(1));
            String text =
                    line >= 1 && line <= lines.size() ? lines.get(line - 1).strip() : "";
            errors.add("  line %d: %s\n    %s".formatted(line, matcher.group(2).strip(), text));
        }
        return new GpuException("%s does not assemble for %s with %s:\n%s"
                .formatted(
                        kernel, architecture, assembler, errors.isEmpty() ? log.strip() : String.join("\n", errors)));
    }

    /// What each entry needs.
    ///
    /// @throws GpuException if one spills, or if the assembler changed one for the worse
    static Map<String, ResourceUsage> usage(String kernel, String architecture, String assembler, String log) {
        String damage = log.lines()
                .filter(line -> DAMAGE.matcher(line).matches())
                .distinct()
                .collect(Collectors.joining("\n  "));
        if (!damage.isEmpty()) {
            throw new GpuException("%s assembled for %s with %s would be slow:\n  %s"
                    .formatted(kernel, architecture, assembler, damage));
        }
        Map<String, ResourceUsage> kernels = new TreeMap<>();
        String entry = null;
        int stack = 0;
        for (String line : log.lines().toList()) {
            Matcher matcher = ENTRY.matcher(line);
            if (matcher.find()) {
                entry = matcher.group(1);
            } else if (entry == null) {
                continue;
            } else if ((matcher = STACK.matcher(line)).find()) {
                stack = Integer.parseInt(matcher.group(1));
                if (!matcher.group(2).equals("0") || !matcher.group(3).equals("0")) {
                    throw new GpuException("%s: %s spills registers on %s with %s: %s bytes stored, %s loaded a thread"
                            .formatted(kernel, entry, architecture, assembler, matcher.group(2), matcher.group(3)));
                }
            } else if ((matcher = USED.matcher(line)).find()) {
                int registers = Integer.parseInt(matcher.group(1));
                int shared = sum(SHARED, matcher.group(2));
                kernels.put(entry, new ResourceUsage(registers, stack, shared, sum(CONSTANT, matcher.group(2))));
                entry = null;
            }
        }
        return kernels;
    }

    private static int sum(Pattern pattern, String text) {
        return pattern.matcher(text)
                .results()
                .mapToInt(result -> Integer.parseInt(result.group(1)))
                .sum();
    }
}
