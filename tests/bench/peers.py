#!/usr/bin/env python3
"""The same training and decoding steps here and in PyTorch, eager and compiled, alternating on one machine.

    python3 tests/bench/peers.py                       # all works, three rounds
    python3 tests/bench/peers.py --only char --rounds 5
    python3 tests/bench/peers.py --like qwen           # those whose name begins so

Installs the newest PyTorch, transformers and PEFT into build/peers/ on its first run; nothing of Regimen needs them. The
works called qwen are transformers' own model of that shape, eager, with PEFT's LoRA; the others a model as a user of
PyTorch would write it, eager and compiled. Every round runs
`regimen bench` and each peer as a process of its own, for --seconds of steps after two that do not count; of decoding,
127 tokens. Printed are the medians over the rounds, the ratio of each round's figures, and the versions.
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
    "decode-1": ("configs/bench/gpt2-124m.yaml", ["model.context=128"],
                 dict(layers=12, heads=12, channels=768, vocabulary=50257, batch=1, tokens=128)),
    "decode-64": ("configs/bench/gpt2-124m.yaml", ["model.context=128"],
                  dict(layers=12, heads=12, channels=768, vocabulary=50257, batch=64, tokens=128)),
    "rollout": ("configs/bench/gpt2-124m.yaml", ["model.context=96"], dict(batch=64, prompt=32, tokens=96)),
    **{f"qwen-{kind}": ("configs/bench/qwen2.5-0.5b.yaml", ["batch=1"], dict(kind=kind, batch=1, tokens=512), stage)
       for kind, stage in (("full", "full"), ("last-two", "last-two-layers"), ("lora", "lora"))},
    **{f"qwen-decode-{n}": ("configs/bench/qwen2.5-0.5b.yaml", ["model.context=128"],
                            dict(kind="decode", batch=n, tokens=128), "full") for n in (1, 16)},
}
UNMEASURED_STEPS, MEASURED_STEPS = 2, 5


def gpt_of(layers, heads, channels, vocabulary, tokens):
    """What a user of PyTorch would write, with fused attention; given a cache, for one token a row at a place."""
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
            self.qkv, self.output = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
            self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

        def forward(self, x, cache=None, place=None):
            B, T, C = x.shape
            q, k, v = (y.view(B, T, heads, C // heads).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(C, 2))
            if cache is None:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                keys, values = cache
                keys[:, :, place], values[:, :, place] = k[:, :, 0], v[:, :, 0]
                y = F.scaled_dot_product_attention(q, keys[:, :, :place + 1], values[:, :, :place + 1])
            x = x + self.output(y.transpose(1, 2).reshape(B, T, C))
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

        def next(self, x, caches, place):
            y = self.words(x) + self.places.weight[place]
            for block, cache in zip(self.blocks, caches):
                y = block(y, cache, place)
            return F.linear(self.norm(y), self.words.weight)[:, -1].argmax(-1, keepdim=True)

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    return Gpt()


def figures(took, per_step):
    import torch
    step = statistics.median(took[UNMEASURED_STEPS:])
    return {"step_ms": step * 1e3, "tokens_per_second": per_step / step,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "version": torch.__version__}


def decode_in_torch(compiled, layers, heads, channels, vocabulary, batch, tokens):
    """Greedy, with a cache that is there from the start. Compiled: with a place that may change."""
    import torch
    model = gpt_of(layers, heads, channels, vocabulary, tokens).eval()
    next_of = torch.compile(model.next, dynamic=True) if compiled else model.next
    room = (batch, heads, tokens, channels // heads)
    took = []
    with torch.inference_mode():
        caches = [(torch.zeros(room), torch.zeros(room)) for _ in range(layers)]
        for _ in range(2 if compiled else 1):  # compiled for each kind of place in the first round
            x = torch.zeros(batch, 1, dtype=torch.long)
            took = []
            for place in range(tokens - 1):
                start = time.perf_counter()
                x = next_of(x, caches, place)
                took.append(time.perf_counter() - start)
    return figures(took, batch)


def train_in_torch(compiled, seconds, layers, heads, channels, vocabulary, batch, tokens):
    """With fused AdamW, clipping at 1."""
    import torch
    model = gpt_of(layers, heads, channels, vocabulary, tokens)
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
    return figures(took, batch * tokens)


def qwen(kind, tokens):
    """transformers' Qwen2 of 494 million parameters with new weights; what is trained depends on `kind`."""
    import torch
    import transformers
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        vocab_size=151936, max_position_embeddings=tokens, tie_word_embeddings=True))
    if kind == "last-two":
        for name, p in model.named_parameters():
            p.requires_grad_(any(part in name for part in ("layers.22.", "layers.23.", "model.norm.")))
    if kind == "lora":
        import peft
        model = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
    return model


