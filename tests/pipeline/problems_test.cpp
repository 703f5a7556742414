// problems_test.cpp - what is wrong with a pipeline is said with its place, all at once, and in these words.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, FiveMistakesGiveFiveMessages) {
  EXPECT_EQ(problems(R"(regimen: 1
stages:
  - name: base
    strategy: pretrane
    model: {family: gpt2, layers: 0, heads: 3, channels: 8, context: 8}
    data: {train: {text: a.txt}}
    steps: many
    bacth: 12
)"),
            "4:15: strategy \"pretrane\" is not known; did you mean \"pretrain\"?\n"
            "5:35: \"model.layers\" is 0, should be 1 to 1000\n"
            "5:58: 8 channels cannot be shared by 3 heads: channels should be a multiple of heads\n"
            "7:12: \"steps\" should be a whole number, 1 to 1000000000, got \"many\"\n"
            "8:5: unknown key \"bacth\" in a stage; did you mean \"batch\"?");
}

TEST_F(PipelineProblems, ForeignNamesAreAnswered) {
  EXPECT_EQ(problems(one_stage("    num_train_epochs: 3\n"
                               "    lr: 0.1\n"
                               "    lora_r: 8\n"
                               "    target_modules: [q]\n"
                               "    seed: 3\n"
                               "    max_grad_norm: 1\n")),
            "7:5: unknown key \"num_train_epochs\" in a stage: here it is \"epochs\"\n"
            "8:5: unknown key \"lr\" in a stage: write optimizer: {adamw: {learning_rate: …}}\n"
            "9:5: unknown key \"lora_r\" in a stage: here it is \"rank\", an option of the adapter: adapter: {ID: "
            "{rank: …}}\n"
            "10:5: unknown key \"target_modules\" in a stage: here it is \"sites\", an option of the adapter: adapter: "
            "{ID: {sites: […]}}\n"
            "11:5: unknown key \"seed\" in a stage: it belongs at the top of the file, not in a stage\n"
            "12:5: unknown key \"max_grad_norm\" in a stage: here it is \"clip\"");
}

TEST_F(PipelineProblems, ForeignNamesOfTheLength) {
  std::string lines, told;
  int line = 8;
  for (const char* name :
       {"max_length", "max_seq_length", "cutoff_len", "block_size", "model_max_length", "sequence_len"}) {
    lines += fmt::format("    {}: 4\n", name);
    told += fmt::format("{}{}:5: unknown key \"{}\" in a stage: here it is \"length\", the most tokens of a row",
                        told.empty() ? "" : "\n", line++, name);
  }
  EXPECT_EQ(problems(right + lines), told);
}

TEST_F(PipelineProblems, ARowIsNoLongerThanTheContext) {
  EXPECT_EQ(problems(right + "    length: 1\n"), "8:13: \"length\" is 1, should be 2 to 16777216");
  EXPECT_EQ(problems(right + "    length: 8\n"), "");
  EXPECT_EQ(problems(right + "    length: 9\n"),
            "8:5: \"length\" is 9, and the model has a context of 8: write at most 8, or leave it out");
}

TEST_F(PipelineProblems, ForeignNamesOfModels) {
  EXPECT_EQ(problems(with_line(5, "    model: {family: gpt2, n_layer: 1, n_head: 2, n_embd: 8, block_size: 8}")),
            "5:27: unknown key \"n_layer\" in a model: here it is \"layers\"\n"
            "5:39: unknown key \"n_head\" in a model: here it is \"heads\"\n"
            "5:50: unknown key \"n_embd\" in a model: here it is \"channels\"\n"
            "5:61: unknown key \"block_size\" in a model: here it is \"context\"");
}

TEST_F(PipelineProblems, UnknownKeysListWhatThereIs) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "foo: 2\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrain\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"
                     "    wibble: 3\n"),
            "2:1: unknown key \"foo\" in a pipeline; it has: regimen, name, seed, plugins, backend, stages\n"
            "9:5: unknown key \"wibble\" in a stage; it has: name, strategy, adapter, reward, optimizer, schedule, "
            "steps, epochs, batch, micro_batch, length, ensemble, clip, evaluate, log, checkpoint, keep, trainable, "
            "precision, "
            "weights, "
            "recompute, sample, demand, model, tokenizer, data");
}

TEST_F(PipelineProblems, VersionIsRequired) {
  EXPECT_EQ(problems("stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrain\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"),
            "1:1: \"regimen\" is missing: begin with `regimen: 1`, the version of this grammar");
}

TEST_F(PipelineProblems, OtherVersionsAreRefused) {
  EXPECT_EQ(problems(with_line(1, "regimen: 2")),
            "1:10: \"regimen\" should be 1, the version of the grammar that this program reads, got \"2\": update the "
            "program, or see the changelog");
}

TEST_F(PipelineProblems, StagesAreRequired) {
  EXPECT_EQ(problems("regimen: 1\n"),
            "1:1: \"stages\" should be a list of at least one stage: stages: [{name: …, strategy: …}]");
}

TEST_F(PipelineProblems, StagesAreAList) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: {base: 1}\n"),
            "2:9: \"stages\" should be a list of at least one stage: stages: [{name: …, strategy: …}]");
}

