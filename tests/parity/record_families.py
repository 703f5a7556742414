#!/usr/bin/env python3
"""Records a tiny model of every family with the library transformers: logits, loss, every gradient.

    python3 -m venv venv && venv/bin/pip install numpy torch transformers
    venv/bin/python tests/parity/record_families.py               # writes tests/parity/families/*
    venv/bin/python tests/parity/record_families.py --check DIR   # folders that Regimen saved of these: same logits?

Everything is computed in float64 from weights that the file holds exactly (transformers turns positions and takes root
mean squares in float32 all the same). Of each case there is what save_pretrained writes, and recorded.safetensors:

    tokens (2, 15) I64   14 predictions a row: logits[b, t] is computed from tokens[b, :t + 1]
    logits (2, 14, 48)   of tokens[:, :14]
    loss ()              mean of -log p(tokens[b, t + 1]) over 2 x 14
    gradient.*           of that mean, by the names of the weights

Weights are large and uneven on purpose: with a deviation of 0.02 a whole mechanism could be missing and not be seen.
The script refuses to record where leaving one out moves the loss by less than 1 %.
"""
import argparse
import copy
import json
import math
import pathlib
import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from family_cases import CASES, VOCABULARY

FOLDER = pathlib.Path(__file__).parent / "families"
ROWS, LENGTH = 2, 14
# Other ways leave out Gemma 2's cap on scores, and products of experts in float64.
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}

BY_LAYER = ("full_attention", "sliding_attention")


def build(model_type, config):
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **copy.deepcopy(config)),
                                            **EAGER).double().eval()


def draw_weights(model, dtype, generator, norms):
    with torch.no_grad():
        for name, x in model.named_parameters():
            mean, deviation = 0.0, 0.8
            if "norm" in name or "ln_" in name:
                deviation = norms
                mean = 1.0 if name.endswith("weight") and "gemma" not in model.config.model_type else 0.0
            elif x.dim() == 3:  # experts, in one piece
                deviation = 1.4 / math.sqrt(x.size(2))
            elif x.dim() == 2 and ("embed" in name or "wte" in name or "wpe" in name):
                deviation = 0.5
            elif x.dim() == 2:
                gpt2 = model.config.model_type == "gpt2"  # which keeps (in, out)
                inner = x.size(0) if gpt2 and "c_" in name else x.size(1)
                deviation = 1.4 / math.sqrt(inner)
            x.copy_((torch.randn(x.shape, generator=generator, dtype=torch.float64) * deviation + mean).to(dtype))


def mean_loss(model, rows, **more):
    logits = model(rows[:, :-1], use_cache=False, **more).logits
    return F.cross_entropy(logits.reshape(-1, VOCABULARY), rows[:, 1:].reshape(-1)), logits


def sample(model, generator):
    """Text that the model itself writes: on it whatever is left out makes the loss worse, and none of it cancels."""
    rows = torch.randint(0, VOCABULARY, (ROWS, 1), generator=generator)
    with torch.no_grad():
        for _ in range(LENGTH):
            p = model(rows, use_cache=False).logits[:, -1].softmax(-1)
            rows = torch.cat([rows, torch.multinomial(p, 1, generator=generator)], dim=1)
    return rows


class Same(torch.nn.Module):
    def forward(self, x, *ignored, **ignored_too):
        return x


def ropes(config):
    """How positions turn by type of layer, or of all layers under ""."""
    rope = config.get("rope_parameters", {})
    return rope if set(rope) & set(BY_LAYER) else {"": rope} if rope else {}


