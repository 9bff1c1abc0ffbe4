/// What drops or cleans pages: URL lists, the rules of Gopher, C4 and FineWeb, a learned classifier,
/// decontamination, and personal data.
///
/// Each is a [org.quern.corpus.Stage] made of a record of thresholds. The rules and their defaults are
/// FineWeb's, read from datatrove 0.10.0; lengths are in code points, as there.
package org.quern.corpus.filter;
