import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import org.quern.tokenizer.Encoder;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;

/// Encodes the documents of a text with Quern or jtokkit (cl100k), for compare_tokenizers.py: `java -cp
/// quern.jar:jtokkit.jar EncodeBench.java quern|jtokkit RANKS TEXT DOCUMENT_BYTES`. Prints the CPU seconds of one pass,
/// the median of five, each by an encoder that has met no word yet, and the SHA-256 of the ids (int32, little-endian).
/// The JVM has compiled what it wants to when the passes begin.
class EncodeBench {
    private static final double WARM_UP_SECONDS = 3;
    private static final int PASSES = 5;

    public static void main(String[] args) throws Exception {
        byte[] text = Files.readAllBytes(Path.of(args[2]));
        List<byte[]> documents = documents(text, Integer.parseInt(args[3]));
        Supplier<int[]> pass = args[0].equals("quern") ? quern(args[1], documents) : jtokkit(documents);
        double warmUp = cpuSeconds();
        do {
            pass.get();
        } while (cpuSeconds() - warmUp < WARM_UP_SECONDS);
        double[] seconds = new double[PASSES];
        int[] ids = null;
        for (int i = 0; i < PASSES; i++) {
            double start = cpuSeconds();
            ids = pass.get();
            seconds[i] = cpuSeconds() - start;
        }
        Arrays.sort(seconds);
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids);
        String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array()));
        System.out.printf("{\"seconds\": %.6f, \"ids\": %d, \"sha256\": \"%s\"}%n", seconds[PASSES / 2], ids.length, digest);
    }

    private static double cpuSeconds() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1e9;
    }

    /// As compare_tokenizers.py cuts them: behind the first line end from so many bytes on.
    private static List<byte[]> documents(byte[] text, int size) {
        List<byte[]> documents = new ArrayList<>();
        for (int start = 0; start < text.length; ) {
            int end = Math.min(text.length, start + size);
            while (end < text.length && text[end - 1] != '\n') {
                end++;
            }
            documents.add(Arrays.copyOfRange(text, start, end));
            start = end;
        }
        return documents;
    }

    private static Supplier<int[]> quern(String ranks, List<byte[]> documents) {
        Tokenizer tokenizer = Tokenizer.open(Path.of(ranks));
        TokenBuffer ids = new TokenBuffer();
        return () -> {
            ids.clear();
            Encoder encoder = tokenizer.encoder();
            for (byte[] document : documents) {
                encoder.encode(document, 0, document.length, ids);
            }
            return ids.toArray();
        };
    }

    private static Supplier<int[]> jtokkit(List<byte[]> documents) {
        Encoding encoding = Encodings.newDefaultEncodingRegistry().getEncoding(EncodingType.CL100K_BASE);
        List<String> strings =
                documents.stream().map(d -> new String(d, StandardCharsets.UTF_8)).toList();
        return () -> {
            int[] ids = new int[1 << 20];
            int count = 0;
            for (String document : strings) {
                IntArrayList more = encoding.encodeOrdinary(document);
                if (count + more.size() > ids.length) {
                    ids = Arrays.copyOf(ids, 2 * (count + more.size()));
                }
                for (int i = 0; i < more.size(); i++) {
                    ids[count++] = more.get(i);
                }
            }
            return Arrays.copyOf(ids, count);
        };
    }
}
