package org.quern.corpus.archive;

/// A record that cannot be read, of which only the kind of damage is told.
final class BadRecord extends Exception {
    private static final long serialVersionUID = 1L;

    private final String kind;

    BadRecord(String kind) {
        super(kind, null, false, false);
        this.kind = kind;
    }

    String kind() {
        return kind;
    }
}
