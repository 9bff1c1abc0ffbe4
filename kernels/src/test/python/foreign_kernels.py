"""Makes the kernels of src/test/resources/ptx/foreign: what Triton makes of the programs below.

They are text that no one of this project wrote instruction by instruction, by a compiler whose output runs on GPUs
every day: descriptors, swizzles, fragments and barriers as it understands them. ForeignKernelsTest runs them on the
emulator. No GPU is needed:

    pip install triton==3.8.0 numpy
    python kernels/src/test/python/foreign_kernels.py kernels/src/test/resources/ptx/foreign
"""

import os
import pathlib
import re
import sys

os.environ["TRITON_DISABLE_LINE_INFO"] = "1"  # which would name files of this machine

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon._runtime import GluonASTSource
from triton.experimental.gluon.language.nvidia.hopper import (
    cluster,
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)

VERSION = "3.8.0"


@triton.jit
def matmul(a, b, c, m, n, k, TILE_M: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, B_ROWS: tl.constexpr):
    """C = A B, rows one after the other, n and k multiples of 16; with B_ROWS, B is given as n x k."""
    rows = tl.program_id(0) * TILE_M + tl.arange(0, TILE_M)
    columns = tl.program_id(1) * TILE_N + tl.arange(0, TILE_N)
    sum = tl.zeros((TILE_M, TILE_N), tl.float32)
    for start in range(0, k, TILE_K):
        depth = start + tl.arange(0, TILE_K)
        left = tl.load(a + rows[:, None] * k + depth[None, :], mask=(rows[:, None] < m) & (depth[None, :] < k), other=0.0)
        at = columns[None, :] * k + depth[:, None] if B_ROWS else depth[:, None] * n + columns[None, :]
        right = tl.load(b + at, mask=(depth[:, None] < k) & (columns[None, :] < n), other=0.0)
        sum = tl.dot(left, right, sum)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(c + rows[:, None] * n + columns[None, :], sum, mask=inside)


@triton.jit
def attention(q, k, v, o, length, scale, TILE: tl.constexpr, SIZE: tl.constexpr):
    """Causal attention of one head; scale contains log2 e."""
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.arange(0, TILE)
    channels = tl.arange(0, SIZE)
    query = tl.load(q + rows[:, None] * SIZE + channels[None, :], mask=rows[:, None] < length, other=0.0)
    most = tl.full((TILE,), -1e30, tl.float32)
    total = tl.zeros((TILE,), tl.float32)
    sum = tl.zeros((TILE, SIZE), tl.float32)
    for start in range(0, tl.program_id(0) * TILE + TILE, TILE):
        keys = start + columns
        at = keys[:, None] * SIZE + channels[None, :]
        key = tl.load(k + at, mask=keys[:, None] < length, other=0.0)
        score = tl.dot(query, key.T) * scale
        score = tl.where((keys[None, :] <= rows[:, None]) & (keys[None, :] < length), score, -1e30)
        larger = tl.maximum(most, tl.max(score, 1))
        p = tl.exp2(score - larger[:, None])
        shrink = tl.exp2(most - larger)
        total = total * shrink + tl.sum(p, 1)
        value = tl.load(v + at, mask=keys[:, None] < length, other=0.0)
        sum = tl.dot(p.to(tl.bfloat16), value, sum * shrink[:, None])
        most = larger
    tl.store(o + rows[:, None] * SIZE + channels[None, :], sum / total[:, None], mask=rows[:, None] < length)


