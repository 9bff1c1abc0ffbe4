package org.quern.ptx.syntax;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The registers that PTX predefines, with their types.
public final class SpecialRegisters {
    private static final Map<String, PtxType> TYPES = new HashMap<>();

    static {
        for (String name : List.of("tid", "ntid", "ctaid", "nctaid", "clusterid", "nclusterid")) {
            addAxes(name);
        }
        addAxes("cluster_ctaid");
        addAxes("cluster_nctaid");
        for (String name : List.of(
                "laneid",
                "warpid",
                "nwarpid",
                "smid",
                "nsmid",
                "lanemask_eq",
                "lanemask_le",
                "lanemask_lt",
                "lanemask_ge",
                "lanemask_gt",
                "clock",
                "clock_hi",
                "globaltimer_lo",
                "globaltimer_hi",
                "dynamic_smem_size",
                "total_smem_size",
                "cluster_ctarank",
                "cluster_nctarank")) {
            TYPES.put("%" + name, PtxType.U32);
        }
        for (String name : List.of("clock64", "globaltimer", "gridid")) {
            TYPES.put("%" + name, PtxType.U64);
        }
        TYPES.put("%is_explicit_cluster", PtxType.PRED);
    }

    private SpecialRegisters() {}

    private static void addAxes(String name) {
        for (String axis : List.of("x", "y", "z")) {
            TYPES.put("%" + name + "." + axis, PtxType.U32);
        }
    }

    /// The type of `%tid.x`; null if PTX predefines no such register.
    public static PtxType type(String name) {
        return TYPES.get(name);
    }
}
