#!/usr/bin/env python3
"""Records the losses of preference, reward, distillation and policy methods on fixed numbers, from their papers.

    python3 -m venv venv && venv/bin/pip install numpy torch
    venv/bin/python tests/parity/record_losses.py        # writes tests/parity/losses.json

Everything is float64. Each entry of losses.json holds its inputs, its settings, `loss` and `gradient` (of the loss, by
the name of the input), so that a test needs nothing else:

    dpo         policy_chosen, policy_rejected, reference_chosen, reference_rejected (4): log p summed over an answer.
                arXiv 2305.18290; mean over the pairs; smoothing 0 and 0.1
    ranking     scores, group, rank (9): rank 0 is best, equal ranks are ties and left out; mean over the groups of the
                mean over a group's pairs of -log sigmoid(r_better - r_worse). arXiv 2203.02155
    divergence  student, teacher (2, 3, 7) logits, weights (2, 3), temperature 2: sum of weights * D with p the teacher:
                forward KL(p || q), reverse KL(q || p), jensen_shannon (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2;
                no factor of temperature^2
    ppo         logprobs, old_logprobs, advantages, values, old_values, returns, mask (2, 5), clip 0.2, value_clip 0.2:
                policy = mean max(-A ratio, -A clip(ratio)), value = mean max((v - R)^2, (v_clipped - R)^2) / 2, both
                over the mask. arXiv 1707.06347
    gae         rewards, values (6), the last value is followed by 0: advantages, returns, and the advantages whitened
                with the unbiased variance, (a - mean) / sqrt(variance + 1e-8). arXiv 1506.02438
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def draw(generator, *shape, deviation=1.0, mean=0.0, digits=4):
    """Few digits, so that the numbers in the file are the numbers that were used."""
    return (torch.randn(*shape, generator=generator) * deviation + mean).mul(10**digits).round().div(10**digits)


def record(inputs, settings, loss_of, trained):
    leaves = {name: x.clone().requires_grad_(name in trained) for name, x in inputs.items()}
    loss = loss_of(leaves)
    loss.backward()
    return {**{name: x.tolist() for name, x in inputs.items()}, **settings, "loss": loss.item(),
            "gradient": {name: leaves[name].grad.tolist() for name in trained}}


def dpo(generator, smoothing):
    names = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")
    inputs = {name: draw(generator, 4, deviation=6, mean=-30) for name in names}
    beta = 0.1

    def loss(x):
        gain = beta * (x["policy_chosen"] - x["policy_rejected"] - x["reference_chosen"] + x["reference_rejected"])
        return (-(1 - smoothing) * F.logsigmoid(gain) - smoothing * F.logsigmoid(-gain)).mean()

    return record(inputs, {"beta": beta, "label_smoothing": smoothing}, loss, names[:2])


def ranking(generator):
    # Four answers with a tie, three all tied (a group without a pair), two.
    group, rank = [0, 0, 0, 0, 1, 1, 1, 2, 2], [1, 0, 1, 2, 0, 0, 0, 1, 0]

    def loss(x):
        total = 0.0
        for g in sorted(set(group)):
            pairs = [(i, j) for i in range(9) for j in range(9)
                     if group[i] == group[j] == g and rank[i] < rank[j]]
            if pairs:
                total = total - sum(F.logsigmoid(x["scores"][i] - x["scores"][j]) for i, j in pairs) / len(pairs)
        return total / len(set(group))

    return record({"scores": draw(generator, 9)}, {"group": group, "rank": rank}, loss, ["scores"])


def divergence(generator, kind):
    inputs = {"student": draw(generator, 2, 3, 7, deviation=2), "teacher": draw(generator, 2, 3, 7, deviation=2),
              "weights": torch.tensor([[1.0, 0.5, 0.0], [0.25, 1.0, 1.0]])}
    temperature = 2.0

    def kl(log_p, log_q):
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    def loss(x):
        log_p = (x["teacher"] / temperature).log_softmax(-1)
        log_q = (x["student"] / temperature).log_softmax(-1)
        if kind == "forward":
            each = kl(log_p, log_q)
        elif kind == "reverse":
            each = kl(log_q, log_p)
        else:
            log_m = ((log_p.exp() + log_q.exp()) / 2).log()
            each = (kl(log_p, log_m) + kl(log_q, log_m)) / 2
        return (x["weights"] * each).sum()

    return record(inputs, {"temperature": temperature, "kind": kind}, loss, ["student"])


def ppo(generator, part):
    logprobs = draw(generator, 2, 5, deviation=0.5, mean=-2)
    values, returns = draw(generator, 2, 5), draw(generator, 2, 5)
    inputs = {"logprobs": logprobs, "old_logprobs": logprobs + draw(generator, 2, 5, deviation=0.3),
              "advantages": draw(generator, 2, 5), "values": values, "returns": returns,
              "old_values": values + draw(generator, 2, 5, deviation=0.4),
              "mask": torch.tensor([[1.0, 1, 1, 1, 0], [1, 1, 1, 0, 0]])}
    inputs = {name: (x * 10**4).round() / 10**4 for name, x in inputs.items()}
    clip = value_clip = 0.2

    def loss(x):
        if part == "policy":
            ratio = (x["logprobs"] - x["old_logprobs"]).exp()
            each = torch.maximum(-x["advantages"] * ratio, -x["advantages"] * ratio.clamp(1 - clip, 1 + clip))
        else:
            near = x["old_values"] + (x["values"] - x["old_values"]).clamp(-value_clip, value_clip)
            each = torch.maximum((x["values"] - x["returns"]) ** 2, (near - x["returns"]) ** 2) / 2
        return (each * x["mask"]).sum() / x["mask"].sum()

    trained = ["logprobs"] if part == "policy" else ["values"]
    return record(inputs, {"clip": clip, "value_clip": value_clip}, loss, trained)


def gae(generator, gamma, lam):
    rewards, values = draw(generator, 6).tolist(), draw(generator, 6).tolist()
    advantages, running, following = [0.0] * 6, 0.0, 0.0
    for t in reversed(range(6)):
        running = rewards[t] + gamma * following - values[t] + gamma * lam * running
        advantages[t], following = running, values[t]
    a = torch.tensor(advantages)
    return {"rewards": rewards, "values": values, "gamma": gamma, "lambda": lam, "advantages": advantages,
            "returns": [x + v for x, v in zip(advantages, values)],
            "whitened": ((a - a.mean()) / (a.var() + 1e-8).sqrt()).tolist()}


def main():
    def fresh():  # every entry has its own stream, so that adding one moves no other
        return torch.Generator().manual_seed(20)

    losses = {"dpo": dpo(fresh(), 0.0), "dpo_smoothed": dpo(fresh(), 0.1), "ranking": ranking(fresh()),
              "divergence_forward": divergence(fresh(), "forward"),
              "divergence_reverse": divergence(fresh(), "reverse"),
              "divergence_jensen_shannon": divergence(fresh(), "jensen_shannon"),
              "ppo_policy": ppo(fresh(), "policy"), "ppo_value": ppo(fresh(), "value"),
              "gae": gae(fresh(), 0.99, 0.95), "gae_undiscounted": gae(fresh(), 1.0, 0.95)}
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in losses.items()]
    path = pathlib.Path(__file__).parent / "losses.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, entry in losses.items():
        print(f"{name:28}", entry.get("loss", entry.get("advantages")))


if __name__ == "__main__":
    main()
