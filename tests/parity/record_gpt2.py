#!/usr/bin/env python3
"""Records a tiny GPT-2, written out in plain PyTorch: logits, loss, every gradient, ten steps of AdamW.

    python3 -m venv venv && venv/bin/pip install numpy torch
    venv/bin/python tests/parity/record_gpt2.py          # writes tests/parity/gpt2/{recorded.safetensors,config.json}

Everything is computed in float64 from weights that float32 holds exactly, and stored as float32, so what a reader
differs by is the reader's own rounding. In recorded.safetensors:

    transformer.*            the weights at the start, by their Hugging Face names; c_attn, c_proj, c_fc are (in, out)
    tokens (3, 17) I32       16 predictions a row: logits[b, t] is computed from tokens[b, :t + 1]
    logits (3, 16, 50)       of tokens[:, :16]
    loss ()                  mean of -log p(tokens[b, t + 1]) over 3 x 16
    gradient.transformer.*   of that mean
    batches (10, 3, 17) I32  one a step
    losses (10)              before each step: AdamW, learning rate 1e-2, betas 0.9 and 0.95, epsilon 1e-8, weight decay
                             0.1 on tensors of rank 2 and more
    gradient_norms (10)      over all gradients, before they are scaled by min(1, 1 / (norm + 1e-6))
"""
import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F

LAYERS, HEADS, CHANNELS, CONTEXT, VOCABULARY = 2, 2, 32, 16, 50
EPSILON = 1e-5
SEED = 4  # the first for which every mechanism matters by more than 1 %
FOLDER = pathlib.Path(__file__).parent / "gpt2"


def draw_weights(generator):
    """Large and uneven on purpose: with GPT-2's own 0.02 a whole mechanism could be missing and not be seen."""
    def normal(*shape, deviation=0.3, mean=0.0):
        x = torch.randn(*shape, generator=generator, dtype=torch.float64) * deviation + mean
        return x.float().double()

    weights = {"wte.weight": normal(VOCABULARY, CHANNELS, deviation=0.4),
               "wpe.weight": normal(CONTEXT, CHANNELS, deviation=0.4)}
    for i in range(LAYERS):
        for norm in ("ln_1", "ln_2"):
            weights[f"h.{i}.{norm}.weight"] = normal(CHANNELS, deviation=0.4, mean=1.0)
            weights[f"h.{i}.{norm}.bias"] = normal(CHANNELS, deviation=0.4)
        for name, inner, outer in (("attn.c_attn", CHANNELS, 3 * CHANNELS), ("attn.c_proj", CHANNELS, CHANNELS),
                                   ("mlp.c_fc", CHANNELS, 4 * CHANNELS), ("mlp.c_proj", 4 * CHANNELS, CHANNELS)):
            weights[f"h.{i}.{name}.weight"] = normal(inner, outer, deviation=1.2 / math.sqrt(inner))
            weights[f"h.{i}.{name}.bias"] = normal(outer, deviation=0.5)
    weights["ln_f.weight"] = normal(CHANNELS, deviation=0.4, mean=1.0)
    weights["ln_f.bias"] = normal(CHANNELS, deviation=0.4)
    return {f"transformer.{name}": x for name, x in weights.items()}


def forward(w, ids, without=()):
    """Logits (B, T, V). `without` leaves mechanisms out, to see that each of them matters."""
    def get(name):
        x = w[f"transformer.{name}"]
        if name in without:  # a bias or a norm's weight: as if it were not there
            return torch.ones_like(x) if name.endswith("weight") else torch.zeros_like(x)
        return x

    def norm(x, name):
        return F.layer_norm(x, (CHANNELS,), get(name + ".weight"), get(name + ".bias"), EPSILON)

    def linear(x, name):
        return x @ get(name + ".weight") + get(name + ".bias")

    def attention(x, i):
        B, T, C = x.shape
        qkv = linear(x, f"h.{i}.attn.c_attn")
        if f"query bias {i}" in without:
            qkv = qkv - F.pad(get(f"h.{i}.attn.c_attn.bias")[:C], (0, 2 * C))
        if f"value bias {i}" in without:
            qkv = qkv - F.pad(get(f"h.{i}.attn.c_attn.bias")[2 * C:], (2 * C, 0))
        heads = 1 if "heads" in without else HEADS
        q, k, v = (part.view(B, T, heads, -1).transpose(1, 2) for part in qkv.split(C, dim=2))
        scores = q @ k.transpose(-1, -2)
        if "attention scale" not in without:
            scores = scores / math.sqrt(q.size(-1))
        if "causal mask" not in without:
            scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C)
        return linear(y, f"h.{i}.attn.c_proj")

    def mlp(x, i):
        inner = linear(x, f"h.{i}.mlp.c_fc")
        inner = inner if "gelu" in without else F.gelu(inner, approximate="none" if "tanh" in without else "tanh")
        return linear(inner, f"h.{i}.mlp.c_proj")

    x = get("wte.weight")[ids] if "wte.weight" not in without else 0
    if "positions" not in without:
        x = x + get("wpe.weight")[: ids.shape[1]]
    for i in range(LAYERS):
        if f"attention {i}" not in without:
            x = x + attention(norm(x, f"h.{i}.ln_1"), i)
        if f"mlp {i}" not in without:
            x = x + mlp(norm(x, f"h.{i}.ln_2"), i)
    return norm(x, "ln_f") @ w["transformer.wte.weight"].T


