package org.quern.ptx.syntax;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.quern.ptx.syntax.Lexer.Kind;
import org.quern.ptx.syntax.Lexer.Token;
import org.quern.ptx.syntax.Operand.Immediate;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Parameter;
import org.quern.ptx.syntax.PtxModule.Register;
import org.quern.ptx.syntax.PtxModule.Variable;

/// Reads PTX: kernels without device functions, debugging sections and constant expressions.
///
/// Names are resolved while reading: registers, variables and parameters are declared before their use, labels
/// anywhere in the same or an outer block. Whether an instruction exists and what operands it takes is not
/// asked here.
public final class PtxParser {
    private static final Set<String> ENTRY_DIRECTIVES = Set.of(
            ".maxntid",
            ".reqntid",
            ".minnctapersm",
            ".maxnreg",
            ".maxclusterrank",
            ".explicitcluster",
            ".reqnctapercluster");
    private static final Pattern ARCHITECTURE = Pattern.compile("sm_[0-9]{1,4}[a-z]?");
    private static final int MAX_NESTING = 64;
    private static final int MAX_REGISTERS = 1 << 16;

    private final List<Token> tokens;
    private int at;

    private final Scope moduleScope = new Scope(null, 0);
    private final List<Variable> moduleVariables = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();

    /// Of the entry being read.
    private final Set<String> taken = new HashSet<>();

    private List<Register> registers = List.of();
    private List<Variable> variables = List.of();
    private List<Statement> body = List.of();

    /// What a block declares.
    private record Scope(Scope outer, int depth, Map<String, Declaration> names) {
        Scope(Scope outer, int depth) {
            this(outer, depth, new HashMap<>());
        }

        Declaration find(String name) {
            for (Scope scope = this; scope != null; scope = scope.outer) {
                Declaration found = scope.names.get(name);
                if (found != null) {
                    return found;
                }
            }
            return null;
        }
    }

    /// @param operand with the unique name
    private record Declaration(Operand operand, int line) {}

    private PtxParser(String text) {
        tokens = Lexer.tokens(text);
    }

    /// Reads a file.
    ///
    /// @throws PtxSyntaxException where the text is not PTX that this class reads
    public static PtxModule parse(String text) {
        return new PtxParser(text).module();
    }

    private PtxModule module() {
        expect(".version");
        String version = next(Kind.NUMBER, "a version").text();
        expect(".target");
        Token target = next(Kind.WORD, "an architecture");
        if (!ARCHITECTURE.matcher(target.text()).matches()) {
            throw target.unexpected("an architecture such as sm_80");
        }
        while (accept(",")) {
            next(Kind.WORD, "an option"); // such as debug
        }
        expect(".address_size");
        expect("64");
        while (peek().kind() != Kind.END) {
            while (peek().is(".visible") || peek().is(".weak")) {
                at++;
            }
            Token start = peek();
            if (accept(".entry")) {
                entries.add(entry());
            } else if (!pragma() && !variables(moduleScope, moduleVariables)) {
                throw start.unexpected("an .entry or a variable");
            }
        }
        return new PtxModule(version, target.text(), List.copyOf(moduleVariables), List.copyOf(entries));
    }

    private Entry entry() {
        Token name = next(Kind.WORD, "the kernel's name");
        declare(moduleScope, name, new Operand.Symbol(name.text(), 0));
        Scope scope = new Scope(moduleScope, 1);
        taken.clear();
        taken.addAll(moduleScope.names().keySet());
        registers = new ArrayList<>();
        variables = new ArrayList<>();
        body = new ArrayList<>();
        List<Parameter> parameters = new ArrayList<>();
        if (accept("(") && !accept(")")) {
            do {
                parameters.add(parameter(scope));
            } while (accept(","));
            expect(")");
        }
        Map<String, List<Integer>> directives = directives();
        expect("{");
        block(scope);
        return new Entry(
                name.text(),
                List.copyOf(parameters),
                directives,
                List.copyOf(registers),
                List.copyOf(variables),
                List.copyOf(body),
                name.line());
    }

    private Map<String, List<Integer>> directives() {
        Map<String, List<Integer>> directives = new LinkedHashMap<>();
        while (peek().kind() == Kind.DIRECTIVE) {
            if (pragma()) {
                continue;
            }
            if (!ENTRY_DIRECTIVES.contains(peek().text())) {
                throw peek().unexpected("a performance directive or '{'");
            }
            String name = tokens.get(at++).text().substring(1);
            List<Integer> values = new ArrayList<>();
            if (peek().kind() == Kind.NUMBER) {
                do {
                    values.add((int) size(Integer.MAX_VALUE));
                } while (accept(","));
            }
            directives.put(name, List.copyOf(values));
        }
        return Collections.unmodifiableMap(directives);
    }

