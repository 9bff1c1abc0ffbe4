# PyTorch's side of `quern bench train`: the same model, batches and optimiser, compiled and eager. Takes the sizes as
# JSON, and prints a line of JSON for each way: {"way", "seconds": [of each step], "memory": bytes} or {"way", "error"}.
import gc
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as e:
    sys.exit(str(e))

asked = json.loads(sys.argv[1])
width, heads, key_value_heads, head_size = (asked[k] for k in ("hidden", "heads", "kv_heads", "head_size"))
length, gpt2, act = asked["length"], asked["architecture"] == "gpt2", asked["act"]
device = torch.device(asked["device"])
on_gpu = device.type == "cuda"
if on_gpu and not torch.cuda.is_available():
    sys.exit(f"torch {torch.__version__} finds no GPU that it can use")
norm = (lambda: nn.LayerNorm(width)) if gpt2 else (lambda: nn.RMSNorm(width))


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=gpt2)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = norm(), norm()
        self.qkv = linear(width, (heads + 2 * key_value_heads) * head_size)
        self.out = linear(heads * head_size, width)
        self.up = linear(width, asked["intermediate"] * (2 if act == "silu" else 1))
        self.down = linear(asked["intermediate"], width)

    def forward(self, x, cos, sin):
        batch = x.shape[0]
        sizes = [heads * head_size, key_value_heads * head_size, key_value_heads * head_size]
        q, k, v = (
            part.view(batch, length, -1, head_size).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(sizes, dim=-1)
        )
        if not gpt2:
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=key_value_heads < heads)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, -1))
        up = self.up(self.norm2(x))
        if act == "silu":
            gate, up = up.chunk(2, dim=-1)
            return x + self.down(F.silu(gate) * up)
        return x + self.down(F.gelu(up, approximate="tanh") if act == "gelu_tanh" else F.relu(up).square())


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(asked["vocabulary"], width)
        self.places = nn.Embedding(length, width) if gpt2 else None
        self.blocks = nn.ModuleList(Block() for _ in range(asked["layers"]))
        self.norm = norm()
        self.head = nn.Linear(width, asked["vocabulary"], bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        if asked["tied"]:
            self.head.weight = self.tokens.weight
        angles = torch.outer(
            torch.arange(length).float(), asked["theta"] ** -(torch.arange(0, head_size, 2).float() / head_size)
        )
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        if gpt2:
            x = x + self.places.weight
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.cross_entropy(self.head(self.norm(x)).float().flatten(0, 1), targets.flatten())


def measure(compiled):
    torch.manual_seed(1)
    model = Model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    called = torch.compile(model) if compiled else model
    ids = torch.randint(asked["vocabulary"], (asked["global_batch"], length + 1)).to(device)
    micro = asked["micro_batch"]
    seconds = []
    for _ in range(asked["steps"]):
        start = time.perf_counter()
        for first in range(0, asked["global_batch"], micro):
            batch = ids[first : first + micro]
            with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
                loss = called(batch[:, :-1], batch[:, 1:])
            (loss * (micro / asked["global_batch"])).backward()
        if asked["clip"]:
            nn.utils.clip_grad_norm_(model.parameters(), asked["clip"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    memory = torch.cuda.max_memory_allocated(device) if on_gpu else 0
    return {"seconds": seconds, "memory": memory}


def measure_what_fits(compiled):
    while True:
        try:
            return measure(compiled)
        except torch.cuda.OutOfMemoryError:
            if asked["micro_batch"] == 1:
                raise
        half = asked["micro_batch"] // 2
        asked["micro_batch"] = next(size for size in range(half, 0, -1) if asked["global_batch"] % size == 0)
        torch.compiler.reset()
        gc.collect()
        torch.cuda.empty_cache()


torch.set_float32_matmul_precision("high")
if asked["threads"]:
    torch.set_num_threads(asked["threads"])
print(json.dumps({"torch": torch.__version__}), flush=True)
for way in ("compiled", "eager"):
    try:
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        answer = measure_what_fits(way == "compiled")
    except Exception as error:  # out of memory, no compiler: the other way may work
        answer = {"error": (str(error).strip().splitlines() or [type(error).__name__])[0]}
    print(json.dumps({"way": way} | answer), flush=True)
    torch.compiler.reset()  # what was compiled keeps its model
    gc.collect()
