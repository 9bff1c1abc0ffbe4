package org.quern.spark;

import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.corpus.run.CorpusTask;
import org.quern.corpus.run.TaskRunner;

/// Tasks on Spark: it ships them as texts, to processes that have Quern's classes, and does those again whose
/// process was lost.
public final class SparkTasks implements TaskRunner, AutoCloseable {
    private final JavaSparkContext spark;

    /// @param settings beside those of `spark-submit`, which are this process's system properties
    public SparkTasks(SparkConf settings) {
        spark = new JavaSparkContext(settings.setIfMissing("spark.app.name", "quern corpus"));
    }

    /// With the settings of `spark-submit`.
    public static SparkTasks submitted() {
        return new SparkTasks(new SparkConf());
    }

    @Override
    public List<String> run(List<String> tasks) {
        if (tasks.isEmpty()) {
            return List.of();
        }
        try {
            return List.copyOf(
                    spark.parallelize(tasks, tasks.size()).map(CorpusTask::run).collect());
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Exception e) {
            // Spark is written in Scala, which does not declare what it throws.
            throw explained(e);
        }
    }

    /// What a task said, or else what Spark says of it.
    private static QuernException explained(Exception failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof QuernException own) {
                return own;
            }
        }
        String first = String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
        return new QuernException(
                ExitCode.RETRYABLE,
                "Spark gave up: %s. The same command goes on from here; the logs of its executors say more"
                        .formatted(first),
                failure);
    }

    @Override
    public void close() {
        spark.close();
    }
}
