/// Training of classifiers that tell good pages from others.
package org.quern.corpus.quality;
