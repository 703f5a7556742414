"""PPO of `regimen run` beside TRL's PPOTrainer on the CPU: GPT-2 124M as policy, reference, critic and reward, four
models of new weights; 64 prompts of 32 tokens, 64 new ones, in four batches of answers, each learned from twice.

    python3 tests/bench/ppo_peers.py [--rounds 2] [--python PYTHON-WITH-TRL] [--program build/bin/regimen]

Prints JSON: the seconds of the stage or of train(), nothing of what opens models, for each round in turns. TRL 0.24 is
the newest that still has PPO.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

PROMPTS, PROMPT, ANSWER, BATCHES, EPOCHS, VOCABULARY = 16, 32, 64, 4, 2, 50257

PIPELINE = f"""regimen: 1
name: ppo-bench
seed: 1
stages:
  - name: base
    strategy: pretrain
    model: {{family: gpt2, layers: 12, heads: 12, channels: 768, context: 128, vocabulary: {VOCABULARY}}}
    tokenizer: bytes
    data: {{train: {{text: text.txt}}}}
    batch: 1
    steps: 1
  - name: reward
    strategy: reward_modeling
    reward: pairwise
    model: {{from: base}}
    data: {{train: {{jsonl: pairs.jsonl, columns: {{chosen: {{prompt: prompt, answer: good}}, rejected: {{prompt: prompt, answer: bad}}}}}}}}
    batch: 1
    steps: 1
  - name: ppo
    strategy: {{ppo: {{answers: 1, max_tokens: {ANSWER}, epochs: {EPOCHS}, minibatches: 1}}}}
    model: {{from: base}}
    critic: {{from: reward}}
    reward: {{from: reward}}
    data: {{prompts: {{jsonl: prompts.jsonl}}}}
    optimizer: {{adamw: {{learning_rate: 3e-6}}}}
    batch: {PROMPTS}
    steps: {BATCHES * EPOCHS}
"""


def in_regimen(program):
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        prompts = ["".join(chr(97 + (7 * p + 3 * i) % 26) for i in range(PROMPT)) for p in range(PROMPTS * BATCHES)]
        with open(at("p.yaml"), "w") as f:
            f.write(PIPELINE)
        with open(at("text.txt"), "w") as f:
            f.write("the cat sat on the mat and the dog ran\n" * 200)
        with open(at("prompts.jsonl"), "w") as f:
            f.writelines(json.dumps({"prompt": p}) + "\n" for p in prompts)
        with open(at("pairs.jsonl"), "w") as f:
            f.writelines(json.dumps({"prompt": p, "good": "yes", "bad": "no"}) + "\n" for p in prompts)
        subprocess.run([program, "run", at("p.yaml"), "--out", at("out")], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with open(at("out/ppo/stage.json")) as f:
            stage = json.load(f)
        return {"seconds": round(stage["timings"]["train"], 2),
                "peak_memory_bytes": stage["result"]["peak_memory_bytes"]}


def in_trl():
    import datasets
    import tokenizers
    import torch
    import transformers
    from trl import PPOConfig, PPOTrainer

    torch.manual_seed(1)
    transformers.logging.set_verbosity_error()
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({f"t{i}": i for i in range(VOCABULARY)}, unk_token="t0"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="t50256", eos_token="t50255")
    config = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=128, num_labels=1, pad_token_id=50256,
                                     bos_token_id=50255, eos_token_id=50255, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    policy = transformers.GPT2LMHeadModel(config)
    reference = transformers.GPT2LMHeadModel(config)
    reward, critic = (transformers.GPT2ForSequenceClassification(config) for _ in range(2))
    rows = datasets.Dataset.from_dict({"input_ids": [[(7 * p + 3 * i) % 26 + 97 for i in range(PROMPT)]
                                                     for p in range(PROMPTS * BATCHES)]})
    with tempfile.TemporaryDirectory() as folder:
        settings = PPOConfig(output_dir=folder, per_device_train_batch_size=PROMPTS, gradient_accumulation_steps=1,
                             num_mini_batches=1, num_ppo_epochs=EPOCHS, total_episodes=PROMPTS * BATCHES,
                             local_rollout_forward_batch_size=PROMPTS, response_length=ANSWER, num_sample_generations=0,
                             learning_rate=3e-6, use_cpu=True, bf16=False, report_to=[], save_strategy="no",
                             logging_strategy="no", gradient_checkpointing=False)
        trainer = PPOTrainer(args=settings, processing_class=tokenizer, model=policy, ref_model=reference,
                             reward_model=reward, value_model=critic, train_dataset=rows, eval_dataset=rows)
        begin = time.perf_counter()
        trainer.train()
        return {"seconds": round(time.perf_counter() - begin, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--program", default="build/bin/regimen")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.worker:
        print(json.dumps(in_trl()))
        return
    rounds = []
    for _ in range(a.rounds):
        ours = in_regimen(a.program)
        said = subprocess.run([a.python, __file__, "--worker"], check=True, capture_output=True, text=True)
        trl = json.loads(said.stdout.strip().splitlines()[-1])
        rounds.append({"regimen": ours, "trl": trl, "trl_takes": round(trl["seconds"] / ours["seconds"], 2)})
        print(json.dumps(rounds[-1]), file=sys.stderr)
    print(json.dumps({"work": f"PPO, {PROMPTS} x ({PROMPT} + {ANSWER}) tokens, {BATCHES} batches, {EPOCHS} epochs",
                      "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
