/// Handwritten PTX: templates expanded with their parameters, assembled, and listed with what they use.
package org.quern.ptx;
