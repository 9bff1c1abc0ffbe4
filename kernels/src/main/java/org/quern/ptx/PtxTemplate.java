package org.quern.ptx;

import freemarker.cache.ClassTemplateLoader;
import freemarker.core.Environment;
import freemarker.core.ParseException;
import freemarker.core.TemplateClassResolver;
import freemarker.template.Configuration;
import freemarker.template.DefaultObjectWrapperBuilder;
import freemarker.template.Template;
import freemarker.template.TemplateException;
import freemarker.template.TemplateExceptionHandler;
import freemarker.template.TemplateMethodModelEx;
import freemarker.template.TemplateModelException;
import freemarker.template.TemplateNotFoundException;
import freemarker.template.TemplateNumberModel;
import java.io.IOException;
import java.io.StringWriter;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.DoubleBinaryOperator;
import java.util.regex.Pattern;
import org.quern.gpu.GpuException;

/// Expands the PTX templates of `src/main/ptx`.
///
/// The language is FreeMarker's: `${tile_m * 2}`, `<#list 0..<n as i>`, `<#if window>`, `<#include "common.ftl">`.
/// Numbers are printed plainly. Templates may call
///
/// | function | value |
/// |---|---|
/// | `f32(1.5)` | the float as a PTX literal: `0f3FC00000` |
/// | `bf16(1.5)` | the bf16 nearest to it, its 16 bits: `0x3FC0` |
/// | `log2(64)` | 6; only of powers of two |
/// | `min(a, b)`, `max(a, b)` | the smaller, the larger |
public final class PtxTemplate {
    private static final Set<String> FUNCTIONS = Set.of("f32", "bf16", "log2", "min", "max");
    /// The rest of a line from where the template language begins: all names that a template uses are in such.
    private static final Pattern TEMPLATE_CODE = Pattern.compile("(?:\\$\\{|<#(?!-)|<@).*");

    private static final Pattern NAME = Pattern.compile("[A-Za-z_]\\w*");

    private PtxTemplate() {}

    private static Configuration configure(Class<?> anchor) {
        Configuration configuration = new Configuration(Configuration.VERSION_2_3_34);
        configuration.setTemplateLoader(new ClassTemplateLoader(anchor, "/ptx"));
        configuration.setLocalizedLookup(false);
        configuration.setLocale(Locale.ROOT);
        configuration.setDefaultEncoding("UTF-8");
        configuration.setNumberFormat("c");
        configuration.setBooleanFormat("c");
        configuration.setInterpolationSyntax(Configuration.DOLLAR_INTERPOLATION_SYNTAX);
        configuration.setTemplateExceptionHandler(TemplateExceptionHandler.RETHROW_HANDLER);
        configuration.setLogTemplateExceptions(false);
        configuration.setNewBuiltinClassResolver(TemplateClassResolver.ALLOWS_NOTHING_RESOLVER);
        configuration.setObjectWrapper(new DefaultObjectWrapperBuilder(Configuration.VERSION_2_3_34).build());
        configuration.setSharedVariable("f32", number("f32", PtxTemplate::f32));
        configuration.setSharedVariable("bf16", number("bf16", PtxTemplate::bf16));
        configuration.setSharedVariable("log2", number("log2", PtxTemplate::log2));
        configuration.setSharedVariable("min", pair("min", Math::min));
        configuration.setSharedVariable("max", pair("max", Math::max));
        return configuration;
    }

