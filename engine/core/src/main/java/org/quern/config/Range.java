package org.quern.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// The numbers that a key may have, or each item of a list.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Range {
    /// The smallest allowed.
    double min() default Double.NEGATIVE_INFINITY;

    /// The largest allowed.
    double max() default Double.POSITIVE_INFINITY;

    /// Only numbers greater than this are allowed.
    double above() default Double.NEGATIVE_INFINITY;

    /// Only numbers smaller than this are allowed.
    double below() default Double.POSITIVE_INFINITY;
}
