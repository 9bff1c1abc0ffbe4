/// From text to batches: documents are read from files ([org.quern.data.CorpusReader]), become token shards of two
/// splits ([org.quern.data.PrepareData]), and windows of these fill a step's buffers ([org.quern.data.Batches]) in an
/// order that is computed, not stored ([org.quern.data.SampleOrder]). llm.c's token files are read and written too
/// ([org.quern.data.LlmcShards]).
package org.quern.data;