TEST_F(PipelineProblems, StageHasToBeAMap) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: [base]\n"),
            "2:10: a stage should be a map, {key: value}, got \"base\"");
}

TEST_F(PipelineProblems, StageWithNothing) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: [{}]\n"),
            "2:10: stage 1 has no \"name\": its results go into a folder of that name\n"
            "2:10: stage \"stage-1\" has no \"strategy\", which says what it does: add strategy: ID\n"
            "2:10: stage \"stage-1\" has no \"model\": write {family: …} with sizes, or {from: STAGE or DIR}");
}

TEST_F(PipelineProblems, NamesAreFolders) {
  EXPECT_EQ(problems(with_line(3, "  - name: ../Base")),
            "3:11: \"name\" should be a word of a-z, 0-9, _ and -, at most 64 of them, got \"../Base\"");
}

TEST_F(PipelineProblems, TwoStagesOfOneName) {
  EXPECT_EQ(
      problems(right +
               "  - {name: base, strategy: pretrain, model: {from: base}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "8:12: there are two stages \"base\": each needs a name of its own");
}

TEST_F(PipelineProblems, DuplicateKeys) {
  EXPECT_EQ(problems(right + "    steps: 2\n"), "8:5: key \"steps\" is given twice, first in line 7");
}

TEST_F(PipelineProblems, WrongTypes) {
  EXPECT_EQ(problems(one_stage("    steps: [1]\n"
                               "    batch: \"8\"\n"
                               "    clip: high\n"
                               "    recompute: 3\n"
                               "    optimizer: [adamw]\n"
                               "    log: 10\n"
                               "    schedule: {cosine: 3}\n"
                               "    evaluate:\n")),
            "7:12: \"steps\" should be a whole number, 1 to 1000000000, got a list\n"
            "8:12: \"batch\" should be a whole number, 1 to 1048576, got the text \"8\"\n"
            "9:11: \"clip\" should be a number, at least 0, got \"high\"\n"
            "10:16: \"recompute\" should be true or false, got \"3\"\n"
            "11:16: \"optimizer\" should be one optimizer, as `id` or `{id: {options}}`, got a list\n"
            "12:10: \"log\" should be {every: steps}, got \"10\"\n"
            "13:24: \"schedule.cosine\" should be a map, {key: value}, got \"3\"\n"
            "14:5: \"evaluate\" should be {every: steps} or {epochs: N}, got nothing\n"
            "14:5: nothing to evaluate on: add data: {validation: {split: 0.1}}, or a file");
}

TEST_F(PipelineProblems, OutOfRange) {
  EXPECT_EQ(problems(one_stage("    steps: -1\n"
                               "    batch: 1.5\n"
                               "    clip: -1\n"
                               "    optimizer: {adamw: {beta1: 1, learning_rate: 0}}\n"
                               "    sample: {top_p: 0, min_p: 1.5, prompt: a}\n")),
            "7:12: \"steps\" is -1, should be 1 to 1000000000\n"
            "8:12: \"batch\" should be a whole number, 1 to 1048576, got \"1.5\"\n"
            "9:11: \"clip\" is -1, should be at least 0\n"
            "10:32: \"optimizer.adamw.beta1\" is 1, should be at least 0 and below 1\n"
            "10:50: \"optimizer.adamw.learning_rate\" is 0, should be above 0\n"
            "11:21: \"sample.top_p\" is 0, should be above 0 and at most 1\n"
            "11:31: \"sample.min_p\" is 1.5, should be at least 0 and at most 1");
}

// They are computed with as float32, of which the largest is 3.4e38 and the smallest 1.4e-45.
TEST_F(PipelineProblems, NumbersThatFloat32DoesNotHave) {
  EXPECT_EQ(problems(right + "    optimizer: {adamw: {epsilon: 1e-60, weight_decay: 1e39}}\n"
                             "    schedule: {cosine: {final: 1e308}}\n"),
            "8:34: \"optimizer.adamw.epsilon\" is 1e-60, which is 0 in float32, should be above 0\n"
            "8:55: \"optimizer.adamw.weight_decay\" is 1e39, which is inf in float32, should be at most 3.4e38\n"
            "9:32: \"schedule.cosine.final\" is 1e308, which is inf in float32, should be at most 3.4e38");
  EXPECT_EQ(
      problems(right + "    optimizer: {adamw: {learning_rate: 1e39, weight_decay: 1e-60, beta2: 0.999999999}}\n"),
      "8:40: \"optimizer.adamw.learning_rate\" is 1e39, which is inf in float32, should be at most 3.4e38\n"
      "8:60: \"optimizer.adamw.weight_decay\" is 1e-60, which is 0 in float32, should be 0 or at least 1.4e-45\n"
      "8:74: \"optimizer.adamw.beta2\" is 0.999999999, which is 1 in float32, should be at least 0 and below 1");
  EXPECT_EQ(problems(right + "    optimizer: {adamw: {learning_rate: 1e36, weight_decay: 0, epsilon: 1e-40}}\n"), "");
}

TEST_F(PipelineProblems, RatesAreNumbersAboveZeroByPattern) {
  const auto rates = [&](const std::string& value) {
    return problems(right + "    optimizer: {adamw: {rates: " + value + "}}\n");
  };
  EXPECT_EQ(rates("{\"*.b\": 1e-3, head.weight: 2}"), "");
  EXPECT_EQ(rates("[{\"*.b\": 1e-3}, {head.weight: 2}]"), "");
  EXPECT_EQ(rates("{}"), "");
  EXPECT_EQ(problems(right + "    optimizer: {sgd: {rates: {\"*.b\": 1e-3}}}\n"), "");
  for (const char* zero : {"0", "0.0", "-0"})
    EXPECT_EQ(rates(fmt::format("{{\"*.b\": {}}}", zero)),
              "8:40: \"optimizer.adamw.rates.*.b\" is 0: to leave parameters as they are, say in \"trainable\" what is "
              "trained instead");
  EXPECT_EQ(rates("{\"*.b\": -1}"), "8:40: \"optimizer.adamw.rates.*.b\" is -1, should be above 0");
  EXPECT_EQ(rates("{\"*.b\": 1e-60}"),
            "8:40: \"optimizer.adamw.rates.*.b\" is 1e-60, which is 0 in float32, should be above 0");
  EXPECT_EQ(rates("{\"*.b\": .nan}"), "8:40: \"optimizer.adamw.rates.*.b\" should be a number, above 0, got \".nan\"");
  EXPECT_EQ(rates("{\"*\": {b: 1}}"),
            "8:38: \"optimizer.adamw.rates.*\" should be a number, above 0, got a map; a pattern with dots is set with "
            "all of \"rates\": --set '….rates={\"*.b\": 1e-3}'");
  EXPECT_EQ(rates("[{a: 1}, 3]"), "8:41: \"optimizer.adamw.rates[1]\" should be a map, {key: value}, got \"3\"");
  EXPECT_EQ(problems(right + "    loraplus_lr_ratio: 16\n"),
            "8:5: unknown key \"loraplus_lr_ratio\" in a stage: write optimizer: {adamw: {rates: {PATTERN: learning "
            "rate}}}");
}

TEST_F(PipelineProblems, NumbersThatWouldNeverEnd) {
  EXPECT_EQ(problems(one_stage("    steps: 1e15\n"
                               "    batch: 1048577\n"
                               "    micro_batch: 1e12\n"
                               "    sample: {prompt: a, tokens: 2e6, count: 10001}\n")),
            "7:12: \"steps\" is 1000000000000000, should be 1 to 1000000000\n"
            "8:12: \"batch\" is 1048577, should be 1 to 1048576\n"
            "9:18: \"micro_batch\" is 1000000000000, should be 1 to 1048576\n"
            "10:33: \"sample.tokens\" is 2000000, should be 1 to 1048576\n"
            "10:45: \"sample.count\" is 10001, should be 0 to 10000");
  EXPECT_EQ(problems(one_stage("    epochs: 1e300\n")),
            "7:13: \"epochs\" is 1e300, should be above 0 and at most 1000000");
}

TEST_F(PipelineProblems, SamplesNeedAPrompt) {
  EXPECT_EQ(problems(right + "    sample: {tokens: 5}\n"),
            "8:13: \"sample\" has no prompt to continue: add prompt: \"Once upon a time\"");
  EXPECT_EQ(problems(right + "    sample: {promt: a}\n"),
            "8:14: unknown key \"promt\" in sample; did you mean \"prompt\"?");
  EXPECT_EQ(problems(right + "    sample: {count: 0}\n"), "");
}

TEST_F(PipelineProblems, TextsThatEndASample) {
  for (const char* stop : {"stop: \"\\n\"", "stop: [End, \"\\n\\n\"]", "stop: []"})
    EXPECT_EQ(problems(right + "    sample: {prompt: a, " + stop + "}\n"), "") << stop;
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop: [b, '']}\n"),
            "8:31: \"sample.stop\" has an empty text, which ends nothing: leave it out");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop: {b: c}}\n"),
            "8:31: \"sample.stop\" should be text, got a map");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop_strings: [b]}\n"),
            "8:25: unknown key \"stop_strings\" in sample: here it is \"stop\"");
  EXPECT_EQ(
      problems(right + "    sample: {prompt: a, wibble: b}\n"),
      "8:25: unknown key \"wibble\" in sample; it has: prompt, tokens, temperature, top_k, top_p, min_p, stop, count");
}

