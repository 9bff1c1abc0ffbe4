"""Times PyTorch's kernels on the shapes that `quern bench kernels --torch PYTHON` asks for.

    python bench_kernels.py [--device cuda:N|cpu]        needs torch

Reads a question a line from standard input, and answers each with a line:

    {"op": "matmul", "layout": "nt", "m": 1024, "n": 768, "k": 768, "epilogue": "bias", "seconds": 0.5}
    {"times": {"addmm": [1.21e-05, 1.2e-05, ...]}}

"times" are seconds a call, one a round, for each way in which PyTorch can do it; where it cannot, {"error": "..."}. The
first line of output says which PyTorch and which device. All tensors are bf16 unless said otherwise, filled with random
numbers; calls go round among copies of the tensors that together have more than twice the size of the L2 cache. Calls
are captured as CUDA graphs, so that the time of Python does not count; events of the device take the time.

The operations and their keys:

    matmul              layout nt: [m, k] [n, k]^T, nn: [m, k] [k, n], tn: [k, m]^T [k, n];
                        epilogue none, bias, gelu (of the sum with the bias), gelu_gradient (the product is the
                        gradient of GELU's result), residual (added) or accumulate (added to what is there, fp32)
    attention           batch, length, heads, kv_heads, head_size; causal; the flash and the cuDNN kernel
    attention_gradient  the same; of query, key and value
    layer_norm, rms_norm, add_layer_norm, add_rms_norm, layer_norm_gradient, rms_norm_gradient      rows, columns
    gelu, gelu_gradient, relu2, relu2_gradient                          count
    swiglu, swiglu_gradient                                             rows, columns (of the result)
    rope                rows, heads, head_size
    cross_entropy       rows, columns: loss and gradient of the logits
    embedding, embedding_gradient                                       rows, vocabulary, columns
    add                 count
    column_sum          rows, columns
    sum_of_squares      count, fp32
    adamw               count, fp32 weights, moments and gradients; the fused optimizer
    argmax              rows, columns
    sample              rows, columns, temperature, top_k (0: all), top_p (1: all): a column of each row, drawn
"""

import argparse
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel
except ImportError as e:
    sys.exit(str(e))

ROUNDS = 7
MAX_COPIES = 256


class Tensors:
    """Makes random tensors, and counts their bytes."""

    def __init__(self, device):
        self.device = device
        self.bytes = 0

    def __call__(self, *shape, dtype=torch.bfloat16, grad=False):
        tensor = torch.randn(*shape, device=self.device, dtype=dtype)
        self.bytes += tensor.nbytes
        return tensor.requires_grad_(grad)

    def ids(self, count, bound):
        self.bytes += 8 * count
        return torch.randint(bound, (count,), device=self.device)


def gradient(output, inputs, tensors):
    """Calls the backward pass of `output`."""
    output_gradient = tensors(*output.shape, dtype=output.dtype)
    return lambda: torch.autograd.grad(output, inputs, output_gradient, retain_graph=True)


def matmul(tensors, layout, m, n, k, epilogue="none"):
    a = tensors(k, m).T if layout == "tn" else tensors(m, k)
    b = tensors(n, k).T if layout == "nt" else tensors(k, n)
    out = tensors(m, n)
    if epilogue == "none":
        return {"mm": lambda: torch.mm(a, b, out=out)}
    if epilogue == "accumulate":
        total = tensors(m, n, dtype=torch.float32)

        def accumulate():
            return torch.addmm(total, a, b, out_dtype=torch.float32, out=total)

        try:
            accumulate()
        except (RuntimeError, TypeError):  # a GPU and PyTorch 2.8 can: the product alone
            return {"mm": lambda: torch.mm(a, b, out=out)}
        return {"addmm": accumulate}
    if epilogue == "residual":
        residual = tensors(m, n)
        return {"addmm": lambda: torch.addmm(residual, a, b, out=out)}
    if epilogue == "gelu_gradient":
        x = tensors(m, n)
        return {"mm, gelu": lambda: torch.ops.aten.gelu_backward(torch.mm(a, b, out=out), x, approximate="tanh")}
    bias = tensors(n)
    if epilogue == "bias":
        return {"addmm": lambda: torch.addmm(bias, a, b, out=out)}
    if epilogue == "gelu":
        return {"addmm, gelu": lambda: F.gelu(torch.addmm(bias, a, b, out=out), approximate="tanh")}
    raise ValueError(f"unknown epilogue {epilogue}")


def query_key_value(tensors, batch, length, heads, kv_heads, head_size, grad=False):
    query = tensors(batch, heads, length, head_size, grad=grad)
    key = tensors(batch, kv_heads, length, head_size, grad=grad)
    value = tensors(batch, kv_heads, length, head_size, grad=grad)
    return query, key, value


BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cuDNN": SDPBackend.CUDNN_ATTENTION}


def attend(backend, query, key, value):
    grouped = query.shape[1] != key.shape[1]
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)


def attention(tensors, **shape):
    inputs = query_key_value(tensors, **shape)
    return {name: lambda backend=backend: attend(backend, *inputs) for name, backend in BACKENDS.items()}


def attention_gradient(tensors, **shape):
    ways = {}
    inputs = query_key_value(tensors, **shape, grad=True)
    for name, backend in BACKENDS.items():
        try:
            ways[name] = gradient(attend(backend, *inputs), inputs, tensors)
        except RuntimeError:
            pass  # this build of PyTorch has no such kernel
    return ways


def layer_norm(tensors, rows, columns):
    x, weight, bias = tensors(rows, columns), tensors(columns), tensors(columns)
    return {"torch": lambda: F.layer_norm(x, (columns,), weight, bias)}


def add_layer_norm(tensors, rows, columns):
    x, branch, weight, bias = tensors(rows, columns), tensors(rows, columns), tensors(columns), tensors(columns)
    total = tensors(rows, columns)
    return {"add, norm": lambda: F.layer_norm(torch.add(x, branch, out=total), (columns,), weight, bias)}


def layer_norm_gradient(tensors, rows, columns):
    inputs = tensors(rows, columns, grad=True), tensors(columns, grad=True), tensors(columns, grad=True)
    return {"torch": gradient(F.layer_norm(inputs[0], (columns,), *inputs[1:]), inputs, tensors)}


def rms_norm(tensors, rows, columns):
    x, weight = tensors(rows, columns), tensors(columns)
    return {"torch": lambda: F.rms_norm(x, (columns,), weight, 1e-5)}


def add_rms_norm(tensors, rows, columns):
    x, branch, weight = tensors(rows, columns), tensors(rows, columns), tensors(columns)
    total = tensors(rows, columns)
    return {"add, norm": lambda: F.rms_norm(torch.add(x, branch, out=total), (columns,), weight, 1e-5)}


def rms_norm_gradient(tensors, rows, columns):
    inputs = tensors(rows, columns, grad=True), tensors(columns, grad=True)
    return {"torch": gradient(F.rms_norm(inputs[0], (columns,), inputs[1], 1e-5), inputs, tensors)}


def gelu(tensors, count):
    x = tensors(count)
    return {"torch": lambda: F.gelu(x, approximate="tanh")}


def gelu_gradient(tensors, count):
    x = tensors(count, grad=True)
    return {"torch": gradient(F.gelu(x, approximate="tanh"), [x], tensors)}


def relu2(tensors, count):
    x = tensors(count)
    return {"torch": lambda: F.relu(x).square()}


def relu2_gradient(tensors, count):
    x = tensors(count, grad=True)
    return {"torch": gradient(F.relu(x).square(), [x], tensors)}


def swiglu(tensors, rows, columns):
    x = tensors(rows, 2 * columns)
    gate, up = x.chunk(2, dim=1)
    return {"silu, mul": lambda: F.silu(gate) * up}


def swiglu_gradient(tensors, rows, columns):
    x = tensors(rows, 2 * columns, grad=True)
    gate, up = x.chunk(2, dim=1)
    return {"silu, mul": gradient(F.silu(gate) * up, [x], tensors)}


def rope(tensors, rows, heads, head_size):
    x = tensors(rows, heads, head_size)
    angles = tensors(rows, 1, head_size // 2, dtype=torch.float32)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    def rotate():
        first, second = x.chunk(2, dim=2)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=2)

    return {"torch": rotate}


def cross_entropy(tensors, rows, columns):
    logits = tensors(rows, columns, grad=True)
    targets = tensors.ids(rows, columns)
    return {"torch": lambda: torch.autograd.grad(F.cross_entropy(logits, targets), logits)}


def embedding(tensors, rows, vocabulary, columns):
    weight, ids = tensors(vocabulary, columns), tensors.ids(rows, vocabulary)
    return {"torch": lambda: F.embedding(ids, weight)}


def embedding_gradient(tensors, rows, vocabulary, columns):
    weight, ids = tensors(vocabulary, columns, grad=True), tensors.ids(rows, vocabulary)
    return {"torch": gradient(F.embedding(ids, weight), [weight], tensors)}


def add(tensors, count):
    a, b, out = tensors(count), tensors(count), tensors(count)
    return {"torch": lambda: torch.add(a, b, out=out)}


def column_sum(tensors, rows, columns):
    x = tensors(rows, columns)
    return {"torch": lambda: x.sum(0)}


