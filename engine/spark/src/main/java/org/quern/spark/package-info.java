/// The corpus pipeline on Apache Spark: [org.quern.spark.SparkTasks] has its tasks done there. Spark is no part of
/// Quern: its classes are those of `SPARK_HOME`.
package org.quern.spark;