TEST_F(PipelineProblems, TheCacheIsNoStage) {
  EXPECT_EQ(problems(with_line(3, "  - name: cache")),
            "3:11: \"cache\" is the folder of a run where tokenised text is kept: call the stage something else");
}

TEST_F(PipelineProblems, BothLengths) {
  EXPECT_EQ(problems(right + "    epochs: 2\n"),
            "8:5: \"steps\" and \"epochs\" both say how long: leave one of them out");
}

TEST_F(PipelineProblems, NoLength) {
  EXPECT_EQ(problems(no_length), "3:5: stage \"base\" does not say how long to train: add steps: 1000, or epochs: 3");
}

TEST_F(PipelineProblems, UnknownPlugins) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "backend: chop\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrian\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"
                     "    adapter: [low_rank, lowrank]\n"),
            "2:10: backend \"chop\" is not known; did you mean \"chip\"?\n"
            "5:15: strategy \"pretrian\" is not known; did you mean \"pretrain\"?\n"
            "9:25: adapter \"lowrank\" is not known; did you mean \"low_rank\"?");
}

TEST_F(PipelineProblems, OptionsOfPlugins) {
  EXPECT_EQ(problems(right + "    adapter: {low_rank: {lora_r: 3, alpha: strong, rank: 0}}\n"),
            "8:26: adapter \"low_rank\": option \"lora_r\" is called \"rank\" here\n"
            "8:44: adapter \"low_rank\": option \"alpha\" should be a number, got \"strong\"\n"
            "8:58: adapter \"low_rank\": option \"rank\" is 0, its range is 1 to 1024");
}

