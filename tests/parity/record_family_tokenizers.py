#!/usr/bin/env python3
"""Records BPE, on bytes and on characters, as the families have it: their normalizers, patterns of words and added tokens, with small
vocabularies that are learned here, and the ids of hard texts. Writes tests/parity/family_tokenizers.json.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3     # or near
    venv/bin/python tests/parity/record_family_tokenizers.py

Of each family: `tokenizer`, the content of a tokenizer.json, and `ids`, those of every text without what a
post-processor adds; of those on characters also `texts`, what they are decoded to. `texts` are the hard texts of tokenizer_text.json and some more.
"""
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
TEXTS = json.loads((HERE / "tokenizer_text.json").read_text(encoding="utf-8"))
MORE = ["IT'S I'LL we'RE 'S 'ſ it'ſ", "1234567 12 1 ٣٤٥٦ ½²Ⅷ", "a\u030a A\u030a \u212b e\u0301\u0323 \u1100\u1161\u11a8 \u0958",
        "end.\n\nnew\r\n\r\n  par\n \n\tx", "foo(bar)[0]//baz\n\n\n", " \u00a0\u3000x \u2028 y", "a\u180eb \u200b c",
        "boating boat", "x  y   z    w\n", "ÀÉÎ iPhone HTMLParser αβγ ΑΒΓ ǅ", "tail   "]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
          r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")

# name: normalizer, pattern (None: GPT-2's), special tokens, other added tokens, model.ignore_merges
FAMILIES = {
    "gpt_neox": (normalizers.NFC(), None, ["<|endoftext|>", "<|padding|>"], ["    ", "  "], False),
    "llama3": (None, LLAMA3, ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], [], True),
    "mistral_tekken": (None, TEKKEN, ["<s>", "</s>", "[INST]"], [], True),
    "qwen": (normalizers.NFC(), QWEN, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>"], False),
    "olmo2": (None, LLAMA3, ["<|endoftext|>", "<|pad|>"], [], False),
}


def learn(normalizer, pattern, specials, added, ignore_merges):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    tokenizer.pre_tokenizer = level if pattern is None else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=specials, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([TEXTS["training"]], trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in added])
    if specials[0] in ("<|begin_of_text|>", "<s>"):
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{specials[0]} $A", special_tokens=[
                (specials[0], tokenizer.token_to_id(specials[0]))])])
    file = json.loads(tokenizer.to_str())
    if ignore_merges:  # a word that no merges make
        file["model"]["ignore_merges"] = True
        file["model"]["vocab"]["Ġfamily"] = max(file["model"]["vocab"].values()) + 1
    return file


SPACE = "\u2581"
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def metaspace(scheme):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": False}


# On characters, where a space is one: name: normalizer, pre_tokenizer, steps of the decoder besides those of all
PIECES = {
    "llama2": ({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, REPLACE]}, None, [STRIP]),
    "mistral_first": (None, metaspace("first"), [STRIP]),
    "mistral_always": (None, metaspace("always"), [STRIP]),
    "gemma2": (REPLACE, {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                         "invert": False}, []),
}


def learn_pieces(normalizer, pre_tokenizer, more):
    specials = ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(vocab_size=520, special_tokens=specials + [f"<0x{b:02X}>" for b in range(256)],
                                  show_progress=False)
    tokenizer.train_from_iterator([TEXTS["training"]], trainer)
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [t for t in file["added_tokens"] if t["content"] in specials]
    file["normalizer"], file["pre_tokenizer"] = normalizer, pre_tokenizer
    file["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        *more]}
    file["post_processor"] = {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    return file


def main():
    texts = TEXTS["hard"] + MORE + ["<|im_start|>user\nhi<|im_end|> <think>x", "<s>[INST] a", "<|eot_id|>b<|eot_id"]
    out = {"texts": texts}
    files = {name: learn(*parts) for name, parts in FAMILIES.items()}
    files |= {name: learn_pieces(*parts) for name, parts in PIECES.items()}
    for name, file in files.items():
        tokenizer = Tokenizer.from_str(json.dumps(file))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        out[name] = {"tokenizer": file, "ids": ids}
        if name in PIECES:  # the others give back every text
            out[name]["texts"] = [tokenizer.decode(i, skip_special_tokens=False) for i in ids]
        print(name, len(file["model"]["vocab"]), "pieces,", sum(map(len, out[name]["ids"])), "ids")
    (HERE / "family_tokenizers.json").write_text(json.dumps(out, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