    /// `.param .u64 out`, `.param .u64 .ptr .global .align 16 out` or `.param .align 64 .b8 map[128]`.
    private Parameter parameter(Scope scope) {
        expect(".param");
        int alignment = alignment();
        PtxType type = memoryType();
        if (accept(".ptr")) {
            for (String space : List.of(".global", ".shared", ".const", ".local")) {
                accept(space);
            }
            alignment(); // of what it points to
        }
        Token name = next(Kind.WORD, "the parameter's name");
        int elements = 1;
        if (accept("[")) {
            elements = (int) size(1 << 15);
            expect("]");
        }
        String unique = declareSymbol(scope, name);
        return new Parameter(unique, type, type.bytes() * elements, Math.max(alignment, type.bytes()));
    }

    /// What stands between braces; the opening one has been read.
    private void block(Scope scope) {
        if (scope.depth() > MAX_NESTING) {
            throw tokens.get(at - 1).unexpected("at most " + MAX_NESTING + " nested blocks");
        }
        declareLabels(scope);
        while (!accept("}")) {
            statement(scope);
        }
    }

    /// Labels may be used before they are reached.
    private void declareLabels(Scope scope) {
        int depth = 0;
        for (int i = at; depth >= 0 && tokens.get(i).kind() != Kind.END; i++) {
            Token token = tokens.get(i);
            if (token.is("{")) {
                depth++;
            } else if (token.is("}")) {
                depth--;
            } else if (depth == 0
                    && token.kind() == Kind.WORD
                    && tokens.get(i + 1).is(":")) {
                declareSymbol(scope, token);
            }
        }
    }

    private void statement(Scope scope) {
        Token start = peek();
        if (accept("{")) {
            block(new Scope(scope, scope.depth() + 1));
        } else if (accept(".reg")) {
            registers(scope);
        } else if (start.kind() == Kind.WORD && tokens.get(at + 1).is(":")) {
            at += 2;
            label(scope, start);
        } else if (start.kind() == Kind.WORD || start.is("@")) {
            instruction(scope);
        } else if (!pragma() && !variables(scope, variables)) {
            throw start.unexpected("a statement");
        }
    }

    private void label(Scope scope, Token token) {
        String name = symbol(scope, token);
        if (!accept(".branchtargets")) {
            body.add(new Statement.Label(name, token.line()));
            return;
        }
        List<String> labels = new ArrayList<>();
        do {
            labels.add(symbol(scope, next(Kind.WORD, "a label")));
        } while (accept(","));
        expect(";");
        body.add(new Statement.BranchTargets(name, List.copyOf(labels), token.line()));
    }

    private void instruction(Scope scope) {
        int line = peek().line();
        Operand.Register guard = null;
        if (accept("@")) {
            guard = register(scope, accept("!"));
        }
        Token opcode = next(Kind.WORD, "an opcode");
        List<String> modifiers = new ArrayList<>();
        while (peek().kind() == Kind.DIRECTIVE) {
            modifiers.add(tokens.get(at++).text().substring(1));
        }
        List<Operand> operands = new ArrayList<>();
        if (!peek().is(";")) {
            do {
                operands.add(operand(scope));
            } while (accept(","));
        }
        expect(";");
        body.add(new Statement.Instruction(
                guard == null ? null : guard.name(),
                guard != null && guard.negated(),
                opcode.text(),
                List.copyOf(modifiers),
                List.copyOf(operands),
                line));
    }

    private Operand operand(Scope scope) {
        if (accept("{")) {
            return new Operand.Vector(elements(scope));
        }
        if (accept("[")) {
            return address(scope);
        }
        if (accept("!")) {
            return register(scope, true);
        }
        Operand operand = simple(scope);
        return accept("|") ? new Operand.Pair(operand, simple(scope)) : operand;
    }

    /// The opening brace has been read.
    private List<Operand> elements(Scope scope) {
        List<Operand> elements = new ArrayList<>();
        do {
            elements.add(simple(scope));
        } while (accept(","));
        expect("}");
        return List.copyOf(elements);
    }

    /// The opening bracket has been read.
    private Operand address(Scope scope) {
        Operand base = simple(scope);
        long offset = offset();
        if (base instanceof Operand.Symbol symbol) {
            offset += symbol.offset();
            base = new Operand.Symbol(symbol.name(), 0);
        }
        List<Operand> coordinates = List.of();
        if (accept(",")) {
            expect("{");
            coordinates = elements(scope);
        }
        expect("]");
        return new Operand.Address(base, offset, coordinates);
    }