def sum_of_squares(tensors, count):
    x = tensors(count, dtype=torch.float32)
    return {"torch": lambda: torch.linalg.vector_norm(x)}


def adamw(tensors, count):
    weight = tensors(count, dtype=torch.float32, grad=True)
    weight.grad = tensors(count, dtype=torch.float32)
    optimizer = torch.optim.AdamW(
        [weight], lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True, capturable=weight.is_cuda
    )
    optimizer.step()  # makes the moments
    tensors.bytes += 2 * weight.nbytes
    return {"torch": optimizer.step}


def argmax(tensors, rows, columns):
    logits = tensors(rows, columns)
    return {"torch": lambda: logits.argmax(1)}


def sample(tensors, rows, columns, temperature, top_k, top_p):
    logits = tensors(rows, columns)

    def draw():
        scores, ids = logits.float() / temperature, None
        if top_k > 0:
            scores, ids = scores.topk(top_k)
        if top_p < 1:
            scores, order = scores.sort(descending=True)
            ids = order if ids is None else ids.gather(1, order)
            before = scores.softmax(1).cumsum(1) - scores.softmax(1)
            scores = scores.masked_fill(before >= top_p, float("-inf"))
        drawn = torch.multinomial(scores.softmax(1), 1)
        return drawn if ids is None else ids.gather(1, drawn)

    return {"torch": draw}


OPERATIONS = {
    operation.__name__: operation
    for operation in [
        matmul, attention, attention_gradient, layer_norm, add_layer_norm, layer_norm_gradient,
        rms_norm, add_rms_norm, rms_norm_gradient,
        gelu, gelu_gradient, relu2, relu2_gradient, swiglu, swiglu_gradient, rope, cross_entropy,
        embedding, embedding_gradient, add, column_sum, sum_of_squares, adamw, argmax, sample,
    ]
}  # fmt: skip


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


class Clock:
    """Times calls on a device."""

    def __init__(self, device):
        self.device = device
        self.cuda = device.type == "cuda"
        self.cache = 2 * torch.cuda.get_device_properties(device).L2_cache_size if self.cuda else 0

    def copies(self, operation, shape):
        """Enough sets of tensors that one round among them leaves nothing in the cache: a list of calls a way."""
        sets = []
        tensors = Tensors(self.device)
        while not sets or tensors.bytes <= self.cache and len(sets) < MAX_COPIES:
            sets.append(operation(tensors, **shape))
        return {way: [each[way] for each in sets] for way in sets[0]}

    def times(self, calls, seconds):
        """Seconds a call, one a round."""
        work = self.captured(calls) if self.cuda else lambda: [call() for call in calls]
        work()
        once = self.measure(work, 1)
        repetitions = max(1, int(seconds / ROUNDS / once))
        self.measure(work, repetitions)
        return [self.measure(work, repetitions) / repetitions / len(calls) for _ in range(ROUNDS)]

    def captured(self, calls):
        """The calls as one CUDA graph."""
        for call in calls:
            call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                for call in calls:
                    call()
        except RuntimeError as e:
            print(f"not captured: {first_line(e)}", file=sys.stderr)
            return lambda: [call() for call in calls]
        return graph.replay

    def measure(self, work, repetitions):
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(repetitions):
                work()
            return time.perf_counter() - start
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repetitions):
            work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3


def answer(clock, question):
    seconds = question.pop("seconds", 0.5)
    operation = OPERATIONS[question.pop("op")]
    ways = clock.copies(operation, question)
    times, errors = {}, []
    for way, calls in ways.items():
        try:
            times[way] = clock.times(calls, seconds / len(ways))
        except (RuntimeError, TypeError) as e:  # such as: no kernel of this backend for this shape
            errors.append(f"{way}: {first_line(e)}")
    return {"times": times} if times else {"error": "; ".join(errors) or "no way to do it"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:N or cpu (default: cuda:0)")
    device = torch.device(parser.parse_args().device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit(f"torch {torch.__version__} finds no GPU that it can use")
    clock = Clock(device)
    name = torch.cuda.get_device_name(device) if clock.cuda else "cpu"
    print(json.dumps({"torch": torch.__version__, "device": name}), flush=True)
    if clock.cuda:
        torch.cuda.set_device(device)
        # Not the default stream, of which nothing can be captured; backward passes run where the forward one did.
        torch.cuda.set_stream(torch.cuda.Stream())
    for line in sys.stdin:
        try:
            result = answer(clock, json.loads(line))
        except (KeyError, TypeError, ValueError, RuntimeError) as e:
            result = {"error": f"{type(e).__name__}: {first_line(e)}"}
        print(json.dumps(result), flush=True)
        if clock.cuda:
            torch.cuda.synchronize()  # ends this process if the device does not work any more in it
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
