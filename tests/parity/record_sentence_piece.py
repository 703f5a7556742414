#!/usr/bin/env python3
"""Records SentencePiece's tokenizer.model, learned here as Llama's, Mistral's and Gemma's were, and the ids of hard texts
by transformers, and by SentencePiece itself for those without special tokens. Writes tests/parity/sentence_piece/.

    build/peers/bin/pip install sentencepiece protobuf tiktoken
    build/peers/bin/python tests/parity/record_sentence_piece.py
"""
import json
import pathlib
import tempfile

import sentencepiece
import transformers

HERE = pathlib.Path(__file__).parent
TEXTS = json.loads((HERE / "tokenizer_text.json").read_text(encoding="utf-8"))["hard"] + [
    " leading", "  two", "tail ", "a  b   c", "\n\nx\ty", "日本語 text", "🙂👍🏽", "<s>hi</s> there", "x<s> y", "", "▁"]
# name: whether a space is put in front, the class in tokenizer_config.json, legacy
KINDS = {"llama": (True, "LlamaTokenizer", False), "mistral": (True, "LlamaTokenizer", True),
         "gemma": (False, "GemmaTokenizer", None)}


def main():
    out = HERE / "sentence_piece"
    out.mkdir(exist_ok=True)
    for name, (prefix, kind, legacy) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder) / "text"
            text.write_text("\n".join(t.replace("\n", " ") for t in TEXTS if t) * 20, encoding="utf-8")
            sentencepiece.SentencePieceTrainer.train(
                input=str(text), model_prefix=f"{folder}/tokenizer", model_type="bpe", vocab_size=500, byte_fallback=True,
                normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=prefix,
                user_defined_symbols=["<tool>", "▁▁", "▁▁▁▁"], character_coverage=0.98, minloglevel=2)
            model = (pathlib.Path(folder) / "tokenizer.model").read_bytes()
            config = {"tokenizer_class": kind, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                      "add_bos_token": False}
            if legacy is not None:
                config["legacy"] = legacy
            (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
            theirs = transformers.AutoTokenizer.from_pretrained(folder)
            own = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
            (out / f"{name}.model").write_bytes(model)
            ids = [theirs(t, add_special_tokens=False)["input_ids"] for t in TEXTS]
            plain = [own.encode(t) for t in TEXTS]
            print(name, type(theirs).__name__, "differ:", [t for t, a, b in zip(TEXTS, ids, plain) if a != b][:6])
            backend = json.loads(theirs.backend_tokenizer.to_str()) if hasattr(theirs, "backend_tokenizer") else {}
            print({k: backend.get(k) for k in ("normalizer", "pre_tokenizer", "decoder")})
            (out / f"{name}.json").write_text(json.dumps(
                {"config": config, "texts": TEXTS, "ids": ids, "sentence_piece": plain,
                 "decoded": [theirs.decode(i) for i in ids]}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
