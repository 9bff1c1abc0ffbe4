/// Conversations as text: the chat templates of tokenizers, which are written in a part of Jinja.
package org.quern.chat;
