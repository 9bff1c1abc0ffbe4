package org.quern.launcher;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.FileAppender;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.LoggerFactory;

/// Where log lines go: to the terminal what a person should know, to a file everything. Logback finds this class by its
/// service file; reading an XML file would take longer than the rest of a start.
public final class Logs extends ContextAwareBase implements Configurator {
    private static Path file;
    private static volatile Level leastOnTerminal = Level.INFO;

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.setLevel(Level.DEBUG);
        TerminalAppender appender = new TerminalAppender();
        appender.setContext(context);
        appender.start();
        root.addAppender(appender);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /// Log lines go to this file from now on, too.
    static void alsoTo(Path file) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern("%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5level [%thread] %logger: %msg%n");
        encoder.start();
        FileAppender<ILoggingEvent> appender = new FileAppender<>();
        appender.setContext(context);
        appender.setFile(file.toString());
        appender.setEncoder(encoder);
        appender.start();
        context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).addAppender(appender);
        Logs.file = file;
    }

    /// The terminal gets warnings and errors from now on, and no information.
    static void onlyWarnings() {
        leastOnTerminal = Level.WARN;
    }

    /// The file, if there is one yet.
    static Optional<Path> file() {
        return Optional.ofNullable(file);
    }

    /// Information as it is, warnings and errors marked, no stack traces.
    private static final class TerminalAppender extends AppenderBase<ILoggingEvent> {
        @Override
        protected void append(ILoggingEvent event) {
            Level level = event.getLevel();
            if (level.isGreaterOrEqual(leastOnTerminal)) {
                String mark =
                        level.isGreaterOrEqual(Level.WARN) ? level.toString().toLowerCase() + ": " : "";
                Terminal.error().print(mark + event.getFormattedMessage());
            }
        }
    }
}
