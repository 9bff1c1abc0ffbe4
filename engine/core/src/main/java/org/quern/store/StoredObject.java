package org.quern.store;

import java.time.Instant;

/// An object of a store.
///
/// @param key its name below the place of the store
/// @param bytes its size
/// @param modified when it was written, as the store has it
/// @param etag another one for another content
public record StoredObject(String key, long bytes, Instant modified, String etag) {}
