#!/usr/bin/env python3
"""Records what EleutherAI's lm-evaluation-harness says of a tiny model's choices, in the layouts of the Hub.

    python3 -m venv venv && venv/bin/pip install torch transformers tokenizers lm_eval
    venv/bin/python tests/parity/record_choices.py        # writes tests/parity/choices/*

The rows are made here: a handful in the layout of each test. The prompts are those of the harness's own tasks. Of each
task there is NAME.jsonl, and in recorded.json {"NAME": {acc, acc_stderr, acc_norm, acc_bytes, acc_bytes_stderr,
logprobs: [[one a choice] a row]}}; `arc_chat` is `arc` with the model's chat template.
"""
import json
import pathlib

import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

FOLDER = pathlib.Path(__file__).parent / "choices"
CHAT = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")

ARC = [("Which of these melts in the sun?", ["a stone", "ice cream", "a door", "an old boat"], "ABCD", "B"),
       ("What do bees make?", ["honey", "milk in a pail", "wool", "bread"], "ABCD", "A"),
       ("Where does a fish live?", ["in a tree", "on the roof of a house", "water"], "123", "3"),
       ("What shines at night?", ["the moon", "a potato", "rain", "mud"], "1234", "1"),
       ("What is served in a café in Málaga?", ["crème brûlée", "snow", "señor's hat", "coal"], "ABCD", "A"),
       ("Who barks?", ["the cat sat", "a dog", "nobody", "the little red train"], "ABCD", "B"),
       ("Which animal has a trunk and is very large and lives far away from here, where it is hot and dry, and has two "
        "big ears that it waves at the flies, and never forgets the way home to the river where it was born?",
        ["a mouse", "an elephant"], "AB", "B")]
HELLASWAG = [("a girl runs", "A girl stands on a hill. she", ["runs down to the river.", "is a boat", "eats the moon",
                                                              "sings to her dog in the morning sun."], "0"),
             ("Baking", "A man mixes flour and milk. he", ["puts it in the oven.", "flies", "is the oven", "swims home"],
              "0"),
             ("Fishing", "The boat is on the lake. the old man", ["rests.", "melts a fish of stone", "barks at the trees", "is a tree."],
              "0"),
             ("Sweeping", "There is snow on the path. a boy", ["drinks the path", "sees the sea.", "takes a broom",
                                                              "is bread."], "3")]
MMLU = [(" How many legs has a dog? ", ["two", "four", "six", "none"], 1),
        ("What is two and two?", ["three", "five", "four", "one"], 2),
        ("Which is a fruit?", ["a pear", "a stone", "a hat", "a door"], 0),
        ("Which is cold?", ["fire", "the sun", "soup", "ice"], 3)]
PIQA = [("To open a door", "turn the handle.", "sing to the handle until it is morning", 0),
        ("Keep milk fresh", "put it in the sun", "put it where it is cold.", 1),
        ("Dry a wet hat", "hang it up", "drop it in the lake.", 0),
        ("To see at night", "close both eyes.", "light a lamp", 1)]
WINOGRANDE = [("The dog chased the cat because _ was angry.", "the dog", "the cat", "1"),
              ("The cup did not fit in the box since _ was too small.", "the cup", "the box", "2"),
              ("Tom gave Ann the book after _ had read it.", "Tom", "Ann", "1")]
BOOLQ = [("Fish breathe in water with their gills.", "do fish breathe in water", 1),
         ("Stones do not grow. They were never alive.", "do stones grow", 0),
         ("The moon goes around the earth.", "does the moon move", 1)]

METRICS = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm", "acc_bytes")]


def index_of_pronoun(doc):
    return doc["sentence"].index("_")


