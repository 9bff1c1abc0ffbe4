package org.quern.corpus.extract;

import com.sigpwned.chardet4j.Chardet;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.Arrays;
import java.util.Locale;

/// Which character set a page's bytes are in: by its byte order mark; UTF-8 if they are that and not only
/// ASCII, whatever is said; else by the server's word, the page's own (`meta`, `<?xml encoding`), each if the
/// bytes can be that; else by how often which bytes occur.
public final class PageCharset {
    private static final Charset WINDOWS_1252 = Charset.forName("windows-1252");
    /// How far a page's own word is looked for: browsers look at 1,024 bytes, and begin again when it comes later.
    private static final int PRESCAN = 64 << 10;
    /// How many bytes without markup tell the character set.
    private static final int SAMPLE = 16 << 10;
    /// Bytes that a character set does not know, one in so many, are the page's errors, not the character set's.
    private static final int ERRORS = 500;

    private PageCharset() {}

    /// @param contentType as the server said (`text/html; charset=koi8-r`), or empty
    public static Charset of(byte[] html, String contentType) {
        Charset marked = byteOrderMark(html);
        if (marked != null) {
            return marked;
        }
        int beyondAscii = beyondAscii(html);
        Charset said = named(parameter(contentType));
        Charset stated = named(ownWord(html));
        boolean escapes = beyondAscii == 0 && (escaped(said) || escaped(stated));
        if (beyondAscii == 0 && !escapes && !wide(said)) {
            return StandardCharsets.UTF_8;
        }
        if (beyondAscii > 0 && errors(html, StandardCharsets.UTF_8) == 0) {
            return StandardCharsets.UTF_8;
        }
        for (Charset charset : new Charset[] {said, stated}) {
            if (charset != null && errors(html, charset) * (long) ERRORS <= Math.max(beyondAscii, ERRORS)) {
                return charset;
            }
        }
        return detected(html);
    }

    private static boolean escaped(Charset charset) {
        return charset != null && charset.name().startsWith("ISO-2022");
    }

    private static boolean wide(Charset charset) {
        return charset != null && charset.name().startsWith("UTF-16");
    }

    private static Charset byteOrderMark(byte[] html) {
        if (html.length >= 3 && html[0] == (byte) 0xEF && html[1] == (byte) 0xBB && html[2] == (byte) 0xBF) {
            return StandardCharsets.UTF_8;
        }
        if (html.length >= 2 && html[0] == (byte) 0xFE && html[1] == (byte) 0xFF) {
            return StandardCharsets.UTF_16BE;
        }
        if (html.length >= 2 && html[0] == (byte) 0xFF && html[1] == (byte) 0xFE) {
            return StandardCharsets.UTF_16LE;
        }
        return null;
    }

    private static int beyondAscii(byte[] html) {
        int count = 0;
        for (byte b : html) {
            count += (b >>> 7) & 1;
        }
        return count;
    }

    /// The value after `charset=`, or an empty string.
    private static String parameter(String contentType) {
        return value(contentType.toLowerCase(Locale.ROOT), "charset");
    }

    private static String value(String text, String key) {
        int at = text.indexOf(key);
        while (at >= 0) {
            int i = at + key.length();
            while (i < text.length() && text.charAt(i) <= ' ') {
                i++;
            }
            if (i < text.length() && text.charAt(i) == '=') {
                i++;
                while (i < text.length()
                        && (text.charAt(i) <= ' ' || text.charAt(i) == '"' || text.charAt(i) == '\'')) {
                    i++;
                }
                int end = i;
                while (end < text.length() && " \t\r\n\f\"';,/>?".indexOf(text.charAt(end)) < 0) {
                    end++;
                }
                return text.substring(i, end);
            }
            at = text.indexOf(key, at + 1);
        }
        return "";
    }

    /// What the page itself says, in the first `meta` that says it or in its XML declaration.
    private static String ownWord(byte[] html) {
        String head = new String(html, 0, Math.min(html.length, PRESCAN), StandardCharsets.ISO_8859_1)
                .toLowerCase(Locale.ROOT);
        if (head.startsWith("<?xml")) {
            String encoding = value(head.substring(0, Math.max(head.indexOf('>'), 0)), "encoding");
            if (!encoding.isEmpty()) {
                return encoding;
            }
        }
        for (int at = head.indexOf("<meta"); at >= 0; at = head.indexOf("<meta", at + 1)) {
            int end = head.indexOf('>', at);
            String charset = value(head.substring(at, end < 0 ? head.length() : end), "charset");
            if (!charset.isEmpty()) {
                return charset;
            }
            if (end < 0) {
                break;
            }
        }
        return "";
    }

    /// The character set that pages mean by a name, or null for none that is known: as in the WHATWG's Encoding
    /// Standard, the widest of those that share a name.
    private static Charset named(String name) {
        String wider = switch (name) {
            case "" -> "";
            case "utf8", "unicode-1-1-utf-8" -> "UTF-8";
            case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "ascii", "us-ascii", "cp1252" ->
                "windows-1252";
            case "iso-8859-9", "latin5" -> "windows-1254";
            case "iso-8859-11", "tis-620" -> "x-windows-874";
            case "gb2312", "gb_2312-80", "gbk", "x-gbk", "chinese" -> "GB18030";
            case "big5" -> "Big5-HKSCS";
            case "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji" -> "windows-31j";
            case "euc-kr", "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601", "korean" -> "x-windows-949";
            default -> name;
        };
        if (wider.isEmpty()) {
            return null;
        }
        try {
            return Charset.forName(wider);
        } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
            return null;
        }
    }

    /// Errors met in decoding.
    private static int errors(byte[] html, Charset charset) {
        CharsetDecoder decoder = charset.newDecoder();
        ByteBuffer in = ByteBuffer.wrap(html);
        CharBuffer out = CharBuffer.allocate(8192);
        int errors = 0;
        while (true) {
            CoderResult result = decoder.decode(in, out, true);
            if (result.isError()) {
                // a character that the end of the page cuts is no error of the page
                errors += in.remaining() > result.length() ? 1 : 0;
                in.position(in.position() + result.length());
            } else if (result.isUnderflow()) {
                return errors;
            }
            out.clear();
        }
    }

    private static Charset detected(byte[] html) {
        byte[] text = new byte[Math.min(html.length, SAMPLE)];
        int length = 0;
        boolean markup = false;
        for (int i = 0; i < html.length && length < text.length; i++) {
            byte b = html[i];
            if (b == '<' || b == '>') {
                markup = b == '<';
            } else if (!markup) {
                text[length++] = b;
            }
        }
        Charset charset = Chardet.detectCharset(Arrays.copyOf(text, length)).orElse(WINDOWS_1252);
        return charset.equals(StandardCharsets.ISO_8859_1) || charset.equals(StandardCharsets.UTF_8)
                ? WINDOWS_1252
                : charset;
    }

    /// @param most characters that are decoded
    static String decode(byte[] html, Charset charset, int most) {
        CharsetDecoder decoder = charset.newDecoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
        CharBuffer out =
                CharBuffer.allocate((int) Math.min(most, Math.ceil(html.length * (double) decoder.maxCharsPerByte())));
        decoder.decode(ByteBuffer.wrap(html), out, true);
        out.flip();
        return !out.isEmpty() && out.get(0) == '\ufeff'
                ? out.subSequence(1, out.length()).toString()
                : out.toString();
    }
}
