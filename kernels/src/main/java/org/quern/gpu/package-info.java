/// Access to GPUs.
package org.quern.gpu;