# As in lm_eval/tasks, but for where the rows are; WinoGrande's three functions are those of preprocess_winogrande.py,
# HellaSwag's query is ctx behind the activity.
TASKS = {
    "arc": {"doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_choice": "{{choices.text}}",
            "doc_to_target": "{{choices.label.index(answerKey)}}"},
    "hellaswag": {"doc_to_text": "{{activity_label}}: {{ctx}}", "doc_to_choice": "endings", "doc_to_target": "{{label}}"},
    "mmlu": {"doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
                            "D. {{choices[3]}}\nAnswer:", "doc_to_choice": ["A", "B", "C", "D"], "doc_to_target": "answer"},
    "piqa": {"doc_to_text": "Question: {{goal}}\nAnswer:", "doc_to_choice": "{{[sol1, sol2]}}", "doc_to_target": "label"},
    "winogrande": {"doc_to_text": lambda doc: {"1": 0, "2": 1}[doc["answer"]],
                   "doc_to_target": lambda doc: doc["sentence"][index_of_pronoun(doc) + 1:].strip(),
                   "doc_to_choice": lambda doc: [doc["sentence"][:index_of_pronoun(doc)] + doc[o]
                                                 for o in ("option1", "option2")]},
    "boolq": {"doc_to_text": "{{passage}}\nQuestion: {{question}}?\nAnswer:", "doc_to_choice": ["no", "yes"],
              "doc_to_target": "label"},
}


def rows():
    return {"arc": [{"question": q, "choices": {"text": t, "label": list(l)}, "answerKey": a} for q, t, l, a in ARC],
            "hellaswag": [{"activity_label": a, "ctx": c, "endings": e, "label": l} for a, c, e, l in HELLASWAG],
            "mmlu": [{"question": q, "choices": c, "answer": a} for q, c, a in MMLU],
            "piqa": [{"goal": g, "sol1": a, "sol2": b, "label": l} for g, a, b, l in PIQA],
            "winogrande": [{"sentence": s, "option1": a, "option2": b, "answer": l} for s, a, b, l in WINOGRANDE],
            "boolq": [{"passage": p, "question": q, "label": l} for p, q, l in BOOLQ]}


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def make_tokenizer(all_rows):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts(all_rows), trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", chat_template=CHAT)


def make_model(vocabulary):
    torch.manual_seed(5)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                                         tie_word_embeddings=True))
    with torch.no_grad():  # large, so that the choices differ by more than rounding
        for name, x in model.named_parameters():
            x.copy_(1 + 0.3 * torch.randn_like(x) if x.dim() == 1 else torch.randn_like(x) * (0.35 if "embed" in name
                                                                                             else 1 / x.size(1) ** 0.5))
    return model.eval()


def main():
    FOLDER.mkdir(exist_ok=True)
    all_rows = rows()
    for name, its in all_rows.items():
        (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in its))
    tokenizer = make_tokenizer(all_rows)
    model = make_model(len(tokenizer))
    model.save_pretrained(FOLDER / "model")
    tokenizer.save_pretrained(FOLDER / "model")
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1)
    recorded = {}
    for chat in (False, True):
        for name in ["arc"] if chat else TASKS:
            task = {"task": name, "dataset_path": "json", "output_type": "multiple_choice", "test_split": "test",
                    "dataset_kwargs": {"data_files": {"test": str(FOLDER / f"{name}.jsonl")}}, "metric_list": METRICS,
                    **TASKS[name]}
            out = lm_eval.simple_evaluate(model=lm, tasks=[task], task_manager=TaskManager(include_defaults=False),
                                          log_samples=True, bootstrap_iters=1, apply_chat_template=chat)
            result = out["results"][name]
            samples = sorted(out["samples"][name], key=lambda sample: sample["doc_id"])
            recorded[name + "_chat" * chat] = {
                **{metric: result[f"{metric},none"] for metric in ("acc", "acc_norm", "acc_bytes")},
                "acc_stderr": result["acc_stderr,none"], "acc_bytes_stderr": result["acc_bytes_stderr,none"],
                "logprobs": [[float(r[0]) for r in sample["filtered_resps"]] for sample in samples]}
    (FOLDER / "recorded.json").write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
