/// Tokenizers to look at: a page and the terminal.
package org.quern.launcher.tokenizer;