def without(model_type, config, weights):
    """Pairs of a mechanism's name and a model that lacks it."""
    def model(other=None, change=None, new_weights=None):
        made = build(model_type, {**config, **(other or {})})
        made.load_state_dict({**weights, **(new_weights or {})}, strict=False)
        if change:
            change(made)
        return made

    def identity(*endings):
        def change(made):
            for name, part in list(made.named_modules()):
                if name.endswith(endings):
                    made.get_submodule(name.rsplit(".", 1)[0])._modules[name.rsplit(".", 1)[1]] = Same()
        return change

    for name, x in weights.items():
        if x.dim() == 1 and not name.endswith(("k_proj.bias",)):  # the keys' bias shifts all scores of a query alike
            neutral = 1.0 if name.endswith("weight") and "gemma" not in model_type else 0.0
            yield name, model(new_weights={name: torch.full_like(x, neutral)})
    for layer in range(2):
        for part in ("attn", "self_attn", "attention", "mlp"):
            ends = [n for n in weights if f".{layer}.{part}." in n and n.endswith(
                ("c_proj.weight", "o_proj.weight", "out_proj.weight", "dense.weight", "down_proj.weight",
                 "experts.down_proj", "dense_4h_to_h.weight", "fc2.weight"))]
            for n in ends:
                yield f"{part} {layer}", model(new_weights={n: torch.zeros_like(weights[n])})
    changes = {"activation": {next(k for k in ("hidden_activation", "hidden_act", "activation_function")
                                   if hasattr(model().config, k)): "relu" if model_type != "opt" else "gelu"}}
    for kind, rope in ropes(config).items():
        def turned(other):
            return {"rope_parameters": {**config["rope_parameters"], kind: other} if kind else other}
        changes[f"base of positions {kind}"] = turned({**rope, "rope_theta": 10000.0})
        if rope["rope_type"] != "default":
            changes[f"scaled positions {kind}"] = turned({"rope_type": "default", "rope_theta": rope["rope_theta"]})
        if rope.get("partial_rotary_factor", 1.0) != 1.0:
            factors = {key: rope[key] * 2 for key in ("short_factor", "long_factor") if key in rope}
            changes[f"partial positions {kind}"] = turned({**rope, **factors, "partial_rotary_factor": 1.0})
        if rope["rope_type"] in ("yarn", "longrope"):
            changes["amplitude of positions"] = turned({**rope, "attention_factor": 1.0})
        if rope["rope_type"] == "longrope":
            changes["factors of positions"] = turned({**rope, "short_factor": rope["long_factor"],
                                                      "long_factor": rope["short_factor"]})
        if "truncate" in rope:
            changes |= {f"{key} of positions": turned({**rope, key: other}) for key, other in (
                ("truncate", True), ("beta_fast", 1.0), ("beta_slow", 1.0), ("factor", 2.0),
                ("original_max_position_embeddings", 32))}
        if kind:
            changes[f"positions of {kind} in all layers"] = {"rope_parameters": dict.fromkeys(BY_LAYER, rope)}
    if "no_rope_layer_interval" in config:
        changes["layers that turn no positions"] = {"no_rope_layers": [1, 1], "layer_types": model().config.layer_types}
    if "sliding_window" in config:
        changes["window"] = {"sliding_window": 100}
        if "full_attention" in (getattr(model().config, "layer_types", None) or []) and model_type not in ("mistral", "mixtral"):
            changes["layers without a window"] = {"layer_types": ["sliding_attention"] * 2}
    if "num_experts_per_tok" in config:
        changes["experts a token"] = {"num_experts_per_tok": config["num_experts_per_tok"] - 1}
        if model_type != "mixtral":
            changes["sum of weights"] = {"norm_topk_prob": not config.get("norm_topk_prob", False)}
        for n in weights:
            if n.endswith(("mlp.gate.weight", "experts.gate_up_proj", "experts.down_proj")):
                yield f"order of {n}", model(new_weights={n: weights[n].flip(0)})
            if n.endswith("shared_expert_gate.weight"):
                yield n, model(new_weights={n: torch.zeros_like(weights[n])})
    if model_type == "gpt_neox":
        changes["parallel residual"] = {"use_parallel_residual": not config.get("use_parallel_residual", True)}
    if model_type == "opt":
        yield "first position", model(new_weights={n: x.roll(2, 0) for n, x in weights.items() if "positions" in n})
    if model_type == "gpt_neo":
        changes["window"] = {"window_size": 100}
        changes["layers without a window"] = {"attention_types": [[["local"], 2]]}
        yield "scores without a scale", model(new_weights={  # as they would be with one
            n: x / math.sqrt(config["hidden_size"] / config["num_heads"])
            for n, x in weights.items() if n.endswith("q_proj.weight")})
    for multiplier in ("embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"):
        if multiplier in config:
            changes[multiplier] = {multiplier: 0.5 if multiplier.startswith("attention") else 1.0}
    if "gemma" in model_type:
        changes |= {"cap of logits": {"final_logit_softcapping": None},
                    "query scalar": {"query_pre_attn_scalar": config["head_dim"]}}
    if model_type == "gemma2":
        changes["cap of scores"] = {"attn_logit_softcapping": None}
    for name, other in changes.items():
        yield name, model(other)
    if "gemma" in model_type:
        yield "scaled embedding", model(change=lambda m: setattr(m.model.embed_tokens, "scalar_embed_scale", 1.0) or
                                        m.model.embed_tokens.embed_scale.fill_(1.0))
    for part in ("q_norm", "k_norm", "post_attention_layernorm", "post_feedforward_layernorm"):
        found = any(f"{part}.weight" in n for n in weights)
        if found and (part.startswith(("q_", "k_")) or model_type in ("gemma2", "olmo2", "gemma3_text", "olmo3")):
            yield f"{part} as a whole", model(change=identity(part))
    if config.get("num_key_value_heads", 4) == 2:
        swapped = {}
        for n, x in weights.items():
            if n.endswith(("k_proj.weight", "v_proj.weight")):
                swapped[n] = x.reshape(2, -1, x.size(1)).flip(0).reshape(x.shape)
            if n.endswith("qkv_proj.weight"):  # as many rows for queries as for keys and values
                q, k, v = x.split((x.size(0) // 2, x.size(0) // 4, x.size(0) // 4))
                swapped[n] = torch.cat([q] + [y.reshape(2, -1, x.size(1)).flip(0).reshape(y.shape) for y in (k, v)])
        yield "order of grouped heads", model(new_weights=swapped)


def check_that_everything_matters(model_type, config, weights, rows, full):
    least = math.inf
    with torch.no_grad():
        for name, other in without(model_type, config, weights):
            moved = abs(mean_loss(other, rows)[0].item() / full - 1)
            least = min(least, moved)
            if moved < 0.01:
                return name, moved
        model = build(model_type, config)
        model.load_state_dict(weights, strict=False)
        moved = abs(mean_loss(model, rows, position_ids=torch.zeros(1, LENGTH, dtype=torch.long))[0].item() / full - 1)
    return (None, min(least, moved)) if moved >= 0.01 else ("positions", moved)


def as_version_4(folder):
    """config.json as transformers 4 wrote it."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["torch_dtype"] = config.pop("dtype")
    if config["model_type"] != "olmo3":
        config.pop("layer_types", None)
    rope = rope.get("full_attention", rope)
    if config["model_type"] == "gpt_neox":
        config["rotary_emb_base"], config["rotary_pct"] = rope["rope_theta"], rope["partial_rotary_factor"]
    else:
        config["rope_theta"] = rope["rope_theta"]
    if config["model_type"] == "phi3":
        config["partial_rotary_factor"] = rope["partial_rotary_factor"]
    if rope["rope_type"] == "longrope":
        config["rope_scaling"] = {"type": "longrope", "short_factor": rope["short_factor"],
                                  "long_factor": rope["long_factor"]}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        return
    scaled = rope["rope_type"] != "default"
    more = {key: value for key, value in rope.items() if key not in ("rope_type", "rope_theta")}
    config["rope_scaling"] = {"type": rope["rope_type"], **more} if scaled else None
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def choices_are_clear(model, rows):
    """What an expert is chosen by is far from the next one, and each has some token: rounding changes no choice."""
    with torch.no_grad():
        logits = model(rows[:, :-1], use_cache=False, output_router_logits=True).router_logits
    for of_layer in logits:
        likeliest = of_layer.softmax(-1).sort(-1, descending=True)
        k = model.config.num_experts_per_tok
        if (likeliest.values[:, k - 1] - likeliest.values[:, k]).min() < 1e-3:
            return False
        if len(likeliest.indices[:, :k].unique()) < of_layer.size(-1):
            return False
    return True


def as_in_file(model_type, name, x):
    """Pairs of a name in the file and a tensor: GPT-NeoX's head is called otherwise in transformers 5 than in its files,
    and experts lie there one by one."""
    if model_type == "gpt_neox":
        name = name.replace("lm_head", "embed_out")
    gate, up, down = "gate_proj", "up_proj", "down_proj"
    if model_type == "mixtral":
        name, (gate, up, down) = name.replace(".mlp.", ".block_sparse_moe."), ("w1", "w3", "w2")
    if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
        yield name, x
        return
    front, part = name.rsplit(".", 1)
    for e in range(x.size(0)):
        parts = {down: x[e]} if part == "down_proj" else dict(zip((gate, up), x[e].chunk(2)))
        for which, own in parts.items():
            yield f"{front}.{e}.{which}.weight", own


def record(name):
    model_type, config, saved = CASES[name]
    dtype = saved.get("dtype", torch.float32)
    for seed in range(2000):  # the first for which every mechanism matters by more than 1 %
        generator = torch.Generator().manual_seed(seed)
        model = build(model_type, config)
        draw_weights(model, dtype, generator, saved.get("norms", 0.4))
        rows = sample(model, generator)
        loss, logits = mean_loss(model, rows)
        weights = {n: x.detach() for n, x in model.named_parameters()}
        missed, moved = check_that_everything_matters(model_type, config, weights, rows, loss.item())
        if missed is None and loss.item() > 0.5 and (not hasattr(model.config, "num_experts_per_tok")
                                                     or choices_are_clear(model, rows)):
            break
    else:
        raise SystemExit(f"{name}: draw other weights: {missed} moves the loss by {moved:.2%} only")
    loss.backward()
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    gradients = {f"gradient.{n}": x.float().contiguous() for p, w in model.named_parameters()
                 for n, x in as_in_file(model_type, p, w.grad)}
    more = {"max_shard_size": saved["max_shard_size"]} if "max_shard_size" in saved else {}
    copy.deepcopy(model).to(dtype).save_pretrained(folder, **more)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if saved.get("version") == 4:
        as_version_4(folder)
    save_file({"tokens": rows.contiguous(), "logits": logits.detach().float().contiguous(),
               "loss": loss.detach().float(), **gradients}, folder / "recorded.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name:16} seed {seed:3}, loss {loss.item():.6f}, what matters least moves it by {moved:.1%}, {size} bytes")


def check(folder):
    import transformers
    worst = 0.0
    for name in CASES:
        recorded = load_file(FOLDER / name / "recorded.safetensors")
        model = AutoModelForCausalLM.from_pretrained(folder / name, **EAGER).double().eval()
        with torch.no_grad():
            logits = model(recorded["tokens"][:, :-1], use_cache=False).logits
        apart = (logits - recorded["logits"]).abs().max().item()
        worst = max(worst, apart)
        print(f"{name:16} in transformers {transformers.__version__}: logits differ by {apart:.1e}")
    if not worst < 1e-4:
        raise SystemExit("these are other models")


def main():
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.check:
        return check(arguments.check)
    for name in arguments.cases:
        record(name)


if __name__ == "__main__":
    main()