TEST_F(PipelineProblems, OptionsOnNoOptions) {
  EXPECT_EQ(problems(with_line(4, "    strategy: {pretrain: {a: 1}}")),
            "4:27: strategy \"pretrain\": option \"a\" is not known; it has no options");
}

TEST_F(PipelineProblems, TwoComponentsWhereOneIsMeant) {
  EXPECT_EQ(problems(with_line(4, "    strategy: {pretrain: {}, sample: {}}")),
            "4:15: \"strategy\" should be one strategy, as `id` or `{id: {options}}`, got a map of 2");
}

TEST_F(PipelineProblems, RequiredOptions) {
  EXPECT_EQ(problems(right + "    reward: words\n"), "8:13: reward \"words\": option \"words\" must be given: a list");
}

TEST_F(PipelineProblems, FilesOfOptions) {
  EXPECT_EQ(problems(right + "    reward: {words: {words: none.txt}}\n"),
            "8:29: reward \"words\": option \"words\": there is no file \"none.txt\" (looked for none.txt, "
            "data/none.txt): put it into data, or set REGIMEN_DATA to the folder that has it");
}

TEST_F(PipelineProblems, OneColumnIsNotOfTwoKinds) {
  EXPECT_EQ(
      problems(with_line(6, "    data: {train: {jsonl: p.jsonl}}") + "    reward: proofreader\n"),
      "8:5: reward \"proofreader\" reads the column \"text\" as text, which the stage reads as tokens already: the "
      "two cannot work on the same data");
  // What comes with an answer is of a kind of its own.
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base}, reward: proofreader, data: {prompts: "
                       "{jsonl: p.jsonl}}}\n"),
      "");
}

TEST_F(PipelineProblems, ModelFromALaterStage) {
  EXPECT_EQ(
      problems(with_line(5, "    model: {from: later}") +
               "  - {name: later, strategy: pretrain, model: {from: base}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "5:19: \"later\" is a later stage: stages run in order, there is none before this one");
}

TEST_F(PipelineProblems, ModelFromItself) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: base}")),
            "5:19: \"base\" is this stage itself: stages run in order, there is none before this one");
}

TEST_F(PipelineProblems, ModelFromNowhere) {
  EXPECT_EQ(
      problems(right +
               "  - {name: b, strategy: pretrain, model: {from: bsae}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "8:49: \"bsae\" is neither an earlier stage (before this one: base) nor a folder (looked for bsae); did you mean "
      "\"base\"?");
}

TEST_F(PipelineProblems, ModelFromAFolderWithoutOne) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: data}")),
            "5:19: data: has no model: expected config.json in it, or in a model/ inside it");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained}")), "");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained/model}")), "");
}

TEST_F(PipelineProblems, ModelFromAnAdapterWithoutItsBase) {
  fs::create_directories(folder_ / "tuned" / "adapter");
  write_file(folder_ / "tuned/adapter/adapter_config.json", "{\"base_model_name_or_path\": \"../../trained/model\"}");
  EXPECT_EQ(problems(with_line(5, "    model: {from: tuned}")), "");
  fs::remove_all(folder_ / "trained");
  EXPECT_EQ(problems(with_line(5, "    model: {from: tuned}")),
            "5:19: tuned/adapter/adapter_config.json: the base model \"../../trained/model\" is not there; give its "
            "folder with --model, and this one with --adapter");
}

TEST_F(PipelineProblems, ModelFromRows) {
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}}\n"
                       "  - {name: b, strategy: pretrain, model: {from: s}, data: {train: {from: base}}, steps: 1}\n"),
      "9:49: stage \"s\" leaves rows, but a model is needed here: strategy \"sample\" trains nothing\n"
      "9:74: stage \"base\" leaves a model, but rows are needed here: strategy \"pretrain\" writes none");
}

