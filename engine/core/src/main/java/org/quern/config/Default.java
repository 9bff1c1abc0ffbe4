package org.quern.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// What a key means when it is not written, as YAML: `@Default("0.9")`, `@Default("[0.9, 0.95]")`, `@Default("{}")`
/// for a section of defaults.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Default {
    String value();
}