def mean_loss(w, rows, without=()):
    logits = forward(w, rows[:, :-1], without)
    return F.cross_entropy(logits.reshape(-1, VOCABULARY), rows[:, 1:].reshape(-1)), logits


def sample(w, n, generator):
    """Text that the model itself writes: on it whatever is left out makes the loss worse, and none of it cancels."""
    rows = torch.randint(0, VOCABULARY, (n, 1), generator=generator)
    for _ in range(CONTEXT):
        probabilities = forward(w, rows)[:, -1].softmax(-1)
        rows = torch.cat([rows, torch.multinomial(probabilities, 1, generator=generator)], dim=1)
    return rows


def check_that_everything_matters(w, rows):
    full = mean_loss(w, rows)[0].item()
    parts = ["positions", "causal mask", "attention scale", "heads", "gelu"]
    for i in range(LAYERS):
        parts += [f"attention {i}", f"mlp {i}", f"query bias {i}", f"value bias {i}"]
    parts += [name.removeprefix("transformer.") for name, x in w.items() if x.dim() == 1]
    for part in parts:
        moved = abs(mean_loss(w, rows, {part})[0].item() / full - 1)
        print(f"without {part:24} the loss moves by {100 * moved:6.2f} %")
        assert moved > 0.01, f"draw other weights: {part} moves the loss by {moved:.2%} only"
    # The keys' bias shifts all scores of a query alike, which softmax does not see; tanh and erf are near by design.
    moved = abs(mean_loss(w, rows, {"tanh"})[0].item() / full - 1)
    print(f"with the exact gelu instead of tanh's the loss moves by {100 * moved:.4f} %")


def train(w, batches):
    parameters = {name: x.clone().requires_grad_() for name, x in w.items()}
    values = list(parameters.values())
    optimizer = torch.optim.AdamW(
        [{"params": [x for x in values if x.dim() >= 2], "weight_decay": 0.1},
         {"params": [x for x in values if x.dim() < 2], "weight_decay": 0.0}], lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for rows in batches:
        loss = mean_loss(parameters, rows)[0]
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(values, 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def write_safetensors(path, tensors):
    """8 bytes of length, a JSON header padded to 8, the data: https://huggingface.co/docs/safetensors"""
    header, data = {}, b""
    for name, x in tensors.items():
        raw = x.contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int32: "I32"}[x.dtype]
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    w = draw_weights(generator)
    rows = sample(w, 3, generator)
    # Text that can be learned: each batch repeats a few rows, and ten steps show it.
    pool = torch.randint(0, VOCABULARY, (5, CONTEXT + 1), generator=generator)
    batches = torch.stack([pool[torch.randperm(5, generator=generator)[:3]] for _ in range(10)])
    check_that_everything_matters(w, rows)

    parameters = {name: x.clone().requires_grad_() for name, x in w.items()}
    loss, logits = mean_loss(parameters, rows)
    loss.backward()
    losses, norms = train(w, batches)
    print(f"loss {loss.item():.6f}; ten steps:", *(f"{x:.4f}" for x in losses))
    print("gradient norms:", *(f"{x:.3f}" for x in norms))

    record = {name: x.float() for name, x in w.items()}
    record |= {f"gradient.{name}": x.grad.float() for name, x in parameters.items()}
    record |= {"tokens": rows.int(), "logits": logits.detach().float(), "loss": loss.detach().float(),
               "batches": batches.int(), "losses": torch.tensor(losses).float(),
               "gradient_norms": torch.tensor(norms).float()}
    FOLDER.mkdir(exist_ok=True)
    write_safetensors(FOLDER / "recorded.safetensors", record)
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": LAYERS, "n_head": HEADS,
              "n_embd": CHANNELS, "n_positions": CONTEXT, "n_ctx": CONTEXT, "vocab_size": VOCABULARY, "n_inner": None,
              "activation_function": "gelu_new", "layer_norm_epsilon": EPSILON, "tie_word_embeddings": True,
              "scale_attn_weights": True, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    (FOLDER / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{FOLDER / 'recorded.safetensors'}: {(FOLDER / 'recorded.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    main()