TEST_F(PipelineProblems, MergedIsAModelWithAnAdapterThatCanBe) {
  const auto then = [](const std::string& name, const std::string& model) {
    return "  - {name: " + name + ", strategy: pretrain, model: " + model +
           ", data: {train: {text: a.txt}}, steps: 1}\n";
  };
  const std::string merged = then("b", "{from: base, merged: true}"), low_rank = "    adapter: low_rank\n";
  EXPECT_EQ(problems(right + low_rank + merged), "");
  EXPECT_EQ(problems(right + merged), "8:55: base has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(problems(right + "    adapter: in_front\n" + merged),
            "9:55: adapter \"in_front\" cannot be merged: it puts vectors in front of the text; leave \"merged\" out");
  EXPECT_EQ(problems(right + low_rank + "    ensemble: 2\n" + merged),
            "10:55: stage \"base\" leaves an ensemble, and no one model has all of its adapters");
  // By way of another stage, which hands it on, or has merged it.
  const std::string again = then("c", "{from: b, merged: true}");
  EXPECT_EQ(problems(right + low_rank + then("b", "{from: base}") + again), "");
  EXPECT_EQ(problems(right + low_rank + merged + again),
            "10:52: b has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(
      problems(right + low_rank + then("b", "{from: base, merged: true}, adapter: {low_rank: {}, from: base}")),
      "9:55: adapter \"low_rank\" starts as the one that is merged, which would act twice: leave one of the two out");
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained, merged: true}")),
            "5:28: trained has no adapter that could be merged: leave \"merged\" out");
  EXPECT_EQ(
      problems(with_line(5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, merged: true}")),
      "5:73: \"merged\" is of a model that is taken: write {from: STAGE or DIR, merged: true}");
}

TEST_F(PipelineProblems, TokensAreAddedToAModelThatIsTaken) {
  const auto of = [&](const std::string& tokens) {
    return problems(with_line(5, "    model: {from: trained, add_tokens: " + tokens + "}"));
  };
  EXPECT_EQ(of("[\"<|im_start|>\", \"<|im_end|>\"]"), "");
  EXPECT_EQ(of("<end>"), "");
  EXPECT_EQ(of("[]"), "5:40: no token is named: write add_tokens: [\"<|im_start|>\", \"<|im_end|>\"], or leave it out");
  EXPECT_EQ(of("[\"\", <a>, <b>, <a>]"),
            "5:40: a token without text cannot be added\n"
            "5:40: the token \"<a>\" is given twice");
  EXPECT_EQ(of("[[<a>]]"), "5:41: \"model.add_tokens[0]\" should be text, got a list");
  EXPECT_EQ(problems(with_line(
                5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, add_tokens: [<a>]}")),
            "5:73: \"add_tokens\" is of a model that is taken: write {from: STAGE or DIR, add_tokens: […]}");
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base, add_tokens: [<a>]}, data: {prompts: "
                       "{jsonl: p.jsonl}}}\n"),
      "8:53: strategy \"sample\" trains nothing, and a new token means nothing before it was trained: add it in a "
      "stage that trains, and take the model from there");
}

TEST_F(PipelineProblems, ForeignNamesOfTokens) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: trained, additional_special_tokens: [<a>]}")),
            "5:28: unknown key \"additional_special_tokens\" in a model: here it is \"add_tokens\"");
  EXPECT_EQ(problems(right + "    special_tokens: [<a>]\n    modules_to_save: [embed_tokens]\n"),
            "8:5: unknown key \"special_tokens\" in a stage: write model: {from: …, add_tokens: […]}\n"
            "9:5: unknown key \"modules_to_save\" in a stage: write trainable: {names: [embedding.weight, "
            "head.weight]} beside the adapter");
}

TEST_F(PipelineProblems, ModelHasToBeThere) {
  EXPECT_EQ(problems(with_line(5, "")),
            "3:5: stage \"base\" has no \"model\": write {family: …} with sizes, or {from: STAGE or DIR}");
}

TEST_F(PipelineProblems, ModelIsAMap) {
  EXPECT_EQ(problems(with_line(5, "    model: gpt2")), "5:12: \"model\" should be a map, {key: value}, got \"gpt2\"");
}

TEST_F(PipelineProblems, ModelSizes) {
  EXPECT_EQ(problems(with_line(5,
                               "    model: {family: gtp2, layers: 1, heads: 4, kv_heads: 3, channels: 8, dropout: 1, "
                               "head: {clasify: {labels: [a, b]}}}")),
            "5:12: a new model also needs context\n"
            "5:21: \"model.family\" should be one of gpt2, gpt_neox, llama, mistral, qwen2, qwen3, gemma2, olmo2, got "
            "\"gtp2\"; did you mean \"gpt2\"?\n"
            "5:58: 4 heads cannot share 3 kv_heads: heads should be a multiple of kv_heads\n"
            "5:83: \"model.dropout\" is 1, should be at least 0 and below 1\n"
            "5:93: head \"clasify\" is not known; did you mean \"classify\"?");
}

TEST_F(PipelineProblems, HeadsOfAModel) {
  const auto head = [&](const std::string& given) {
    return problems(
        with_line(5, "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8, head: " + given + "}"));
  };
  EXPECT_EQ(head("scalar"), "");
  EXPECT_EQ(head("{classify: {labels: [a, b]}}"), "");
  EXPECT_THAT(head("classify"), testing::HasSubstr("needs labels: head: {classify: {labels: [negative, positive]}}"));
  EXPECT_THAT(head("{classify: {labels: [a]}}"), testing::HasSubstr("at least 2 labels are needed, there are 1"));
  EXPECT_THAT(head("{classify: {labels: [a, a]}}"), testing::HasSubstr("a label is given twice"));
  EXPECT_THAT(head("{classify: {label: [a, b]}}"), testing::HasSubstr("unknown key \"label\""));
}

