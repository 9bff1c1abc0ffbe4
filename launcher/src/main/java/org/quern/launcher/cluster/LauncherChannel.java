package org.quern.launcher.cluster;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// A connection between two launchers that know the job's token.
///
/// The one that is called, node 0, sends 4 bytes `QRN1` and a random challenge of 32 bytes. The caller answers
/// with a challenge of its own. The key of the connection is the HMAC-SHA256, by the token, of both. Then both
/// send frames: the length of the payload (4 bytes, big-endian, at most 64 KiB), an HMAC-SHA256 (32 bytes) by
/// the key, and the payload, a [Greeting] at first, then a [NodeEvent] or a [NodeCommand], in JSON. The HMAC
/// covers who sends (1 byte: 0 for node 0), the number of the frame (8 bytes) and the payload. So a recorded
/// connection is of no use, and no frame can be changed, left out or sent again. A length of -1 instead of the
/// first frame says that the tokens differ.
///
/// Nothing is encrypted: what is sent is no secret.
final class LauncherChannel implements Closeable {
    static final int MOST_PAYLOAD_BYTES = 1 << 16;

    private static final int MAGIC = 0x51524E31;
    private static final int CHALLENGE_BYTES = 32;
    private static final int MAC_BYTES = 32;
    private static final int OTHER_TOKEN = -1;
    private static final String ALGORITHM = "HmacSHA256";
    private static final byte CALLED = 0;
    private static final byte CALLER = 1;
    private static final SecureRandom RANDOM = new SecureRandom();

    /// The other side has another token.
    static final class OtherTokenException extends IOException {
        private static final long serialVersionUID = 1;

        OtherTokenException(String message) {
            super(message);
        }
    }

    private final Socket socket;
    private final DataInputStream input;
    private final SecretKeySpec key;
    private final byte me;
    private long sent;
    private long received;

    private LauncherChannel(Socket socket, DataInputStream input, SecretKeySpec key, byte me) {
        this.socket = socket;
        this.input = input;
        this.key = key;
        this.me = me;
    }

    /// The side of the one that was called.
    static LauncherChannel accept(Socket socket, byte[] token) throws IOException {
        socket.setTcpNoDelay(true);
        byte[] mine = challenge();
        socket.getOutputStream()
                .write(ByteBuffer.allocate(Integer.BYTES + CHALLENGE_BYTES)
                        .putInt(MAGIC)
                        .put(mine)
                        .array());
        DataInputStream input = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        byte[] theirs = new byte[CHALLENGE_BYTES];
        input.readFully(theirs);
        return new LauncherChannel(socket, input, key(token, mine, theirs), CALLED);
    }

    /// The side of the caller.
    static LauncherChannel call(Socket socket, byte[] token) throws IOException {
        socket.setTcpNoDelay(true);
        DataInputStream input = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        if (input.readInt() != MAGIC) {
            throw new IOException("what listens there is no launcher of Quern, or one of another version");
        }
        byte[] theirs = new byte[CHALLENGE_BYTES];
        input.readFully(theirs);
        byte[] mine = challenge();
        socket.getOutputStream().write(mine);
        return new LauncherChannel(socket, input, key(token, theirs, mine), CALLER);
    }

    SocketAddress remote() {
        return socket.getRemoteSocketAddress();
    }

    /// A wait for a frame that takes longer fails.
    void setPatience(int millis) throws IOException {
        socket.setSoTimeout(millis);
    }

    synchronized void send(Record message) throws IOException {
        byte[] payload = Tagged.write(message).getBytes(StandardCharsets.UTF_8);
        if (payload.length > MOST_PAYLOAD_BYTES) {
            throw new IOException(
                    "a message must have at most %d bytes: this has %d".formatted(MOST_PAYLOAD_BYTES, payload.length));
        }
        socket.getOutputStream()
                .write(ByteBuffer.allocate(Integer.BYTES + MAC_BYTES + payload.length)
                        .putInt(payload.length)
                        .put(mac(me, sent++, payload))
                        .put(payload)
                        .array());
    }

    /// Waits for the next message. One thread does.
    ///
    /// @throws IOException if it is none of the records of `type`, or its HMAC is wrong
    <T> T receive(Class<T> type) throws IOException {
        int length = input.readInt();
        if (length == OTHER_TOKEN && received == 0) {
            throw new OtherTokenException("the tokens differ");
        }
        if (length < 0 || length > MOST_PAYLOAD_BYTES) {
            throw new IOException("a message must have at most %d bytes: got %d".formatted(MOST_PAYLOAD_BYTES, length));
        }
        byte[] mac = new byte[MAC_BYTES];
        input.readFully(mac);
        byte[] payload = new byte[length];
        input.readFully(payload);
        byte other = me == CALLED ? CALLER : CALLED;
        if (!MessageDigest.isEqual(mac, mac(other, received, payload))) {
            throw new OtherTokenException("a message is not authentic: the tokens differ");
        }
        received++;
        try {
            return Tagged.read(type, new String(payload, StandardCharsets.UTF_8));
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /// Tells the caller why it is not let in.
    void refuseToken() throws IOException {
        socket.getOutputStream()
                .write(ByteBuffer.allocate(Integer.BYTES).putInt(OTHER_TOKEN).array());
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    private byte[] mac(byte sender, long number, byte[] payload) {
        return mac(
                key,
                new byte[] {sender},
                ByteBuffer.allocate(Long.BYTES).putLong(number).array(),
                payload);
    }

    private static SecretKeySpec key(byte[] token, byte[] called, byte[] caller) {
        return new SecretKeySpec(mac(new SecretKeySpec(token, ALGORITHM), called, caller), ALGORITHM);
    }

    private static byte[] mac(SecretKeySpec key, byte[]... parts) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            Arrays.stream(parts).forEach(mac::update);
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    private static byte[] challenge() {
        byte[] bytes = new byte[CHALLENGE_BYTES];
        RANDOM.nextBytes(bytes);
        return bytes;
    }
}
