package org.quern.launcher.cluster;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Slurm's short forms of lists.
final class SlurmLists {
    /// `rack[1-3]node[07,09]-ib,other`: the first host has the first number of each bracket.
    private static final Pattern BRACKET = Pattern.compile("\\[(\\d+)[^\\]]*]");

    private static final Pattern FIRST = Pattern.compile("(?:\\[[^\\]]*]|[^,\\[])+");
    /// `2(x3),1`
    private static final Pattern TASKS = Pattern.compile("(\\d{1,6})(?:\\(x(\\d{1,6})\\))?(?:,|$)");

    private SlurmLists() {}

    static String firstHost(String list) {
        Matcher first = FIRST.matcher(list);
        if (!first.lookingAt()) {
            throw wrong("SLURM_STEP_NODELIST", list);
        }
        return BRACKET.matcher(first.group()).replaceAll("$1");
    }

    /// The number of tasks on a node.
    static int tasks(String list, int node) {
        Matcher matcher = TASKS.matcher(list);
        int before = 0;
        while (matcher.find()) {
            before += matcher.group(2) == null ? 1 : Integer.parseInt(matcher.group(2));
            if (node < before) {
                return Integer.parseInt(matcher.group(1));
            }
        }
        throw wrong("SLURM_STEP_TASKS_PER_NODE", list);
    }

    private static QuernException wrong(String name, String value) {
        return new QuernException(ExitCode.USAGE, "%s is no list of Slurm: got %s".formatted(name, value));
    }
}
