/// Text from a trained model: decoding with a cache, sampling, streaming.
package org.quern.generate;