TEST_F(PipelineProblems, TokenizerOfATakenModel) {
  EXPECT_EQ(problems(right + "  - {name: b, strategy: pretrain, model: {from: base}, tokenizer: bytes, data: {train: "
                             "{text: a.txt}}, steps: 1}\n"),
            "8:56: a model taken from elsewhere already has its tokenizer: leave this out; special tokens are added to "
            "it with model: {from: …, add_tokens: […]}");
}

TEST_F(PipelineProblems, Tokenizers) {
  EXPECT_EQ(problems(right + "    tokenizer: charcters\n"),
            "8:16: tokenizer \"charcters\" is not known; did you mean \"characters\"?");
}

TEST_F(PipelineProblems, TokenizerSizes) {
  EXPECT_EQ(problems(right + "    tokenizer: {bpe: {vocabulary: 100}}\n"),
            "8:35: \"tokenizer.bpe.vocabulary\" is 100, should be 257 to 10000000");
}

TEST_F(PipelineProblems, TokenizerFolders) {
  EXPECT_EQ(problems(right + "    tokenizer: {from: none}\n"),
            "8:23: there is no none: expected a folder with tokenizer.json, relative to the pipeline");
}

TEST_F(PipelineProblems, TokenizerFoldersWithoutOne) {
  EXPECT_EQ(problems(right + "    tokenizer: {from: data}\n"),
            "8:23: data has neither a tokenizer.json nor a tokenizer.model in it");
}

TEST_F(PipelineProblems, RolesThatAStrategyHasNot) {
  EXPECT_EQ(problems(right + "    teacher: {from: base}\n"), "8:5: strategy \"pretrain\" uses no \"teacher\"");
}

TEST_F(PipelineProblems, AnAccuracyThatTheStrategyDoesNotReport) {
  EXPECT_EQ(problems(right + "    demand: {accuracy: 0.6}\n"),
            "8:14: strategy \"pretrain\" reports no \"accuracy\": it is judged by its loss, and what it measures on "
            "held-out data is called validation_…; demand validation_loss: {at_most: NUMBER}");
}

TEST_F(PipelineProblems, MissingFiles) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: shakespeare.txt}}")),
            "6:26: there is no file \"shakespeare.txt\" (looked for shakespeare.txt, data/shakespeare.txt): put it "
            "into data, or set REGIMEN_DATA to the folder that has it; it is tinyshakespeare: input.txt in "
            "https://github.com/karpathy/char-rnn/tree/master/data/tinyshakespeare");
  EXPECT_THAT(problems(with_line(6, "    data: {train: {text: stories.txt}}")),
              testing::EndsWith("; it is written by `regimen-stories --bytes 400000 --seed 1 --out stories.txt`, a "
                                "program beside regimen, as the build does"));
}

TEST_F(PipelineProblems, EmptyFiles) {
  fs::create_directories(folder_ / "data" / "void");
  for (const char* name : {"0.txt", "void/1.txt", "void/2.txt", "many/0.txt"}) write_file(folder_ / "data" / name, "");
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: [a.txt, 0.txt]}, validation: {text: void}}")),
            "6:34: data/0.txt is empty\n"
            "6:62: data/void is empty, as is every file in it");
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: many}}")), "");
}

TEST_F(PipelineProblems, FilesThatCannotBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads every file";
  fs::permissions(folder_ / "data/a.txt", fs::perms::none);
  EXPECT_EQ(problems(right), "6:26: data/a.txt cannot be read: Permission denied");
}

TEST_F(PipelineProblems, MissingSources) {
  EXPECT_EQ(problems(with_line(6, "")),
            "3:5: strategy \"pretrain\" reads \"train\" with text: write data: {train: {FORMAT: FILE}} with text, "
            "jsonl, json, csv, tsv");
}

TEST_F(PipelineProblems, UnknownSources) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt}, valid: {text: a.txt}, prompts: {text: a.txt}}")),
            "6:34: strategy \"pretrain\" does not read \"valid\": here it is \"validation\"\n"
            "6:56: strategy \"pretrain\" does not read \"prompts\"; it reads: train, validation");
}

TEST_F(PipelineProblems, SourcesWithoutFormat) {
  EXPECT_EQ(
      problems(with_line(6, "    data: {train: {columns: {text: 0}}, validation: {txt: a.txt}}")),
      "6:19: \"data.train\" does not say where the data is: write {FORMAT: FILE} with text, jsonl, json, csv, tsv, "
      "or {from: STAGE}\n"
      "6:54: unknown key \"txt\" in a source of data: here it is \"text\"");
}

TEST_F(PipelineProblems, SourcesWithTwoFormats) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt, jsonl: p.jsonl}}")),
            "6:19: \"data.train\" names more than one place for its data: keep only one of them");
}

TEST_F(PipelineProblems, ColumnsThatNobodyReads) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {tsv: t.tsv, columns: {txt: 0, text: {prompt: 1}}}}")),
            "6:42: column \"txt\" is not read here; did you mean \"text\"?\n"
            "6:56: \"data.train.columns.text\" should have both: {prompt: name in the file, answer: name in the file}; "
            "or {messages: name}");
}

