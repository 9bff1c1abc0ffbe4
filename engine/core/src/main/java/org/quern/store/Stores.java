package org.quern.store;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The buckets that somebody reads, each opened once. Safe for several threads.
public final class Stores implements AutoCloseable {
    private final Map<String, String> environment;
    private final Map<String, ObjectStore> byBucket = new ConcurrentHashMap<>();

    /// @param environment variables and their values: see [ObjectStore]
    public Stores(Map<String, String> environment) {
        this.environment = environment;
    }

    /// All of a bucket.
    public ObjectStore bucket(String name) {
        return byBucket.computeIfAbsent(name, bucket -> ObjectStore.open(new StorePlace(bucket, ""), environment));
    }

    @Override
    public void close() {
        byBucket.values().forEach(ObjectStore::close);
    }
}