    /// The text of a variant, ready to be assembled.
    ///
    /// @throws GpuException if the template is absent or wrong, asks for a parameter that the variant
    ///     lacks, or does not know one that it has; with file, line and name
    public static String expand(KernelVariant variant) {
        String file = variant.file() + ".ptx";
        for (String name : variant.parameters().keySet()) {
            if (FUNCTIONS.contains(name)) {
                throw new GpuException("%s: a parameter cannot be called %s, which is a function of templates"
                        .formatted(variant.name(), name));
            }
        }
        try {
            Template template = Templates.CONFIGURATION.getTemplate(file);
            StringWriter text = new StringWriter();
            Environment environment = template.createProcessingEnvironment(variant.parameters(), text);
            environment.process();
            refuseUnused(variant, template);
            return text.toString();
        } catch (TemplateNotFoundException e) {
            throw new GpuException("%s: there is no kernel file ptx/%s".formatted(variant.name(), file), e);
        } catch (ParseException e) {
            throw new GpuException(
                    "%s, line %d: %s".formatted(e.getTemplateName(), e.getLineNumber(), e.getEditorMessage()), e);
        } catch (TemplateException e) {
            throw new GpuException(
                    "%s, line %s: %s (expanding %s)"
                            .formatted(e.getTemplateSourceName(), e.getLineNumber(), reason(e), variant.name()),
                    e);
        } catch (IOException e) {
            throw new GpuException("ptx/%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /// FreeMarker's messages go on with advice and a stack; the first paragraph says what is wrong.
    private static String reason(TemplateException e) {
        if (e instanceof freemarker.core.InvalidReferenceException) {
            return e.getBlamedExpressionString() + " has no value";
        }
        Throwable cause = e.getCause() instanceof TemplateModelException inner ? inner : e;
        String message = String.valueOf(cause.getMessage());
        int end = message.indexOf("\n\n----");
        return (end < 0 ? message : message.substring(0, end)).replaceAll("\\s*\n\\s*", " ");
    }

    private static void refuseUnused(KernelVariant variant, Template template) throws IOException {
        Set<String> unused = new TreeSet<>(variant.parameters().keySet());
        unused.removeAll(names(template.toString()));
        if (!unused.isEmpty()) {
            throw new GpuException("%s.ptx has no parameter %s".formatted(variant.file(), String.join(", ", unused)));
        }
    }

    /// Whether a parameter is read may depend on the others, so what counts is that the file names it.
    private static Set<String> names(String source) {
        Set<String> names = new TreeSet<>();
        TEMPLATE_CODE
                .matcher(source)
                .results()
                .forEach(code -> NAME.matcher(code.group()).results().forEach(name -> names.add(name.group())));
        return names;
    }

    private static String f32(double value) {
        return "0f%08X".formatted(Float.floatToRawIntBits((float) value));
    }

    private static String bf16(double value) {
        int bits = Float.floatToRawIntBits((float) value);
        int rounded = bits + 0x7FFF + (bits >>> 16 & 1); // to the nearest, ties to even
        return "0x%04X".formatted(rounded >>> 16);
    }

    private static Integer log2(double value) {
        int whole = (int) value;
        if (whole != value || Integer.bitCount(whole) != 1 || whole < 0) {
            throw new IllegalArgumentException("log2 needs a power of two: got " + value);
        }
        return Integer.numberOfTrailingZeros(whole);
    }

    private interface NumberFunction {
        Object of(double value);
    }

    private static TemplateMethodModelEx number(String name, NumberFunction function) {
        return arguments -> {
            double value = numbers(name, arguments, 1)[0];
            try {
                return function.of(value);
            } catch (IllegalArgumentException e) {
                throw new TemplateModelException(e.getMessage(), e);
            }
        };
    }

    private static TemplateMethodModelEx pair(String name, DoubleBinaryOperator function) {
        return arguments -> {
            double[] values = numbers(name, arguments, 2);
            return function.applyAsDouble(values[0], values[1]);
        };
    }

    private static double[] numbers(String name, List<?> arguments, int count) throws TemplateModelException {
        if (arguments.size() != count) {
            throw new TemplateModelException("%s takes %d numbers: got %d".formatted(name, count, arguments.size()));
        }
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            if (!(arguments.get(i) instanceof TemplateNumberModel number)) {
                throw new TemplateModelException(name + " takes numbers only");
            }
            values[i] = number.getAsNumber().doubleValue();
        }
        return values;
    }

    /// Read on first use.
    private static final class Templates {
        static final Configuration CONFIGURATION = configure(PtxTemplate.class);
    }
}