TEST_F(PipelineProblems, ColumnsOfText) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt, columns: {text: 0}}}")),
            "6:33: plain text has no columns: leave this out, or use jsonl, json, csv or tsv");
}

TEST_F(PipelineProblems, TextForSeveralColumns) {
  EXPECT_EQ(problems(with_line(4, "    strategy: pairs")),
            "6:20: strategy \"pairs\" reads the columns chosen, rejected, but plain text has none: use jsonl, json, "
            "csv or tsv");
}

TEST_F(PipelineProblems, FoldersWithoutFiles) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {jsonl: many}}")),
            "6:27: the folder data/many has no *.jsonl files in it");
}

TEST_F(PipelineProblems, Splits) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt}, validation: {split: 1.5}}")),
            "6:54: \"data.validation.split\" is 1.5, should be above 0 and below 1");
}

TEST_F(PipelineProblems, SplitOfNothing) {
  EXPECT_EQ(problems(with_line(6, "    data: {validation: {split: 0.5}}")),
            "6:5: strategy \"pretrain\" reads \"train\" with text: write data: {train: {FORMAT: FILE}} with text, "
            "jsonl, json, csv, tsv");
}

TEST_F(PipelineProblems, EvaluateWithoutHeldOutData) {
  EXPECT_EQ(problems(right + "    evaluate: {every: 3}\n"
                             "    keep: best\n"),
            "8:5: nothing to evaluate on: add data: {validation: {split: 0.1}}, or a file\n"
            "9:5: \"keep: best\" needs held-out data: add data: {validation: {split: 0.1}}, or a file");
}

TEST_F(PipelineProblems, TrainableWithoutAdapter) {
  EXPECT_EQ(problems(right + "    trainable: adapter\n"),
            "8:5: \"trainable: adapter\" needs an adapter: add adapter: ID");
}

TEST_F(PipelineProblems, Trainable) {
  EXPECT_EQ(
      problems(right + "    trainable: everything\n"),
      "8:16: \"trainable\" should be all, head, adapter, {last: layers} or {names: [patterns]}, got \"everything\"");
}

TEST_F(PipelineProblems, MicroBatchAboveBatch) {
  EXPECT_EQ(problems(right + "    batch: 4\n"
                             "    micro_batch: 8\n"),
            "9:5: \"micro_batch\" is 8, more than the 4 rows of \"batch\"");
}

TEST_F(PipelineProblems, WhatThisVersionHasNot) {
  EXPECT_EQ(problems(right + "    precision: float16\n"
                             "    weights: int8\n"),
            "8:16: \"precision\" should be one of float32, bfloat16, got \"float16\"; did you mean \"bfloat16\"?\n"
            "9:14: \"weights\" should be one of float32, bfloat16, nf4, got \"int8\"");
}

TEST_F(PipelineProblems, OptimizersAndSchedules) {
  EXPECT_EQ(problems(right + "    optimizer: adam\n"
                             "    schedule: {cosin: {}}\n"),
            "8:16: optimizer \"adam\" is not known; did you mean \"adamw\"?\n"
            "9:16: schedule \"cosin\" is not known; did you mean \"cosine\"?");
}

TEST_F(PipelineProblems, CheckpointWhen) {
  EXPECT_EQ(problems(right + "    checkpoint: {every: 3, minutes: 3, keep: all}\n"),
            "8:28: \"every\" (steps) and \"minutes\" both say when: leave one of them out\n"
            "8:46: \"checkpoint.keep\" should be last, best or {best: NAME}, got \"all\"");
}

TEST_F(PipelineProblems, StepsOrAShareOfThem) {
  const auto warmup = [&](const std::string& value) {
    return problems(right + "    schedule: {cosine: {warmup: " + value + "}}\n");
  };
  const std::string wanted =
      "8:33: \"schedule.cosine.warmup\" should be a number of steps, at least 0, or a share of them, 0% to 100%, got ";
  for (const char* value : {"0", "2e3", "0%", "3%", "2.5%", "100%", "\"3%\""}) EXPECT_EQ(warmup(value), "") << value;
  for (const std::string value : {"-1", "1.5", "-3%", "101%", "many"})
    EXPECT_EQ(warmup(value), wanted + '"' + value + '"');
  EXPECT_EQ(warmup("0.03"), wanted + "\"0.03\"; did you mean 3%?");
  EXPECT_EQ(warmup("[3%]"), wanted + "a list");
}

TEST_F(PipelineProblems, WarmUpAndDecayAreWithinTheSteps) {
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 60%, decay: 50%}}\n"),
            "8:35: \"warmup\" and \"decay\" take 110% of the steps together: 100% is all there is");
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 95%}}\n"),
            "8:22: \"warmup\" and \"decay\" take 105% of the steps together: 100% is all there is");
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 90%}}\n"), "");
  EXPECT_EQ(problems(right + "    schedule: {linear: {decay: 10%}}\n"),
            "8:25: unknown key \"decay\" in linear; it has: warmup, final");
}

