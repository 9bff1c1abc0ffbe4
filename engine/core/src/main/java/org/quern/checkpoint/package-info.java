/// Checkpoints: safetensors files, and folders of them that are written whole or not at all and read only when whole.
package org.quern.checkpoint;
