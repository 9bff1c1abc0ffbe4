/// How fast the stages of the pipeline are.
package org.quern.corpus.bench;
