package org.quern.corpus.archive;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.IntConsumer;

/// Writes a struct by Thrift's compact protocol, fields in the order of their ids.
final class Thrift {
    static final int INT32 = 5;
    static final int INT64 = 6;
    static final int BINARY = 8;
    static final int LIST = 9;
    static final int STRUCT = 12;

    private static final int LONG_LIST = 15;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private int lastId;

    void int32(int id, int value) {
        field(id, INT32);
        item(value);
    }

    void int64(int id, long value) {
        field(id, INT64);
        zigzag(value);
    }

    void text(int id, String value) {
        field(id, BINARY);
        item(value);
    }

    void struct(int id, Runnable fields) {
        field(id, STRUCT);
        struct(fields);
    }

    /// @param type of the items, each written by `item`, or as fields if it is a struct
    void list(int id, int size, int type, IntConsumer item) {
        field(id, LIST);
        if (size < LONG_LIST) {
            out.write(size << 4 | type);
        } else {
            out.write(LONG_LIST << 4 | type);
            variable(size);
        }
        for (int i = 0; i < size; i++) {
            int index = i;
            if (type == STRUCT) {
                struct(() -> item.accept(index));
            } else {
                item.accept(index);
            }
        }
    }

    void item(int value) {
        zigzag(value);
    }

    void item(String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        variable(bytes.length);
        out.writeBytes(bytes);
    }

    byte[] finish() {
        out.write(0);
        return out.toByteArray();
    }

    private void struct(Runnable fields) {
        int outer = lastId;
        lastId = 0;
        fields.run();
        out.write(0);
        lastId = outer;
    }

    private void field(int id, int type) {
        out.write(id - lastId << 4 | type);
        lastId = id;
    }

    private void zigzag(long value) {
        variable(value << 1 ^ value >> 63);
    }

    private void variable(long value) {
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            out.write((int) (rest & 0x7f | 0x80));
            rest >>>= 7;
        }
        out.write((int) rest);
    }
}