    private Operand simple(Scope scope) {
        Token token = peek();
        if (token.kind() != Kind.WORD) {
            return immediate("an operand");
        }
        at++;
        if (token.is("_")) {
            return new Operand.Sink();
        }
        if (token.is("WARP_SZ")) {
            return new Immediate(32, Immediate.Kind.INTEGER);
        }
        Operand operand = resolve(scope, token);
        return operand instanceof Operand.Symbol symbol ? new Operand.Symbol(symbol.name(), offset()) : operand;
    }

    /// `+16`, `-16`, `+-16` or nothing.
    private long offset() {
        if (accept("+")) {
            return integer("an offset");
        }
        return peek().is("-") ? integer("an offset") : 0;
    }

    private Operand.Register register(Scope scope, boolean negated) {
        Token token = next(Kind.WORD, "a predicate register");
        if (resolve(scope, token) instanceof Operand.Register register) {
            return new Operand.Register(register.name(), negated);
        }
        throw token.unexpected("a predicate register");
    }

    private String symbol(Scope scope, Token token) {
        if (resolve(scope, token) instanceof Operand.Symbol symbol) {
            return symbol.name();
        }
        throw token.unexpected("a label");
    }

    private Operand resolve(Scope scope, Token token) {
        if (SpecialRegisters.type(token.text()) != null) {
            return new Operand.Register(token.text(), false);
        }
        Declaration found = scope.find(token.text());
        if (found == null) {
            throw token.unexpected("a declared register, variable, parameter or label");
        }
        return found.operand();
    }

    /// `.b32 a, b, r<8>;` makes a, b, r0 to r7.
    private void registers(Scope scope) {
        PtxType type = type();
        do {
            Token name = next(Kind.WORD, "a register's name");
            if (accept("<")) {
                long count = size(MAX_REGISTERS);
                expect(">");
                for (int i = 0; i < count; i++) {
                    declareRegister(scope, new Token(Kind.WORD, name.text() + i, name.line(), name.column()), type);
                }
            } else {
                declareRegister(scope, name, type);
            }
        } while (accept(","));
        expect(";");
    }

    private void declareRegister(Scope scope, Token name, PtxType type) {
        String unique = unique(name.text());
        declare(scope, name, new Operand.Register(unique, false));
        registers.add(new Register(unique, type));
    }

    private String declareSymbol(Scope scope, Token name) {
        String unique = unique(name.text());
        declare(scope, name, new Operand.Symbol(unique, 0));
        return unique;
    }

    private void declare(Scope scope, Token name, Operand operand) {
        if (SpecialRegisters.type(name.text()) != null || name.is("_") || name.is("WARP_SZ")) {
            throw name.unexpected("a name that PTX does not define");
        }
        Declaration earlier = scope.names().putIfAbsent(name.text(), new Declaration(operand, name.line()));
        if (earlier != null) {
            throw name.unexpected("a name other than those of line " + earlier.line());
        }
    }

    private String unique(String name) {
        String unique = name;
        for (int i = 2; !taken.add(unique); i++) {
            unique = name + "#" + i;
        }
        return unique;
    }

    /// Variables of one type, if such a declaration comes next.
    private boolean variables(Scope scope, List<Variable> into) {
        boolean external = accept(".extern");
        StateSpace space = switch (peek().text()) {
            case ".global" -> StateSpace.GLOBAL;
            case ".shared", ".shared::cta" -> StateSpace.SHARED;
            case ".local" -> StateSpace.LOCAL;
            case ".const" -> StateSpace.CONSTANT;
            default -> null;
        };
        if (space == null) {
            return false;
        }
        at++;
        int alignment = alignment();
        PtxType type = memoryType();
        do {
            Token name = next(Kind.WORD, "a variable's name");
            long elements = 1;
            boolean open = false;
            while (accept("[")) {
                if (accept("]")) {
                    open = true;
                } else {
                    elements *= size((1L << 40) / elements);
                    expect("]");
                }
            }
            byte[] initial = accept("=") ? initial(type, open ? Long.MAX_VALUE : elements) : new byte[0];
            long bytes = open ? initial.length : elements * type.bytes();
            if (bytes == 0 && !(external && space == StateSpace.SHARED)) {
                throw name.unexpected("a variable with a size");
            }
            into.add(new Variable(
                    space,
                    declareSymbol(scope, name),
                    type,
                    bytes,
                    Math.max(alignment, type.bytes()),
                    initial,
                    name.line()));
        } while (accept(","));
        expect(";");
        return true;
    }

