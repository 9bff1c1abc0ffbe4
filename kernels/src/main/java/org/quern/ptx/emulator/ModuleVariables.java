package org.quern.ptx.emulator;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Variable;
import org.quern.ptx.syntax.StateSpace;

/// The variables of a loaded module in global and constant memory.
final class ModuleVariables {
    final Map<String, Long> addresses = new HashMap<>();
    final ConstantSpace constants;
    private final List<Long> allocations = new ArrayList<>();

    ModuleVariables(PtxModule module, GlobalMemory memory) {
        ByteArrayOutputStream bank = new ByteArrayOutputStream();
        for (Variable variable : module.variables()) {
            byte[] content = Arrays.copyOf(variable.initial(), Math.toIntExact(variable.bytes()));
            if (variable.space() == StateSpace.GLOBAL) {
                long address = memory.allocate(variable.bytes());
                memory.write(address, MemorySegment.ofArray(content));
                allocations.add(address);
                addresses.put(variable.name(), address);
            } else if (variable.space() == StateSpace.CONSTANT) {
                while (bank.size() % variable.alignment() != 0) {
                    bank.write(0);
                }
                addresses.put(variable.name(), (long) bank.size());
                bank.writeBytes(content);
            }
        }
        constants = new ConstantSpace("constant", MemorySegment.ofArray(bank.toByteArray()));
    }

    void free(GlobalMemory memory) {
        allocations.forEach(memory::free);
    }
}
