package org.quern.launcher;

import org.quern.executor.Devices;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// `--device` of the verbs that run models.
final class DeviceName implements ITypeConverter<String> {
    static final String DESCRIPTION =
            "Where to run: auto, cpu, cuda, cuda:N or emulated (a GPU in the JVM that checks every access, slowly).";

    @Override
    public String convert(String text) {
        if (!Devices.isName(text)) {
            throw new TypeConversionException("must be auto, cpu, cuda, cuda:N or emulated: got " + text);
        }
        return text;
    }
}
