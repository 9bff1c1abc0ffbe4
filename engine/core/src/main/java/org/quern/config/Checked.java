package org.quern.config;

import java.util.List;

/// A section whose keys depend on each other.
public interface Checked {
    /// What is wrong, a sentence each, which begins with the key at fault as seen from this section
    /// (`micro_batch must divide global_batch 480: got 7 (try 6 or 8)`), or else goes on after the section's name
    /// (`must have one of text and shards`).
    List<String> problems();
}
