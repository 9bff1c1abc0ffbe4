/// PTX text as a tree: what the emulator runs and what launches check their arguments against.
package org.quern.ptx.syntax;
