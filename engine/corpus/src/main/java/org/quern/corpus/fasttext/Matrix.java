package org.quern.corpus.fasttext;

/// A dense row-major matrix. Quantised ones are expanded when read: a product of the same floats, in less
/// time later.
record Matrix(int rows, int columns, float[] values) {
    private static final int CENTROIDS = 256;

    static Matrix readDense(ModelFile file) {
        long rows = file.readLong();
        long columns = file.readLong();
        requireShape(file, rows, columns);
        return new Matrix((int) rows, (int) columns, file.readFloats(rows * columns));
    }

    static Matrix readQuantised(ModelFile file) {
        boolean scaled = file.readFlag();
        long rows = file.readLong();
        long columns = file.readLong();
        requireShape(file, rows, columns);
        int codeBytes = file.readInt();
        byte[] codes = file.readBytes(codeBytes);
        Centroids centroids = Centroids.read(file, (int) columns);
        file.require(codeBytes == rows * centroids.parts, codeBytes + " codes for " + rows + " rows");
        byte[] scaleCodes = new byte[0];
        Centroids scales = null;
        if (scaled) {
            scaleCodes = file.readBytes(rows);
            scales = Centroids.read(file, 1);
        }
        float[] values = new float[Math.toIntExact(rows * columns)];
        for (int row = 0; row < rows; row++) {
            float scale = scales == null ? 1 : scales.values[scaleCodes[row] & 0xff];
            centroids.expand(codes, row, scale, values);
        }
        return new Matrix((int) rows, (int) columns, values);
    }

    private static void requireShape(ModelFile file, long rows, long columns) {
        file.require(
                rows > 0 && columns > 0 && columns <= Short.MAX_VALUE && rows <= Integer.MAX_VALUE / columns - 8,
                "a matrix of " + rows + " x " + columns);
    }

    /// A product quantiser: each row is cut into parts of `width` columns (the last may be narrower), and
    /// each part is one of 256 centroids.
    private record Centroids(int columns, int parts, int width, int lastWidth, float[] values) {
        static Centroids read(ModelFile file, int columns) {
            int dimension = file.readInt();
            int parts = file.readInt();
            int width = file.readInt();
            int lastWidth = file.readInt();
            file.require(
                    dimension == columns
                            && parts > 0
                            && width > 0
                            && lastWidth > 0
                            && lastWidth <= width
                            && (parts - 1L) * width + lastWidth == columns,
                    "a quantiser of " + parts + " parts of " + width + " for " + columns + " columns");
            return new Centroids(columns, parts, width, lastWidth, file.readFloats((long) columns * CENTROIDS));
        }

        void expand(byte[] codes, int row, float scale, float[] out) {
            for (int part = 0; part < parts; part++) {
                int wide = part == parts - 1 ? lastWidth : width;
                int from = part * CENTROIDS * width + (codes[row * parts + part] & 0xff) * wide;
                int to = row * columns + part * width;
                for (int i = 0; i < wide; i++) {
                    out[to + i] = scale * values[from + i];
                }
            }
        }
    }
}
