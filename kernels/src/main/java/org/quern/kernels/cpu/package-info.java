/// The CPU kernels: fp32 with fp32 accumulation on the Vector API, over off-heap memory.
package org.quern.kernels.cpu;