@gluon.jit
def load_tiles(a, b, a_tiles, b_tiles, full, empty, m, n, k, TILE_M: gl.constexpr, TILE_N: gl.constexpr, TILE_K: gl.constexpr, STAGES: gl.constexpr):
    across = gl.cdiv(n, TILE_N)
    i = 0
    for tile in range(gl.program_id(0), gl.cdiv(m, TILE_M) * across, gl.num_programs(0)):
        for depth in range(0, k, TILE_K):
            stage = i % STAGES
            mbarrier.wait(empty.index(stage), (i // STAGES + 1) & 1)
            mbarrier.expect(full.index(stage), a.nbytes_per_cta + b.nbytes_per_cta)
            tma.async_load(a, [tile // across * TILE_M, depth], full.index(stage), a_tiles.index(stage))
            tma.async_load(b, [depth, tile % across * TILE_N], full.index(stage), b_tiles.index(stage))
            i += 1


@gluon.jit
def multiply_tiles(c, a_tiles, b_tiles, c_tile, full, empty, m, n, k, TILE_M: gl.constexpr, TILE_N: gl.constexpr, TILE_K: gl.constexpr, STAGES: gl.constexpr, ADD: gl.constexpr, LAYOUT: gl.constexpr):
    across = gl.cdiv(n, TILE_N)
    i = 0
    for tile in range(gl.program_id(0), gl.cdiv(m, TILE_M) * across, gl.num_programs(0)):
        sum = gl.zeros((TILE_M, TILE_N), gl.float32, layout=LAYOUT)
        for depth in range(0, k, TILE_K):
            stage = i % STAGES
            mbarrier.wait(full.index(stage), (i // STAGES) & 1)
            sum = warpgroup_mma(a_tiles.index(stage), b_tiles.index(stage), sum, is_async=True)
            sum = warpgroup_mma_wait(0, deps=(sum,))
            mbarrier.arrive(empty.index(stage), count=1)
            i += 1
        tma.store_wait(0)
        c_tile.store(sum.to(c_tile.dtype))
        fence_async_shared()
        if ADD:
            tma.async_atomic_add(c, [tile // across * TILE_M, tile % across * TILE_N], c_tile)
        else:
            tma.async_store(c, [tile // across * TILE_M, tile % across * TILE_N], c_tile)
    tma.store_wait(0)


@gluon.jit
def specialised(a, b, c, m, n, k, TILE_M: gl.constexpr, TILE_N: gl.constexpr, TILE_K: gl.constexpr, STAGES: gl.constexpr, ADD: gl.constexpr, LAYOUT: gl.constexpr):
    """C = A B or C += A B by blocks that go from tile to tile: one warp copies, four multiply."""
    a_tiles = gl.allocate_shared_memory(a.dtype, [STAGES, TILE_M, TILE_K], a.layout)
    b_tiles = gl.allocate_shared_memory(b.dtype, [STAGES, TILE_K, TILE_N], b.layout)
    c_tile = gl.allocate_shared_memory(c.dtype, [TILE_M, TILE_N], c.layout)
    full = mbarrier.allocate_mbarrier(batch=STAGES)
    empty = mbarrier.allocate_mbarrier(batch=STAGES)
    for stage in gl.static_range(STAGES):
        mbarrier.init(full.index(stage), count=1)
        mbarrier.init(empty.index(stage), count=1)
    fence_async_shared()
    gl.warp_specialize(
        [
            (multiply_tiles, (c, a_tiles, b_tiles, c_tile, full, empty, m, n, k, TILE_M, TILE_N, TILE_K, STAGES, ADD, LAYOUT)),
            (load_tiles, (a, b, a_tiles, b_tiles, full, empty, m, n, k, TILE_M, TILE_N, TILE_K, STAGES)),
        ],
        [1],
        [24],
    )


@gluon.jit
def clustered(a, b, c, m, n, k, TILE_M: gl.constexpr, TILE_N: gl.constexpr, TILE_K: gl.constexpr, LAYOUT: gl.constexpr):
    """C = A B transposed by clusters of two blocks: each has half of the rows of A's tile, both have B's tile."""
    a_tile = gl.allocate_shared_memory(a.dtype, [TILE_M, TILE_K], a.layout)
    b_tile = gl.allocate_shared_memory(b.dtype, [TILE_N, TILE_K], b.layout)
    c_tile = gl.allocate_shared_memory(c.dtype, [TILE_M, TILE_N], c.layout)
    full = mbarrier.allocate_mbarrier()
    mbarrier.init(full, count=1)
    mbarrier.fence_init_release_cluster()
    cluster.barrier(relaxed=True)
    row = gl.program_id(0) * TILE_M
    column = gl.program_id(1) * TILE_N
    sum = gl.zeros((TILE_M, TILE_N), gl.float32, layout=LAYOUT)
    phase = 0
    for depth in range(0, k, TILE_K):
        mbarrier.expect(full, a.nbytes_per_cta + b.nbytes_per_cta)
        tma.async_load(a, [row, depth], full, a_tile)
        tma.async_load(b, [column, depth], full, b_tile, multicast=True)
        mbarrier.wait(full, phase)
        sum = warpgroup_mma(a_tile, b_tile.permute((1, 0)), sum, is_async=True)
        sum = warpgroup_mma_wait(0, deps=(sum,))
        phase ^= 1
        cluster.barrier()
    c_tile.store(sum.to(c_tile.dtype))
    fence_async_shared()
    tma.async_store(c, [row, column], c_tile)
    tma.store_wait(0)


def write(folder, name, architecture, source, function, signature, constants, **options):
    arguments = function.arg_names
    multiples = [a for a in arguments if signature.get(a, "").startswith("*") or a in "nk" and signature.get(a) == "i32"]
    aligned = {(arguments.index(a),): [["tt.divisibility", 16]] for a in multiples}
    kernel = triton.compile(
        source(
            fn=function,
            signature={a: signature.get(a, "constexpr") for a in arguments},
            constexprs={(arguments.index(a),): value for a, value in constants.items()},
            attrs=aligned,
        ),
        target=GPUTarget("cuda", architecture, 32),
        options=options,
    )
    text = re.sub(r"[ \t]*//[^\n]*", "", kernel.asm["ptx"])
    text = "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
    head = f"// Made by Triton {triton.__version__} of src/test/python/foreign_kernels.py, {function.__name__}; comments left out.\n"
    head += f"// {kernel.metadata.shared} bytes of dynamic shared memory.\n"
    (folder / f"{name}.sm_{architecture}.ptx").write_text(head + text + "\n")
    for map in kernel.metadata.tensordesc_meta or []:
        print(name, map)


def main(folder):
    if triton.__version__ != VERSION:
        raise SystemExit(f"this is for Triton {VERSION}: got {triton.__version__}")
    pointers = {"a": "*bf16", "b": "*bf16", "c": "*fp32", "m": "i32", "n": "i32", "k": "i32"}
    small = {"TILE_M": 64, "TILE_N": 64, "TILE_K": 32}
    write(folder, "matmul", 80, ASTSource, matmul, pointers, small | {"B_ROWS": False}, num_warps=4, num_stages=3)
    bytes8 = pointers | {"a": "*fp8e4nv", "b": "*fp8e4nv"}
    write(folder, "matmul_fp8", 90, ASTSource, matmul, bytes8, {"TILE_M": 64, "TILE_N": 64, "TILE_K": 64, "B_ROWS": True}, num_warps=4, num_stages=3)
    heads = {"q": "*bf16", "k": "*bf16", "v": "*bf16", "o": "*fp32", "length": "i32", "scale": "fp32"}
    write(folder, "attention", 90, ASTSource, attention, heads, {"TILE": 64, "SIZE": 64}, num_warps=4, num_stages=2)

    def layout(shape, type, blocks=None):
        return gl.NVMMASharedLayout.get_default_for(list(shape), type, cga_layout=blocks)

    def tensor(shape, name, layout):
        return f"tensordesc<{name}[{', '.join(map(str, shape))}],{layout!r}>"

    def maps(a, b, c, add):
        type, name = (gl.float32, "fp32") if add else (gl.bfloat16, "bf16")
        return {
            "a": tensor(a[0], "bf16", layout(a[0], gl.bfloat16, a[1])),
            "b": tensor(b[0], "bf16", layout(b[0], gl.bfloat16, b[1])),
            "c": tensor(c[0], name, layout(c[0], type, c[1])),
            "m": "i32",
            "n": "i32",
            "k": "i32",
        }

    for name, tile, add in (("matmul_specialised", (64, 128, 64), False), ("matmul_adding", (64, 64, 32), True)):
        m, n, k = tile
        constants = {"TILE_M": m, "TILE_N": n, "TILE_K": k, "STAGES": 3, "ADD": add}
        constants["LAYOUT"] = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, n, 16])
        write(folder, name, 90, GluonASTSource, specialised, maps(((m, k), None), ((k, n), None), ((m, n), None), add), constants, num_warps=4)
    m, n, k = 128, 64, 64
    constants = {"TILE_M": m, "TILE_N": n, "TILE_K": k}
    constants["LAYOUT"] = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, n, 16], cga_layout=[[1, 0]])
    write(folder, "matmul_clustered", 90, GluonASTSource, clustered, maps(((m, k), [[1, 0]]), ((n, k), [[0, 0]]), ((m, n), [[1, 0]]), False), constants, num_warps=4, num_ctas=2)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
