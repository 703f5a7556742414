"""PyTorch on a GPU beside `regimen bench`: GPT-2 124M pre-training, compiled, bfloat16 autocast, fused AdamW.

    python3 tests/bench/gpu_peers.py --batch 32 --context 1024 --steps 20

Prints one JSON object; the time of a step is the median. The forms are those of Radford et al. 2019.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.output = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2)
                   for p in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self, vocabulary, context, layers=12, heads=12, channels=768):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(vocabulary, channels), nn.Embedding(context, channels)
        self.blocks = nn.ModuleList(Block(channels, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, vocabulary, bias=False)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for name, value in (("batch", 32), ("context", 1024), ("steps", 20), ("vocabulary", 50257)):
        arguments.add_argument("--" + name, type=int, default=value)
    a = arguments.parse_args()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    model = Gpt2(a.vocabulary, a.context).cuda()
    compiled = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, fused=True)
    times = []
    for step in range(a.steps + 8):
        row = torch.randint(0, a.vocabulary, (a.batch, a.context + 1), device="cuda")
        torch.cuda.synchronize()
        begin = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = compiled(row[:, :-1].contiguous(), row[:, 1:].contiguous())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        if step >= 8:
            times.append(time.perf_counter() - begin)
    seconds = statistics.median(times)
    print(json.dumps({"work": f"gpt2-124m {a.batch}x{a.context} vocabulary {a.vocabulary}",
                      "peer": f"torch {torch.__version__} compile", "device": torch.cuda.get_device_name(),
                      "tokens_per_second": round(a.batch * a.context / seconds), "step_ms": round(1000 * seconds, 2),
                      "peak_memory_bytes": torch.cuda.max_memory_allocated(),
                      "held_memory_bytes": torch.cuda.max_memory_reserved()}))


main()
