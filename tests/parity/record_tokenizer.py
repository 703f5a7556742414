#!/usr/bin/env python3
"""record_tokenizer.py - records what Hugging Face's tokenizers library makes of tests/parity/tokenizer_text.json:
a byte-level BPE trained there, and the ids of hard texts. Writes tests/parity/tokenizer_bpe.json (the trained file) and
tests/parity/tokenizer_ids.json (the ids). Needs: pip install tokenizers==0.23.3 or near.

With arguments FILE KIND it instead checks a saved tokenizer.json: prints the ids of every hard text as JSON, one a line.
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = pathlib.Path(__file__).parent
texts = json.loads((here / "tokenizer_text.json").read_text(encoding="utf-8"))

if len(sys.argv) > 1:
    tokenizer = Tokenizer.from_file(sys.argv[1])
    for text in texts["hard"]:
        ids = tokenizer.encode(text).ids
        print(json.dumps({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)}, ensure_ascii=False))
    sys.exit()

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False,
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tokenizer.train_from_iterator([texts["training"]], trainer)
(here / "tokenizer_bpe.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
ids = [tokenizer.encode(text).ids for text in texts["hard"]]
(here / "tokenizer_ids.json").write_text(json.dumps(ids) + "\n", encoding="utf-8")
