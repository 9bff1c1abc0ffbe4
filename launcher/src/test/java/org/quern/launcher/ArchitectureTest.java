package org.quern.launcher;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.Externalizable;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Who may know whom.
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("-tests.jar"))
            .importPackages("org.quern");

    private static final String[] KERNELS = {
        "org.quern.gpu..", "org.quern.ptx..", "org.quern.kernels..", "org.quern.collective.."
    };

    /// The engine's packages from the ground up: each may use those before it.
    private static final List<String> FLOORS = List.of(
            "base",
            "store",
            "graph",
            "executor",
            "model",
            "optimizer",
            "tokenizer",
            "chat",
            "data",
            "config",
            "checkpoint",
            "interop",
            "generate",
            "train",
            "corpus",
            "spark");

    private static String[] engine() {
        return FLOORS.stream().map(ArchitectureTest::floor).toArray(String[]::new);
    }

    private static String floor(String name) {
        return "org.quern." + name + "..";
    }

    @Test
    void everyPackageIsKnownHere() {
        List<String> known = new ArrayList<>(FLOORS);
        known.addAll(List.of("gpu", "ptx", "kernels", "collective", "launcher"));
        assertThat(CLASSES)
                .extracting(type -> type.getPackageName().split("\\.")[2])
                .isSubsetOf(known);
    }

    @Test
    void theEnginesPackagesUseThoseBelowThem() {
        for (int i = 0; i < FLOORS.size() - 1; i++) {
            String[] above = FLOORS.subList(i + 1, FLOORS.size()).stream()
                    .map(ArchitectureTest::floor)
                    .toArray(String[]::new);
            noClasses()
                    .that()
                    .resideInAPackage(floor(FLOORS.get(i)))
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(above)
                    .check(CLASSES);
        }
    }

    @Test
    void modulesDoNotLookBack() {
        noClasses()
                .that()
                .resideInAnyPackage(KERNELS)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(engine())
                .check(CLASSES);
        noClasses()
                .that()
                .resideOutsideOfPackage("org.quern.launcher..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.quern.launcher..", "picocli..", "ch.qos.logback..")
                .check(CLASSES);
    }

    @Test
    void onlyExecutorsAndCommandsKnowKernels() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        "org.quern.gpu..", "org.quern.kernels..", "org.quern.executor..", "org.quern.launcher..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.quern.kernels..")
                .check(CLASSES);
    }

    @Test
    void onlyTheKernelsModuleReachesNativeCode() {
        noClasses()
                .that()
                .resideOutsideOfPackages(KERNELS)
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jcuda..")
                .orShould()
                .accessTargetWhere(describe("loads or links a native library", ArchitectureTest::isNative))
                .check(CLASSES);
    }

    private static boolean isNative(JavaAccess<?> access) {
        JavaClass owner = access.getTargetOwner();
        return owner.isEquivalentTo(Linker.class)
                || owner.isEquivalentTo(SymbolLookup.class)
                || Set.of("load", "loadLibrary").contains(access.getTarget().getName())
                        && (owner.isEquivalentTo(System.class) || owner.isEquivalentTo(Runtime.class));
    }

    /// Objects that come from outside are JSON, YAML or numbers: Java's own formats let who writes them run code.
    @Test
    void nothingReadsOrWritesJavaObjects() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .belongToAnyOf(ObjectInputStream.class, ObjectOutputStream.class, Externalizable.class)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage("java.rmi..", "javax.management.remote..", "java.beans..")
                .check(CLASSES);
    }

    @Test
    void onlyTheLauncherPrints() {
        noClasses()
                .that()
                .resideOutsideOfPackage("org.quern.launcher..")
                .should()
                .accessField(System.class, "out")
                .orShould()
                .accessField(System.class, "err")
                .orShould()
                .callMethod(Throwable.class, "printStackTrace")
                .check(CLASSES);
    }

    @Test
    void nothingEndsTheProgramButMain() {
        noClasses()
                .that(describe("are not Main", type -> !type.isEquivalentTo(Main.class)))
                .should()
                .callMethod(System.class, "exit", int.class)
                .check(CLASSES);
    }
}
