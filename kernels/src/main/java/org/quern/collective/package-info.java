/// Workers that reduce their gradients together.
package org.quern.collective;
