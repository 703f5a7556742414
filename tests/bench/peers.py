#!/usr/bin/env python3
"""The same training steps here and in PyTorch, eager and compiled, alternating on one machine.

    python3 tests/bench/peers.py                       # all works, three rounds
    python3 tests/bench/peers.py --only char --rounds 5

Installs the newest PyTorch into build/peers/ on its first run; nothing of Regimen needs it. Every round runs
`regimen bench` and each peer as a process of its own, for --seconds of steps after two that do not count. Printed are
the medians over the rounds, the ratio of each round's figures, and the versions.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKS = {  # name: pipeline, --set, and what the peer needs to know of them
    "char": ("configs/bench/char.yaml", [], dict(layers=4, heads=4, channels=128, vocabulary=65, batch=12, tokens=64)),
    "gpt2-124m-4x64": ("configs/bench/gpt2-124m.yaml", [],
                       dict(layers=12, heads=12, channels=768, vocabulary=50257, batch=4, tokens=64)),
    "gpt2-124m-2x512": ("configs/bench/gpt2-124m.yaml", ["model.context=512", "batch=2"],
                        dict(layers=12, heads=12, channels=768, vocabulary=50257, batch=2, tokens=512)),
}
UNMEASURED_STEPS, MEASURED_STEPS = 2, 5


def train_in_torch(compiled, seconds, layers, heads, channels, vocabulary, batch, tokens):
    """What a user of PyTorch would write: fused attention, fused AdamW, clipping at 1."""
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
            self.qkv, self.output = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
            self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

        def forward(self, x):
            B, T, C = x.shape
            q, k, v = (y.view(B, T, heads, C // heads).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(C, 2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
            x = x + self.output(y)
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(vocabulary, channels), nn.Embedding(tokens, channels)
            self.blocks, self.norm = nn.ModuleList(Block() for _ in range(layers)), nn.LayerNorm(channels)
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p, std=0.02)

        def forward(self, x, targets):
            y = self.words(x) + self.places.weight
            for block in self.blocks:
                y = block(y)
            logits = F.linear(self.norm(y), self.words.weight)
            return F.cross_entropy(logits.view(-1, vocabulary), targets.reshape(-1))

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, fused=True)
    step_of = torch.compile(model) if compiled else model
    text = torch.randint(0, min(vocabulary, 65), (1000, tokens + 1))
    took, begin = [], None
    while len(took) < UNMEASURED_STEPS + MEASURED_STEPS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        begin = begin if begin or len(took) < UNMEASURED_STEPS else start
        rows = text[torch.randint(0, len(text), (batch,))]
        loss = step_of(rows[:, :-1], rows[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        took.append(time.perf_counter() - start)
    step = statistics.median(took[UNMEASURED_STEPS:])
    return {"step_ms": step * 1e3, "tokens_per_second": batch * tokens / step,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "version": torch.__version__}


def python_with_torch():
    """Of build/peers; made and filled on the first run."""
    folder = ROOT / "build" / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch"], check=True)
    return python


def answer_of(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(str(c) for c in command)}\n{done.stderr}")
    return json.loads(done.stdout)


def compare(name, program, python, rounds, seconds):
    pipeline, sets, shape = WORKS[name]
    commands = {"regimen": [program, "bench", pipeline, "--seconds", seconds]}
    for value in sets:
        commands["regimen"] += ["--set", f"stages.base.{value}"]
    for kind in ("eager", "compiled"):
        commands[f"torch {kind}"] = [python, __file__, "--worker", kind, "--only", name, "--seconds", seconds]
    found = {who: [] for who in commands}
    for _ in range(rounds):
        for who, command in commands.items():
            found[who].append(answer_of(command))
    print(f"\n{name}: {shape}\n| | step ms | tokens/s | peak MB | time against regimen |\n|---|---|---|---|---|")
    for who, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs)
                  for key in ("step_ms", "tokens_per_second", "peak_memory_bytes")}
        ratios = [run["step_ms"] / own["step_ms"] for run, own in zip(runs, found["regimen"])]
        version = runs[0].get("version", "")
        print(f"| {who} {version} | {middle['step_ms']:.1f} | {middle['tokens_per_second']:.0f} | "
              f"{middle['peak_memory_bytes'] / 1e6:.0f} | {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=WORKS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "regimen")
    parser.add_argument("--worker", choices=("eager", "compiled"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(train_in_torch(given.worker == "compiled", given.seconds, **WORKS[given.only][2])))
        return
    python = python_with_torch()
    for name in [given.only] if given.only else WORKS:
        compare(name, given.program, python, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
