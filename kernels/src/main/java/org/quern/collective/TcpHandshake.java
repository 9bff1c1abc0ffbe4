package org.quern.collective;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// How two workers make sure that both know the job's token, without showing it: each answers the
/// other's random challenge with an HMAC-SHA256 of it and of all that was said. All messages have a
/// fixed size.
///
/// What follows on the connection is not protected: the network between hosts must be private.
final class TcpHandshake {
    /// How long a stranger may take.
    static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final int MAGIC = 0x51524E31;
    private static final int NONCE_BYTES = 32;
    private static final int MAC_BYTES = 32;
    private static final int CLAIM_BYTES = Integer.BYTES + Introduction.BYTES + NONCE_BYTES + MAC_BYTES;
    private static final int MOST_TABLE_BYTES = 1 << 16;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final SecretKeySpec key;

    TcpHandshake(byte[] token) {
        key = new SecretKeySpec(token, "HmacSHA256");
    }

    /// Who calls, and what for.
    ///
    /// @param port on which it can be called
    record Introduction(long epoch, int world, int rank, Purpose purpose, int port) {
        static final int BYTES = Long.BYTES + 4 * Integer.BYTES;

        enum Purpose {
            CONTROL,
            DATA
        }

        private void write(ByteBuffer buffer) {
            buffer.putLong(epoch)
                    .putInt(world)
                    .putInt(rank)
                    .putInt(purpose.ordinal())
                    .putInt(port);
        }

        private static Introduction read(ByteBuffer buffer) throws IOException {
            long epoch = buffer.getLong();
            int world = buffer.getInt();
            int rank = buffer.getInt();
            int purpose = buffer.getInt();
            if (purpose < 0 || purpose >= Purpose.values().length) {
                throw new IOException("no introduction of a worker");
            }
            return new Introduction(epoch, world, rank, Purpose.values()[purpose], buffer.getInt());
        }
    }

    /// What the one that is called thinks of it.
    enum Answer {
        WELCOME,
        OTHER_EPOCH,
        OTHER_WORLD,
        RANK_TAKEN,
        /// Not authenticated, as the two have no token in common.
        OTHER_TOKEN
    }

    /// Trying again is of no use.
    static final class RefusedException extends IOException {
        private static final long serialVersionUID = 1;

        RefusedException(String message) {
            super(message);
        }
    }

    /// Decides about a caller who knows the token.
    @FunctionalInterface
    interface Judge {
        Answer answer(Introduction caller);
    }

    /// The side that is called.
    ///
    /// @return the caller, if it is welcome
    /// @throws RefusedException if the caller does not know the token
    /// @throws IOException if it takes too long or says something else
    Optional<Introduction> serve(Socket socket, Judge judge) throws IOException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        byte[] challenge = nonce();
        socket.getOutputStream()
                .write(ByteBuffer.allocate(Integer.BYTES + NONCE_BYTES)
                        .putInt(MAGIC)
                        .put(challenge)
                        .array());
        ByteBuffer claim = read(socket, CLAIM_BYTES, deadline);
        byte[] said = new byte[CLAIM_BYTES - MAC_BYTES];
        byte[] mac = new byte[MAC_BYTES];
        claim.get(said).get(mac);
        ByteBuffer fields = ByteBuffer.wrap(said);
        if (fields.getInt() != MAGIC || !MessageDigest.isEqual(mac, mac("caller", challenge, said))) {
            byte[] refusal = new byte[1 + MAC_BYTES];
            refusal[0] = (byte) Answer.OTHER_TOKEN.ordinal();
            socket.getOutputStream().write(refusal);
            throw new RefusedException("a caller does not know the job's token");
        }
        Introduction caller = Introduction.read(fields);
        Answer decision = judge.answer(caller);
        byte[] answer = {(byte) decision.ordinal()};
        ByteBuffer reply = ByteBuffer.allocate(1 + MAC_BYTES).put(answer).put(mac("called", said, answer));
        socket.getOutputStream().write(reply.array());
        return decision == Answer.WELCOME ? Optional.of(caller) : Optional.empty();
    }

    /// The side that calls.
    ///
    /// @throws RefusedException if the other does not know the token
    /// @throws IOException if it takes too long or hangs up
    Answer call(Socket socket, Introduction own) throws IOException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        ByteBuffer hello = read(socket, Integer.BYTES + NONCE_BYTES, deadline);
        if (hello.getInt() != MAGIC) {
            throw new RefusedException("what answers there is no worker of this version of Quern");
        }
        byte[] challenge = new byte[NONCE_BYTES];
        hello.get(challenge);
        ByteBuffer claim = ByteBuffer.allocate(CLAIM_BYTES - MAC_BYTES).putInt(MAGIC);
        own.write(claim);
        byte[] said = claim.put(nonce()).array();
        socket.getOutputStream()
                .write(ByteBuffer.allocate(CLAIM_BYTES)
                        .put(said)
                        .put(mac("caller", challenge, said))
                        .array());
        ByteBuffer reply = read(socket, 1 + MAC_BYTES, deadline);
        byte[] answer = {reply.get()};
        byte[] mac = new byte[MAC_BYTES];
        reply.get(mac);
        if (!MessageDigest.isEqual(mac, mac("called", said, answer)) || answer[0] >= Answer.values().length) {
            throw new RefusedException("what answers there has another token of the job");
        }
        return Answer.values()[answer[0]];
    }

    /// Tells a worker where the others are.
    void sendTable(Socket socket, byte[] table) throws IOException {
        socket.getOutputStream()
                .write(ByteBuffer.allocate(Integer.BYTES + table.length + MAC_BYTES)
                        .putInt(table.length)
                        .put(table)
                        .put(mac("table", table))
                        .array());
    }

    byte[] receiveTable(Socket socket, long deadline) throws IOException {
        int bytes = read(socket, Integer.BYTES, deadline).getInt();
        if (bytes < 0 || bytes > MOST_TABLE_BYTES) {
            throw new IOException("no table of workers");
        }
        byte[] table = new byte[bytes];
        byte[] mac = new byte[MAC_BYTES];
        read(socket, bytes + MAC_BYTES, deadline).get(table).get(mac);
        if (!MessageDigest.isEqual(mac, mac("table", table))) {
            throw new IOException("no table of workers");
        }
        return table;
    }

    private static byte[] nonce() {
        byte[] nonce = new byte[NONCE_BYTES];
        RANDOM.nextBytes(nonce);
        return nonce;
    }

    private byte[] mac(String side, byte[]... said) {
        try {
            Mac mac = Mac.getInstance(key.getAlgorithm());
            mac.init(key);
            mac.update(side.getBytes(StandardCharsets.US_ASCII));
            for (byte[] part : said) {
                mac.update(part);
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ByteBuffer read(Socket socket, int bytes, long deadline) throws IOException {
        byte[] buffer = new byte[bytes];
        InputStream in = socket.getInputStream();
        for (int at = 0; at < bytes; ) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                throw new SocketTimeoutException("the other side says nothing");
            }
            socket.setSoTimeout((int) Math.min(left, Integer.MAX_VALUE));
            int read = in.read(buffer, at, bytes - at);
            if (read < 0) {
                throw new EOFException("the other side has hung up");
            }
            at += read;
        }
        socket.setSoTimeout(0);
        return ByteBuffer.wrap(buffer);
    }
}
