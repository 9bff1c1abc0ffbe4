package org.quern.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/// The keys that sign requests.
///
/// @param accessKey names the user
/// @param sessionToken goes along with keys that were lent for a while
/// @param expires when they end
/// @param source where they are from, for people
record Credentials(
        String accessKey, String secretKey, Optional<String> sessionToken, Optional<Instant> expires, String source) {
    private static final int SHOWN = 4;
    private static final Duration EARLY = Duration.ofMinutes(5);

    /// Whether it is time to get others.
    boolean isStale(Instant now) {
        return expires.filter(end -> now.plus(EARLY).isAfter(end)).isPresent();
    }

    /// For people: nothing that signs.
    @Override
    public String toString() {
        String end = accessKey.substring(Math.max(0, accessKey.length() - SHOWN));
        return "access key ..%s (%s)".formatted(end, source);
    }
}
