#!/usr/bin/env python3
"""Records what PEFT computes with adapters on the tiny GPT-2 of record_gpt2.py.

    python3 -m venv venv && venv/bin/pip install numpy torch transformers peft
    venv/bin/python tests/parity/record_peft.py                # writes tests/parity/peft/
    venv/bin/python tests/parity/record_peft.py --read FOLDER  # the other way: PEFT reads what Regimen saved there
    venv/bin/python tests/parity/record_peft.py --reads FOLDER # many of them; writes tests/parity/peft_reads/
    venv/bin/python tests/parity/record_peft.py --reads FOLDER NAME...   # these alone, with logits of their own

In tests/parity/peft: a folder for each adapter as PEFT's save_pretrained writes it, its weights drawn large enough that
the loss moves by over 1 % without them; and logits.safetensors with

    NAME          (3, T, 50)   logits of recorded.safetensors' tokens[:, :T], T = 16 less the virtual tokens
    NAME.loss     ()           PEFT's mean loss: of all tokens but each row's first; behind a prompt of that one too
    NAME.gradient.KEY          of that mean, by the keys of adapter_model.safetensors

With --read: FOLDER has adapter_config.json, adapter_model.safetensors, and logits.safetensors with `logits` (3, T, 50)
of the same tokens; prints the largest difference, and exits with 1 where it is above 1e-4.

With --reads: adapters of the tiny models of record_families.py, which

    REGIMEN_SAVED_ADAPTERS=FOLDER build/bin/host_tests --gtest_filter='*PeftReads.WhatIsSaved*'

saves there. They are kept, and logits.safetensors has NAME (2, 14, 48), PEFT's logits of recorded.safetensors'
tokens[:, :14]. The script refuses an adapter that has a tensor more or less than PEFT looks for, or that PEFT's model
does not feel.
"""
import json
import pathlib
import shutil
import sys

import torch
from peft import (IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model,
                  get_peft_model_state_dict)
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

HERE = pathlib.Path(__file__).parent
TASK = TaskType.CAUSAL_LM
LORA = dict(task_type=TASK, r=4, lora_alpha=6, lora_dropout=0.0)
KINDS = {
    "lora": LoraConfig(**LORA, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True),
    "rslora": LoraConfig(**LORA, target_modules=["mlp.c_proj"], use_rslora=True, fan_in_fan_out=True),
    "dora": LoraConfig(**LORA, target_modules=["c_attn", "c_fc"], use_dora=True, fan_in_fan_out=True),
    "embedding": LoraConfig(**LORA, target_modules=["wte", "c_fc"], fan_in_fan_out=True),
    "ia3": IA3Config(task_type=TASK, target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"],
                     fan_in_fan_out=True),
    "prompt": PromptTuningConfig(task_type=TASK, num_virtual_tokens=3),
    "prefix": PrefixTuningConfig(task_type=TASK, num_virtual_tokens=2),
}


def base_model():
    recorded = load_file(HERE / "gpt2/recorded.safetensors")
    config = json.loads((HERE / "gpt2/config.json").read_text())
    model = GPT2LMHeadModel(GPT2Config(**config))
    weights = {name: x for name, x in recorded.items() if name.startswith("transformer.")}
    missing, extra = model.load_state_dict(weights, strict=False)
    assert not extra and set(missing) <= {"lm_head.weight"}, (missing, extra)
    model.tie_weights()
    return model.eval().double(), recorded["tokens"].long()


def compute(model, tokens, virtual):
    out = model(input_ids=tokens, labels=tokens)
    return out.logits[:, -tokens.shape[1]:] if virtual else out.logits, out.loss


def record():
    folder = HERE / "peft"
    shutil.rmtree(folder, ignore_errors=True)
    logits = {}
    for name, config in KINDS.items():
        torch.manual_seed(5)
        base, tokens = base_model()
        virtual = getattr(config, "num_virtual_tokens", 0)
        tokens = tokens[:, :16 - virtual]  # the context is 16, and virtual tokens take positions too
        plain = compute(base, tokens, 0)[1].item()
        model = get_peft_model(base, config).double().eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if p.requires_grad:
                    p.copy_((p + torch.randn_like(p) * 0.3).float().double())
        logits[name], loss = compute(model, tokens, virtual)
        logits[name + ".loss"] = loss
        assert abs(loss.item() / plain - 1) > 0.01, (name, loss, plain)
        loss.backward()
        for key, p in model.named_parameters():
            if p.requires_grad:
                key = key.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector")
                key = "prompt_embeddings" if key.startswith("prompt_encoder") else key
                logits[f"{name}.gradient.{key}"] = p.grad
        print(f"{name}: loss {loss.item():.4f}, {plain:.4f} without")
        model.float().save_pretrained(folder / name)
        (folder / name / "README.md").unlink(missing_ok=True)
    save_file({name: x.detach().float().contiguous() for name, x in logits.items()}, folder / "logits.safetensors")


def read(folder):
    base, tokens = base_model()
    model = PeftModel.from_pretrained(base, folder).double().eval()
    ours = load_file(pathlib.Path(folder) / "logits.safetensors")["logits"].double()
    virtual = getattr(model.peft_config["default"], "num_virtual_tokens", 0) or 0
    theirs, _ = compute(model, tokens[:, :ours.shape[1]], virtual)
    difference = (ours - theirs).abs().max().item()
    print(f"{folder}: {model.peft_config['default'].peft_type}, largest difference {difference:.2e}")
    return difference > 1e-4


def record_reads(saved, names):
    folder = HERE / "peft_reads"
    alone = {case.parent.name for case in folder.glob("*/logits.safetensors")}
    for case in folder.iterdir():
        if case.name in names or not names and case.name not in alone and case.is_dir():
            shutil.rmtree(case)
    logits = {}
    for case in sorted(pathlib.Path(saved).iterdir()):
        if case.name not in names and (names or case.name in alone):
            continue
        family = HERE / "families" / ("gpt_neox" if case.name.startswith("gpt_neox") else case.name.split("_")[0])
        tokens = load_file(family / "recorded.safetensors")["tokens"][:, :14].long()
        base = AutoModelForCausalLM.from_pretrained(family, dtype=torch.float64, attn_implementation="eager").eval()
        with torch.no_grad():
            plain = base(input_ids=tokens).logits
            model = PeftModel.from_pretrained(base, case).double().eval()
            logits[case.name] = model(input_ids=tokens).logits[:, -tokens.shape[1]:]  # behind a prompt
        wanted, there = set(get_peft_model_state_dict(model)), set(load_file(case / "adapter_model.safetensors"))
        assert wanted == there, (case.name, wanted - there, there - wanted)
        moved = (logits[case.name] - plain).abs().max().item()
        assert moved > 0.05, (case.name, moved)
        print(f"{case.name}: {len(there)} tensors, logits moved by {moved:.2f}")
        shutil.copytree(case, folder / case.name)
        if names:
            save_file({case.name: logits[case.name].float().contiguous()}, folder / case.name / "logits.safetensors")
    if names:
        return
    save_file({name: x.float().contiguous() for name, x in logits.items()}, folder / "logits.safetensors")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reads"]:
        sys.exit(record_reads(sys.argv[2], sys.argv[3:]))
    if sys.argv[1:2] == ["--read"]:
        sys.exit(any([read(folder) for folder in sys.argv[2:]]))
    record()