TEST_F(PipelineProblems, EvaluateWhen) {
  const std::string held_out = with_line(6, "    data: {train: {text: a.txt}, validation: {split: 0.5}}");
  EXPECT_EQ(problems(held_out + "    evaluate: {every: 3, epochs: 1}\n"),
            "8:26: \"every\" (steps) and \"epochs\" both say when: leave one of them out");
  EXPECT_EQ(problems(held_out + "    evaluate: {epochs: 0}\n"),
            "8:24: \"evaluate.epochs\" is 0, should be above 0 and at most 1000000");
  EXPECT_EQ(problems(held_out + "    evaluate: {every: 3, patience: 0}\n"),
            "8:36: \"evaluate.patience\" is 0, should be at least 1");
  EXPECT_EQ(problems(held_out + "    evaluate: {patience: 3}\n"),
            "8:16: \"patience\" counts evaluations before the end, and there are none: add every: STEPS, or epochs: N");
  EXPECT_EQ(problems(held_out + "    evaluate: {early_stopping: 3, every: 1}\n"),
            "8:16: unknown key \"early_stopping\" in evaluate: here it is \"patience\"");
  EXPECT_EQ(problems(held_out + "    early_stopping_patience: 3\n"),
            "8:5: unknown key \"early_stopping_patience\" in a stage: write evaluate: {every: steps, patience: "
            "evaluations}");
}

TEST_F(PipelineProblems, TheNumberThatIsToBeBest) {
  const auto keep = [&](const std::string& value) {
    return problems(with_line(6, "    data: {train: {text: a.txt}, validation: {split: 0.5}}") + "    keep: " + value +
                    "\n");
  };
  EXPECT_EQ(keep("{best: validation_accuracy}"), "");
  EXPECT_EQ(keep("{best: {validation_kl: lowest}}"), "");
  EXPECT_EQ(
      keep("{best: validation_kl}"),
      "8:18: whether the highest or the lowest \"validation_kl\" is the best does not follow from its name: write "
      "{best: {validation_kl: highest}}, or lowest");
  EXPECT_EQ(keep("{best: {validation_kl: max}}"),
            "8:34: \"keep.best.validation_kl\" should be one of highest, lowest, got \"max\"");
  EXPECT_EQ(keep("{best: [a]}"), "8:18: \"keep.best\" should be NAME, {NAME: highest} or {NAME: lowest}, got a list");
  EXPECT_EQ(keep("{best: {\"\": lowest}}"),
            "8:18: \"keep.best\" should be NAME, {NAME: highest} or {NAME: lowest}, got a map");
  EXPECT_EQ(keep("{worst: a}"), "8:12: unknown key \"worst\" in keep; it has: best");
  EXPECT_EQ(keep("{}"), "8:11: \"keep\" should be last, best or {best: NAME}, got a map");
  EXPECT_EQ(
      keep("{best: accuracy}"),
      "8:5: strategy \"pretrain\" reports no \"accuracy\" of held-out data, where what its steps report is called "
      "validation_…: write keep: {best: validation_accuracy}");
}

TEST_F(PipelineProblems, TrainingWhereNothingIsTrained) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages:\n"
                     "  - {name: s, strategy: sample, model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: "
                     "8}, data: {prompts: {jsonl: p.jsonl}}, clip: 1, optimizer: sgd}\n"),
            "3:137: strategy \"sample\" trains nothing: leave \"clip\" out\n"
            "3:146: strategy \"sample\" trains nothing: leave \"optimizer\" out");
}

// It would answer with whatever values an untrained adapter has.
TEST_F(PipelineProblems, WhereNothingIsTrainedAnAdapterComesFromElsewhere) {
  const auto asked = [&](const std::string& adapter) {
    return problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}, " +
                    adapter + "}\n");
  };
  EXPECT_EQ(
      asked("adapter: low_rank"),
      "8:89: strategy \"sample\" trains nothing, and adapter \"low_rank\" would stay as it starts: take a trained "
      "one, as in adapter: {low_rank: {}, from: STAGE}, or leave \"adapter\" out");
  EXPECT_EQ(asked("adapter: [{low_rank: {}, from: base}]"), "");
}

TEST_F(PipelineProblems, RewardsThatWereNotLearned) {
  EXPECT_EQ(problems(right + "  - {name: o, strategy: online, model: {from: base}, reward: {from: base}, data: "
                             "{prompts: {jsonl: p.jsonl}}}\n"),
            "8:69: stage \"base\" learns no reward: name the reward that it should learn there");
}

TEST_F(PipelineProblems, DefaultsThatAreWrong) {
  EXPECT_EQ(problems(with_line(4, "    strategy: mistaken")),
            "4:5: the defaults of strategy \"mistaken\" are wrong, update the plug-in: unknown key \"optimiser\" in a "
            "stage; did you mean \"optimizer\"?");
}

TEST_F(PipelineProblems, PluginsNeedAPath) {
  EXPECT_EQ(problems("plugins: [{sha256: a}]\n"
                     "regimen: 1\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrain\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"),
            "1:11: \"path\" is missing: write {path: FILE, sha256: …}");
}

}  // namespace
}  // namespace rgm::fake