def train_qwen(seconds, kind, batch, tokens):
    """Rows of `tokens`, fused AdamW, clipping at 1, the loss that transformers computes of labels."""
    import torch
    model = qwen(kind, tokens).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)
    text = torch.randint(0, 256, (100, tokens))
    took, begin = [], None
    while len(took) < UNMEASURED_STEPS + MEASURED_STEPS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        begin = begin if begin or len(took) < UNMEASURED_STEPS else start
        rows = text[torch.randint(0, len(text), (batch,))]
        model(input_ids=rows, labels=rows).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        took.append(time.perf_counter() - start)
    return figures(took, batch * tokens)


def decode_qwen(kind, batch, tokens):
    """model.generate, greedy, from one token to `tokens`; a token's time is the whole call's by their number."""
    import torch
    model = qwen(kind, tokens).eval()
    took = []
    with torch.inference_mode():
        for _ in range(UNMEASURED_STEPS + 1):
            start = time.perf_counter()
            model.generate(torch.ones(batch, 1, dtype=torch.long), attention_mask=torch.ones(batch, 1),
                           max_new_tokens=tokens - 1, min_new_tokens=tokens - 1, do_sample=False, pad_token_id=0)
            took.append((time.perf_counter() - start) / (tokens - 1))
    return figures(took, batch)


def roll_out(batch, prompt, tokens):
    """transformers' GPT-2 of 124 million parameters: model.generate draws answers to all prompts at once."""
    import torch
    import transformers
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_positions=tokens)).eval()
    prompts = torch.randint(0, 50257, (batch, prompt))
    took = []
    with torch.inference_mode():
        for _ in range(UNMEASURED_STEPS + 1):
            start = time.perf_counter()
            model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=tokens - prompt,
                           min_new_tokens=tokens - prompt, do_sample=True, top_k=0, pad_token_id=0)
            took.append(time.perf_counter() - start)
    return figures(took, batch * (tokens - prompt))


def python_with_torch():
    """Of build/peers; made and filled on the first run."""
    folder = ROOT / "build" / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import peft, torch, transformers"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "transformers", "peft"], check=True)
    return python


def answer_of(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(str(c) for c in command)}\n{done.stderr}")
    return json.loads(done.stdout)


def compare(name, program, python, rounds, seconds):
    pipeline, sets, shape, stage = (*WORKS[name], "base")[:4]
    commands = {"regimen": [program, "bench", pipeline, "--stage", stage, "--seconds", seconds]}
    if "decode" in name or name == "rollout":
        commands["regimen"] += ["--decode", shape["batch"]]
    if "prompt" in shape:
        commands["regimen"] += ["--prompt", shape["prompt"]]
    for value in sets:
        commands["regimen"] += ["--set", f"stages.{stage}.{value}"]
    for kind in ("eager",) if name.startswith(("qwen", "rollout")) else ("eager", "compiled"):
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
    parser.add_argument("--like", default="", help="only works whose name begins with this")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "regimen")
    parser.add_argument("--worker", choices=("eager", "compiled"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        compiled, shape = given.worker == "compiled", WORKS[given.only][2]
        if given.only == "rollout":
            found = roll_out(**shape)
        elif given.only.startswith("qwen-decode"):
            found = decode_qwen(**shape)
        elif given.only.startswith("qwen"):
            found = train_qwen(given.seconds, **shape)
        elif given.only.startswith("decode"):
            found = decode_in_torch(compiled, **shape)
        else:
            found = train_in_torch(compiled, given.seconds, **shape)
        print(json.dumps(found))
        return
    python = python_with_torch()
    for name in [given.only] if given.only else [w for w in WORKS if w.startswith(given.like)]:
        compare(name, given.program, python, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