    /// `{1, 2, 3}` or a single value, as bytes.
    private byte[] initial(PtxType type, long most) {
        List<Immediate> values = new ArrayList<>();
        if (accept("{")) {
            do {
                if (values.size() == most) {
                    throw peek().unexpected("at most " + most + " values");
                }
                values.add(immediate("a value"));
            } while (accept(","));
            expect("}");
        } else {
            values.add(immediate("a value"));
        }
        int size = type.bytes();
        byte[] bytes = new byte[values.size() * size];
        for (int i = 0; i < bytes.length; i++) {
            long bits = bits(values.get(i / size), type);
            bytes[i] = (byte) (bits >> 8 * (i % size));
        }
        return bytes;
    }

    /// A decimal fraction becomes an `f32` where one is declared.
    private static long bits(Immediate value, PtxType type) {
        return value.kind() == Immediate.Kind.FLOAT64 && type == PtxType.F32
                ? Float.floatToRawIntBits((float) Double.longBitsToDouble(value.bits()))
                : value.bits();
    }

    private int alignment() {
        if (!accept(".align")) {
            return 1;
        }
        Token token = peek();
        long alignment = size(1 << 15);
        if (Long.bitCount(alignment) != 1) {
            throw token.unexpected("a power of two");
        }
        return (int) alignment;
    }

    private PtxType memoryType() {
        Token token = peek();
        PtxType type = type();
        if (type.bytes() == 0 || type.bytes() > Long.BYTES) {
            throw token.unexpected("a type of 1 to 8 bytes");
        }
        return type;
    }

    private PtxType type() {
        Token token = next(Kind.DIRECTIVE, "a type");
        for (PtxType type : PtxType.values()) {
            if (token.text().substring(1).equals(type.text())) {
                return type;
            }
        }
        throw token.unexpected("a type");
    }

    /// A count of at least one.
    private long size(long most) {
        Token token = peek();
        long size = integer("a size");
        if (size < 1 || size > most) {
            throw token.unexpected("a size of 1 to " + most);
        }
        return size;
    }

    private long integer(String expected) {
        Token token = peek();
        Immediate value = immediate(expected);
        if (value.kind() != Immediate.Kind.INTEGER) {
            throw token.unexpected(expected);
        }
        return value.bits();
    }

    private Immediate immediate(String expected) {
        boolean negative = accept("-");
        Token token = next(Kind.NUMBER, expected);
        String text = token.text().toLowerCase(Locale.ROOT);
        if (text.startsWith("0f")) {
            int bits = Integer.parseUnsignedInt(text.substring(2), 16);
            return new Immediate(
                    Integer.toUnsignedLong(negative ? bits ^ Integer.MIN_VALUE : bits), Immediate.Kind.FLOAT32);
        }
        if (text.startsWith("0d")) {
            long bits = Long.parseUnsignedLong(text.substring(2), 16);
            return new Immediate(negative ? bits ^ Long.MIN_VALUE : bits, Immediate.Kind.FLOAT64);
        }
        boolean hexadecimal = text.startsWith("0x");
        if (!hexadecimal && (text.contains(".") || text.contains("e"))) {
            double value = Double.parseDouble(text);
            return new Immediate(Double.doubleToRawLongBits(negative ? -value : value), Immediate.Kind.FLOAT64);
        }
        String digits = text.endsWith("u") ? text.substring(0, text.length() - 1) : text;
        int radix = hexadecimal ? 16 : digits.startsWith("0b") ? 2 : digits.startsWith("0") ? 8 : 10;
        BigInteger value;
        try {
            value = new BigInteger(radix == 16 || radix == 2 ? digits.substring(2) : digits, radix);
        } catch (NumberFormatException e) { // an 8 or 9 in an octal number
            throw token.unexpected(expected);
        }
        if (value.bitLength() > Long.SIZE) {
            throw token.unexpected("an integer of at most 64 bits");
        }
        return new Immediate(negative ? -value.longValue() : value.longValue(), Immediate.Kind.INTEGER);
    }

    /// Pragmas are hints to the assembler.
    private boolean pragma() {
        if (!accept(".pragma")) {
            return false;
        }
        next(Kind.STRING, "a string");
        expect(";");
        return true;
    }

    private Token peek() {
        return tokens.get(at);
    }

    private Token next(Kind kind, String expected) {
        Token token = peek();
        if (token.kind() != kind) {
            throw token.unexpected(expected);
        }
        at++;
        return token;
    }

    private void expect(String text) {
        if (!accept(text)) {
            throw peek().unexpected("'" + text + "'");
        }
    }

    private boolean accept(String text) {
        if (peek().is(text)) {
            at++;
            return true;
        }
        return false;
    }
}
