package org.quern.train.metrics;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.quern.train.TrainEvent;

/// Writes event files that TensorBoard reads, in the folder `tensorboard` of a run: the scalars `loss`, `lr`,
/// `grad_norm`, `tokens_per_second`, `val_loss` and `val_bpb` (and `val_loss/NAME` of the sources of a
/// mixture), and samples of text.
///
/// Each start writes a file of its own. It opens with a mark that the session starts at the step after the last
/// checkpoint, by which TensorBoard hides what a killed run had written beyond it.
///
/// The file is a row of TFRecords: length (8 bytes), masked CRC-32C of the length, data, masked CRC-32C of the data,
/// little endian. The data are protocol buffers of `tensorflow/core/util/event.proto` and
/// `framework/summary.proto`, whose field numbers stand here as constants.
public final class TensorBoardWriter implements TrainEvent.Listener, AutoCloseable {
    private static final int EVENT_WALL_TIME = 1;
    private static final int EVENT_STEP = 2;
    private static final int EVENT_FILE_VERSION = 3;
    private static final int EVENT_SUMMARY = 5;
    private static final int EVENT_SESSION_LOG = 7;
    private static final int SESSION_LOG_STATUS = 1;
    private static final int SESSION_LOG_START = 1;
    private static final int SUMMARY_VALUE = 1;
    private static final int VALUE_TAG = 1;
    private static final int VALUE_SIMPLE = 2;
    private static final int VALUE_TENSOR = 8;
    private static final int VALUE_METADATA = 9;
    private static final int METADATA_PLUGIN = 1;
    private static final int PLUGIN_NAME = 1;
    private static final int TENSOR_DTYPE = 1;
    private static final int TENSOR_SHAPE = 2;
    private static final int TENSOR_STRING = 8;
    private static final int SHAPE_DIM = 2;
    private static final int DIM_SIZE = 1;
    private static final int DT_STRING = 7;

    private RecordFile file;
    private int samples;
    private long sampleStep = -1;

    @Override
    public void on(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started e -> open(e.run().resolve("tensorboard"), e.firstStep());
            case TrainEvent.Step e ->
                summary(
                        e.step(),
                        new Protobuf()
                                .message(SUMMARY_VALUE, scalar("loss", e.loss()))
                                .message(SUMMARY_VALUE, scalar("lr", e.lr()))
                                .message(SUMMARY_VALUE, scalar("grad_norm", e.gradNorm()))
                                .message(SUMMARY_VALUE, scalar("tokens_per_second", e.tokensPerSecond())));
            case TrainEvent.Evaluation e -> {
                Protobuf summary = new Protobuf()
                        .message(SUMMARY_VALUE, scalar("val_loss", e.loss()))
                        .message(SUMMARY_VALUE, scalar("val_bpb", e.bitsPerByte()));
                e.sources()
                        .forEach(source -> summary.message(
                                        SUMMARY_VALUE, scalar("val_loss/" + source.name(), source.loss()))
                                .message(SUMMARY_VALUE, scalar("val_bpb/" + source.name(), source.bitsPerByte())));
                summary(e.step(), summary);
            }
            case TrainEvent.Sample e -> {
                samples = e.step() == sampleStep ? samples + 1 : 1;
                sampleStep = e.step();
                summary(
                        e.step(),
                        new Protobuf().message(SUMMARY_VALUE, text("sample " + samples, e.prompt(), e.text())));
            }
            case TrainEvent.Spike _,
                    TrainEvent.CheckpointSaved _,
                    TrainEvent.CheckpointFailed _,
                    TrainEvent.CheckpointUploaded _,
                    TrainEvent.CheckpointUploadFailed _,
                    TrainEvent.Profiled _,
                    TrainEvent.Finished _ -> {}
        }
    }

    @Override
    public void close() {
        if (file != null) {
            file.close();
        }
    }

    private void open(Path folder, long firstStep) {
        // TensorBoard reads the files of a folder in the order of their names.
        String name = "events.out.tfevents.%s.quern.%s"
                .formatted(
                        Long.toString(System.currentTimeMillis() / 1000),
                        Long.toString(ProcessHandle.current().pid()));
        file = new RecordFile(folder.resolve(name));
        write(event(0).string(EVENT_FILE_VERSION, "brain.Event:2"));
        write(event(firstStep + 1)
                .message(EVENT_SESSION_LOG, new Protobuf().integer(SESSION_LOG_STATUS, SESSION_LOG_START)));
    }

    private void summary(long step, Protobuf summary) {
        write(event(step).message(EVENT_SUMMARY, summary));
    }

    private static Protobuf event(long step) {
        return new Protobuf()
                .fixed64(EVENT_WALL_TIME, System.currentTimeMillis() / 1000.0)
                .integer(EVENT_STEP, step);
    }

    private static Protobuf scalar(String tag, double value) {
        return new Protobuf().string(VALUE_TAG, tag).fixed32(VALUE_SIMPLE, (float) value);
    }

    /// TensorBoard shows text as Markdown; indented by four spaces it is shown as it is.
    private static Protobuf text(String tag, String prompt, String text) {
        String verbatim = "    " + (prompt + text).replace("\n", "\n    ");
        Protobuf metadata = new Protobuf().message(METADATA_PLUGIN, new Protobuf().string(PLUGIN_NAME, "text"));
        Protobuf tensor = new Protobuf()
                .integer(TENSOR_DTYPE, DT_STRING)
                .message(TENSOR_SHAPE, new Protobuf().message(SHAPE_DIM, new Protobuf().integer(DIM_SIZE, 1)))
                .string(TENSOR_STRING, verbatim);
        return new Protobuf()
                .string(VALUE_TAG, tag)
                .message(VALUE_TENSOR, tensor)
                .message(VALUE_METADATA, metadata);
    }

    private void write(Protobuf event) {
        byte[] data = event.bytes();
        ByteBuffer record = ByteBuffer.allocate(data.length + 16).order(ByteOrder.LITTLE_ENDIAN);
        record.putLong(data.length);
        record.putInt(maskedCrc(record.array(), 0, 8));
        record.put(data);
        record.putInt(maskedCrc(record.array(), 12, data.length));
        file.append(record.array());
    }

    private static int maskedCrc(byte[] bytes, int offset, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, offset, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
    }
}
