package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.batch.v1.JobTemplateSpec;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/// The manifests of `docker/`, read as strictly as a cluster that knows each of their keys.
class ManifestsTest {
    private static final Path FOLDER = Path.of("../docker");
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @Test
    void indexedJobIsAsKubernetesWants() throws IOException {
        List<Map<String, Object>> parts = parts("kubernetes/job.yaml");
        assertThat(parts)
                .extracting(part -> part.get("kind"))
                .containsExactly("Service", "PersistentVolumeClaim", "NetworkPolicy", "Job");
        Service service = read(parts.get(0), Service.class);
        PersistentVolumeClaim claim = read(parts.get(1), PersistentVolumeClaim.class);
        NetworkPolicy policy = read(parts.get(2), NetworkPolicy.class);
        Job job = read(parts.get(3), Job.class);

        String name = job.getMetadata().getName();
        PodSpec pod = job.getSpec().getTemplate().getSpec();
        assertThat(pod.getSubdomain()).isEqualTo(service.getMetadata().getName());
        assertThat(service.getSpec().getClusterIP()).isEqualTo("None");
        assertThat(service.getSpec().getSelector()).containsOnly(Map.entry("job-name", name));
        assertThat(policy.getSpec().getPodSelector().getMatchLabels()).containsOnly(Map.entry("job-name", name));
        assertThat(job.getSpec().getCompletions()).isEqualTo(job.getSpec().getParallelism());
        assertThat(variable(pod, "QUERN_NODES"))
                .isEqualTo(job.getSpec().getCompletions().toString());
        assertThat(variable(pod, "MASTER_ADDR")).isEqualTo(name + "-0." + pod.getSubdomain());
        assertThat(pod.getVolumes())
                .filteredOn(volume -> volume.getPersistentVolumeClaim() != null)
                .extracting(volume -> volume.getPersistentVolumeClaim().getClaimName())
                .containsExactly(claim.getMetadata().getName());
        requireLocked(pod);
    }

    @Test
    @SuppressWarnings("unchecked")
    void jobSetIsAsKubernetesWants() throws IOException {
        Map<String, Object> set = parts("kubernetes/jobset.yaml").getFirst();
        assertThat(set).containsOnlyKeys("apiVersion", "kind", "metadata", "spec");
        Map<String, Object> spec = (Map<String, Object>) set.get("spec");
        assertThat(spec).containsOnlyKeys("network", "failurePolicy", "replicatedJobs");
        Map<String, Object> nodes = ((List<Map<String, Object>>) spec.get("replicatedJobs")).getFirst();
        assertThat(nodes).containsOnlyKeys("name", "replicas", "template");
        JobTemplateSpec job = read((Map<String, Object>) nodes.get("template"), JobTemplateSpec.class);
        PodSpec pod = job.getSpec().getTemplate().getSpec();
        int size = (Integer) nodes.get("replicas") * job.getSpec().getCompletions();
        assertThat(variable(pod, "QUERN_NODES")).isEqualTo(Integer.toString(size));
        String name = (String) ((Map<String, Object>) set.get("metadata")).get("name");
        String subdomain = (String) ((Map<String, Object>) spec.get("network")).get("subdomain");
        assertThat(variable(pod, "MASTER_ADDR"))
                .isEqualTo("%s-%s-0-0.%s".formatted(name, nodes.get("name"), subdomain));
        requireLocked(pod);
    }

    private static String variable(PodSpec pod, String name) {
        return pod.getContainers().getFirst().getEnv().stream()
                .filter(variable -> variable.getName().equals(name))
                .findFirst()
                .orElseThrow()
                .getValue();
    }

    /// No rights, nothing to write to but what is mounted, and every mount is of a volume that is there.
    private static void requireLocked(PodSpec pod) {
        var container = pod.getContainers().getFirst();
        assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
        assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
        assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
        assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
        assertThat(container.getVolumeMounts())
                .extracting(mount -> mount.getName())
                .containsExactlyInAnyOrderElementsOf(pod.getVolumes().stream()
                        .map(volume -> volume.getName())
                        .toList());
        assertThat(pod.getTerminationGracePeriodSeconds()).isGreaterThanOrEqualTo(120);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> parts(String file) throws IOException {
        Load load = new Load(LoadSettings.builder().setAllowDuplicateKeys(false).build());
        List<Map<String, Object>> parts = new ArrayList<>();
        load.loadAllFromString(Files.readString(FOLDER.resolve(file)))
                .forEach(part -> parts.add((Map<String, Object>) part));
        return parts;
    }

    /// Reads a manifest, and fails if there is a key that the type does not have: written again, it would be an
    /// additional property, which the model keeps beside its own.
    private static <T> T read(Map<String, Object> manifest, Class<T> type) {
        T value = MAPPER.convertValue(manifest, type);
        List<String> unknown = new ArrayList<>();
        findUnknown(value, type.getSimpleName(), unknown);
        assertThat(unknown).as("unknown keys").isEmpty();
        return value;
    }

    private static void findUnknown(Object value, String path, List<String> unknown) {
        switch (value) {
            case null -> {}
            case List<?> list -> list.forEach(each -> findUnknown(each, path + "[]", unknown));
            case Map<?, ?> map -> map.forEach((key, each) -> findUnknown(each, path + "." + key, unknown));
            default -> {
                if (!value.getClass().getName().startsWith("io.fabric8.kubernetes.api.model.")
                        || value instanceof Enum<?>) {
                    return;
                }
                for (var method : value.getClass().getMethods()) {
                    if (method.getParameterCount() != 0 || !method.getName().startsWith("get")) {
                        continue;
                    }
                    Object part;
                    try {
                        part = method.invoke(value);
                    } catch (ReflectiveOperationException e) {
                        throw new AssertionError(e);
                    }
                    if (method.getName().equals("getAdditionalProperties")) {
                        new TreeSet<>(((Map<?, ?>) part).keySet()).forEach(key -> unknown.add(path + "." + key));
                    } else {
                        findUnknown(part, path + "." + method.getName().substring(3), unknown);
                    }
                }
            }
        }
    }
}
