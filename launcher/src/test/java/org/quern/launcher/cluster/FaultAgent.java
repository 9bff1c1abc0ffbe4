package org.quern.launcher.cluster;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.ProtectionDomain;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.checkpoint.SavePoint;

/// Makes workers of `quern train` fail, as an agent of their JVMs: in one attempt and one worker, a fault happens
/// before a collective call of a given number, or when a save comes to one of its named moments.
public final class FaultAgent {
    /// By name, as agents can change no class that is there already.
    private static final String COMMUNICATOR = "org/quern/launcher/cluster/CountedCommunicator";
    private static final String JOINING = "org/quern/launcher/cluster/Communicators";

    private static final Set<String> CALLS = Set.of("allReduce", "reduceScatter", "allGather", "broadcast", "barrier");
    private static final Set<String> SUMS = Set.of("allReduce", "reduceScatter");
    private static final String JOIN = "join";
    private static final String NAN = "nan";
    private static final String SAVE = "save-";

    private static final AtomicInteger CALL = new AtomicInteger();
    private static volatile List<Planned> faults;
    private static volatile Optional<Planned> planned = Optional.empty();

    private FaultAgent() {}

    /// @param attempt of the run, from 0
    /// @param rank of the worker
    /// @param fault as [Fault#happen] knows it; `nan` for a gradient that is no number; or that of [#save]
    /// @param number of the collective call, or of the time that the save comes there, from 1
    record Planned(long attempt, int rank, String fault, int number) {
        static Planned save(long attempt, int rank, SavePoint point, int number) {
            return new Planned(attempt, rank, SAVE + point, number);
        }

        static Planned parse(String text) {
            String[] parts = text.split("/");
            return new Planned(
                    Long.parseLong(parts[0]), Integer.parseInt(parts[1]), parts[2], Integer.parseInt(parts[3]));
        }

        @Override
        public String toString() {
            return "%d/%d/%s/%d".formatted(attempt, rank, fault, number);
        }
    }

    /// The flag of the JVM that makes these faults happen.
    ///
    /// @param folder for a jar without a class: this one is in the class path
    static String flag(Path folder, List<Planned> faults) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", FaultAgent.class.getName());
        Path jar = folder.resolve("agent.jar");
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        return "-javaagent:%s=%s"
                .formatted(jar, faults.stream().map(Planned::toString).collect(Collectors.joining(",")));
    }

    public static void premain(String faults, Instrumentation instrumentation) {
        if (Assignment.of(System.getenv()).isEmpty()) {
            return;
        }
        FaultAgent.faults = Stream.of(faults.split(",")).map(Planned::parse).toList();
        instrumentation.addTransformer(new ClassFileTransformer() {
            @Override
            public byte[] transform(
                    ClassLoader loader, String name, Class<?> type, ProtectionDomain domain, byte[] bytes) {
                return switch (name) {
                    case COMMUNICATOR -> announcing(bytes, CALLS);
                    case JOINING -> announcing(bytes, Set.of(JOIN));
                    default -> null;
                };
            }
        });
    }

    private static byte[] announcing(byte[] bytes, Set<String> methods) {
        ClassFile file = ClassFile.of();
        return file.transformClass(file.parse(bytes), (type, element) -> {
            if (element instanceof MethodModel method
                    && methods.contains(method.methodName().stringValue())) {
                type.transformMethod(method, MethodTransform.transformingCode(new Announcement(method)));
            } else {
                type.with(element);
            }
        });
    }

    /// Calls this class before anything else.
    private record Announcement(MethodModel method) implements CodeTransform {
        private static final ClassDesc AGENT = ClassDesc.of(FaultAgent.class.getName());
        private static final MethodTypeDesc CALL = MethodTypeDesc.of(ConstantDescs.CD_void);
        private static final MethodTypeDesc SUM =
                CALL.insertParameterTypes(0, ClassDesc.of(MemorySegment.class.getName()));

        private static final MethodTypeDesc ASSIGNMENT =
                CALL.insertParameterTypes(0, ClassDesc.of(Assignment.class.getName()));

        @Override
        public void atStart(CodeBuilder code) {
            if (method.methodName().equalsString(JOIN)) {
                code.aload(0).invokestatic(AGENT, "joins", ASSIGNMENT);
                return;
            }
            code.invokestatic(AGENT, "beforeCall", CALL);
            if (SUMS.contains(method.methodName().stringValue())) {
                code.aload(1).invokestatic(AGENT, "beforeSum", SUM);
            }
        }

        @Override
        public void accept(CodeBuilder code, CodeElement element) {
            code.with(element);
        }
    }

    /// Called by the workers, in each attempt; also by those that rehearse, which have none.
    public static void joins(Assignment place) {
        Optional<Planned> fault = faults.stream()
                .filter(each -> each.attempt == place.epoch() && each.rank == place.rank())
                .findFirst();
        CALL.set(0);
        planned = fault.filter(each -> !each.fault.startsWith(SAVE));
        fault.filter(each -> each.fault.startsWith(SAVE))
                .ifPresent(each ->
                        System.setProperty("quern.halt", each.fault.substring(SAVE.length()) + ":" + each.number));
    }

    /// Called by the workers.
    public static void beforeCall() {
        int call = CALL.incrementAndGet();
        planned.filter(fault -> fault.number == call && !fault.fault.equals(NAN))
                .ifPresent(fault -> Fault.happen(fault.fault));
    }

    /// Called by the workers.
    public static void beforeSum(MemorySegment data) {
        if (planned.filter(fault -> CALL.get() >= fault.number && fault.fault.equals(NAN))
                .isPresent()) {
            data.set(ValueLayout.JAVA_FLOAT, 0, Float.NaN);
        }
    }
}
