/// Objects in S3-compatible stores: [org.quern.store.ObjectStore] lists, reads and writes them.
package org.quern.store;
