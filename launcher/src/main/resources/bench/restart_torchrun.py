# A worker of torchrun for `quern bench restart`: prints a line when it starts and one after each step.
# trivial: imports nothing and waits 10 ms a step. model: a GPT of the same size as Quern's, DistributedDataParallel
# over Gloo, and a checkpoint every 20 steps that it goes on from.
import os
import sys
import time


def say(event):
    # In one piece, wherever it is killed.
    os.write(1, f"{event} {os.environ['RANK']} {os.getpid()}\n".encode())


say("main")
if sys.argv[1] == "trivial":
    while True:
        time.sleep(0.01)
        say("step")

import torch
from torch import nn

HIDDEN, LAYERS, HEADS, VOCABULARY, LENGTH, BATCH = (int(word) for word in sys.argv[2:8])
CHECKPOINT = sys.argv[8]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)
        self.qkv, self.out = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.up, self.down = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = (
            part.view(batch, length, HEADS, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, HIDDEN))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(LENGTH, HIDDEN)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(HIDDEN)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(LENGTH))
        return self.norm(self.blocks(x)) @ self.tokens.weight.T


torch.set_num_threads(1)
torch.manual_seed(int(os.environ["RANK"]))
torch.distributed.init_process_group("gloo")
model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
if os.path.exists(CHECKPOINT):
    state = torch.load(CHECKPOINT)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
parallel = nn.parallel.DistributedDataParallel(model)
step = 0
while True:
    ids = torch.randint(VOCABULARY, (BATCH // int(os.environ["WORLD_SIZE"]), LENGTH + 1))
    logits = parallel(ids[:, :-1])
    nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()
    step += 1
    if step % 20 == 0 and os.environ["RANK"] == "0":
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, CHECKPOINT + ".new")
        os.replace(CHECKPOINT + ".new", CHECKPOINT)
    say("step")
