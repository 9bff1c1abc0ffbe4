"""A rank that sums with others by Gloo: RANK WORLD PORT. Each line of its input, "BYTES ITERATIONS", is a question."""

import json
import os
import sys
import time

import torch
import torch.distributed as dist

WARM_UPS = 3

rank, world, port = map(int, sys.argv[1:])
os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
if rank == 0:
    print(json.dumps({"version": f"torch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    size, iterations = map(int, line.split())
    data = torch.zeros(size // 4)
    seconds = []
    for i in range(WARM_UPS + iterations):
        dist.barrier()
        began = time.perf_counter()
        dist.all_reduce(data)
        if i >= WARM_UPS:
            seconds.append(time.perf_counter() - began)
    if rank == 0:
        print(json.dumps({"seconds": seconds}), flush=True)
dist.destroy_process_group()
