package org.quern.corpus.duplicate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.Philox;
import org.quern.base.QuernException;

class FingerprintsTest {
    private static long[] sign(Scheme scheme, String text) {
        long[] signature = new long[scheme.size()];
        assertThat(new Fingerprints(scheme).sign(text, signature)).isTrue();
        return signature;
    }

    private static String words(Random random, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "w" + Integer.toString(random.nextInt(5000), 26).replaceAll("\\d", "z"))
                .collect(Collectors.joining(" "));
    }

    private static Set<String> ngrams(String text) {
        String[] words = text.split(" ");
        Set<String> ngrams = new HashSet<>();
        for (int i = 0; i + 5 <= words.length; i++) {
            ngrams.add(String.join(" ", Arrays.copyOfRange(words, i, i + 5)));
        }
        return ngrams;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "One two three four five | ONE, two: three -- (four)  five!",
                "café naïve Ærø ﬁn straße | CAFÉ NAÏVE ÆRØ ﬁn straße",
                "costs 1,234 or 7 dollars now | costs 12 or 99.75 dollars now",
                "한국어 문장 은 이것 입니다 | 한국어 문장 은 이것 입니다",
                "a b c d e 日本 | a b c d e 日 本"
            })
    void takesTheseForTheSame(String one, String other) {
        for (Scheme scheme : new Scheme[] {Scheme.MINHASH, Scheme.EXACT}) {
            assertThat(sign(scheme, one)).isEqualTo(sign(scheme, other));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "one two three four five | one two three four six",
                "one two three four five | five four three two one",
                "one two three four five six | onetwo three four five six",
                "ab c d e f | a bc d e f"
            })
    void tellsTheseApart(String one, String other) {
        for (Scheme scheme : new Scheme[] {Scheme.MINHASH, Scheme.EXACT}) {
            assertThat(sign(scheme, one)).isNotEqualTo(sign(scheme, other));
        }
    }

    @Test
    void foldsDecomposedLettersAndCompatibleOnesStayApart() {
        assertThat(sign(Scheme.EXACT, "e\u0301tude")).isEqualTo(sign(Scheme.EXACT, "étude"));
        assertThat(sign(Scheme.EXACT, "\u1112\u1161\u11ab")).isEqualTo(sign(Scheme.EXACT, "한"));
        assertThat(sign(Scheme.EXACT, "x²")).isNotEqualTo(sign(Scheme.EXACT, "x2"));
    }

    @Test
    void keepsTheSmallestHashOfEachFunction() {
        // With arbitrary precision, against the minimum over a text's n-grams taken one at a time.
        Scheme scheme = new Scheme(3, 2, 2, 99);
        String text = "the cat sat on the mat and slept";
        String[] words = text.split(" ");
        long[] smallest = new long[scheme.size()];
        Arrays.fill(smallest, Long.MAX_VALUE);
        for (int i = 0; i + 1 < words.length; i++) {
            long[] one = sign(scheme, words[i] + " " + words[i + 1]);
            for (int j = 0; j < one.length; j++) {
                smallest[j] = Math.min(smallest[j], one[j]);
            }
        }

        assertThat(sign(scheme, text)).isEqualTo(smallest);
    }

    @Test
    void hashesModuloTheMersennePrime() {
        // Two functions of the same n-gram determine it, and so the values of all others.
        Scheme scheme = new Scheme(2, 8, 1, 5);
        BigInteger prime = BigInteger.ONE.shiftLeft(61).subtract(BigInteger.ONE);
        long[] signature = sign(scheme, "word");
        BigInteger[] a = new BigInteger[16];
        BigInteger[] b = new BigInteger[16];
        for (int i = 0; i < 16; i++) {
            a[i] = new BigInteger(Long.toUnsignedString(Philox.bits(5, 1, 0, i)))
                    .mod(prime.subtract(BigInteger.ONE))
                    .add(BigInteger.ONE);
            b[i] = new BigInteger(Long.toUnsignedString(Philox.bits(5, 2, 0, i))).mod(prime);
        }
        BigInteger hashed = BigInteger.valueOf(signature[0])
                .subtract(b[0])
                .multiply(a[0].modInverse(prime))
                .mod(prime);

        for (int i = 0; i < 16; i++) {
            assertThat(BigInteger.valueOf(signature[i]))
                    .isEqualTo(a[i].multiply(hashed).add(b[i]).mod(prime));
        }
    }

    @Test
    void signsNoTextShorterThanAnNgram() {
        Fingerprints fingerprints = new Fingerprints(Scheme.MINHASH);
        long[] signature = new long[112];

        assertThat(fingerprints.sign("only four words here", signature)).isFalse();
        assertThat(fingerprints.sign("", signature)).isFalse();
        assertThat(signature).containsOnly(0);
    }

    @ParameterizedTest
    @CsvSource({"0.005", "0.01", "0.02", "0.04", "0.07", "0.1", "0.15"})
    void findsNearCopiesAsTheoryPredicts(double editRate) {
        Random random = new Random(Double.hashCode(editRate));
        Fingerprints fingerprints = new Fingerprints(Scheme.MINHASH);
        long[] one = new long[112];
        long[] other = new long[112];
        int found = 0;
        double expected = 0;
        double variance = 0;
        for (int pair = 0; pair < 1000; pair++) {
            String text = words(random, 200);
            String copy = Arrays.stream(text.split(" "))
                    .map(word -> random.nextDouble() < editRate ? words(random, 1) : word)
                    .collect(Collectors.joining(" "));
            Set<String> common = ngrams(text);
            Set<String> union = ngrams(copy);
            int size = common.size() + union.size();
            common.retainAll(union);
            double probability = Scheme.MINHASH.probability((double) common.size() / (size - common.size()));
            expected += probability;
            variance += probability * (1 - probability);
            fingerprints.sign(text, one);
            fingerprints.sign(copy, other);
            found += agreeInABucket(one, other) ? 1 : 0;
        }

        // Five standard deviations: one run in two million fails by chance, and the seed is fixed.
        double bound = 5 * Math.sqrt(variance) + 0.5;
        assertThat((double) found).isBetween(expected - bound, expected + bound);
    }

    private static boolean agreeInABucket(long[] one, long[] other) {
        return IntStream.range(0, 14)
                .anyMatch(bucket -> Arrays.equals(one, 8 * bucket, 8 * bucket + 8, other, 8 * bucket, 8 * bucket + 8));
    }

    @Test
    void statesTheCurve() {
        assertThat(Scheme.MINHASH.probability(0.7)).isBetween(0.56, 0.57);
        assertThat(Scheme.MINHASH.probability(0.75)).isBetween(0.77, 0.78);
        assertThat(Scheme.MINHASH.probability(0.8)).isBetween(0.92, 0.93);
        assertThat(Scheme.MINHASH.probability(0.85)).isBetween(0.988, 0.989);
    }

    @Test
    void rejectsASchemeOfNoBuckets() {
        assertThatThrownBy(() -> new Scheme(0, 8, 5, 1))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("got 0 buckets");
    }
}
