// chat_test.cpp - a model that is taught conversations is spoken to as it was taught.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class ChatTest : public TinyRun {
 protected:
  ChatTest() {
    std::string rows;
    for (const char* const word : {"cat", "dog"})
      rows += std::string(R"({"messages": [{"role": "user", "content": ")") + word +
              R"(?"}, {"role": "assistant", "content": "the )" + word + "\"}]}\n";
    write("chats.jsonl", rows);
  }
  static std::string taught(const std::string& more) {
    return "  - name: taught\n    strategy: finetune\n    model: {from: base}\n    batch: 2\n    steps: 120\n"
           "    optimizer: {adamw: {learning_rate: 1e-2}}\n" +
           more;
  }
  // Bytes instead of the characters of the text, which has no "<|".
  static std::string pipeline(const std::string& more) {
    std::string text = tiny(5, more);
    text.replace(text.find("tokenizer: characters"), 21, "tokenizer: bytes");
    text.replace(text.find("context: 16"), 11, "context: 96");
    return text;
  }
  Said say(const std::string& lines, const std::string& arguments) const {
    return rgm::regimen("chat --backend reference --temperature 0 --max-tokens 40 " + arguments,
                        in_folder() + "printf '" + lines + "' |");
  }
};

constexpr const char* chats =
    "    data: {train: {jsonl: chats.jsonl, columns: {text: {messages: messages, template: chatml}}}}\n";

TEST_F(ChatTest, AnswersComeAsTheyWereTaught) {
  write("p.yaml", pipeline(taught(chats)));
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Said said = say("cat?\\ndog?\\n", "--model runs/tiny/taught");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, "the cat\nthe dog\n");
  // A text of --stop is left out, as the end of the template is.
  EXPECT_EQ(say("cat?\\n", "--model runs/tiny/taught --stop dog --stop ' c'").out, "the\n");
  // Of 96 tokens 40 are kept for the answer: a message of 90 is left out, and the next one is answered as before.
  const Said long_one = say("cat?\\n" + std::string(90, 'x') + "\\ndog?\\n", "--model runs/tiny/taught");
  EXPECT_EQ(long_one.status, 0) << long_one.err;
  EXPECT_THAT(long_one.err, HasSubstr("the context has room for 56: it was left out, make it shorter"));
  EXPECT_EQ(long_one.out, said.out);
  // What transformers opens says how it is spoken to.
  EXPECT_THAT(std::string(json("runs/tiny/taught/model/tokenizer_config.json")["chat_template"]),
              HasSubstr("<|im_start|>"));
}

TEST_F(ChatTest, EvaluateScoresWhatTheStageScored) {
  write("answers.csv", "question,reply\ncat?,the cat\ndog?,a dog\n");
  write("p.yaml",
        pipeline(taught("    data: {train: {jsonl: chats.jsonl, columns: {text: {messages: messages, template: "
                        "chatml}}}, validation: {jsonl: chats.jsonl, columns: {text: {messages: messages, "
                        "template: chatml}}}}\n") +
                 "  - name: answers\n    strategy: finetune\n    model: {from: base}\n    steps: 2\n"
                 "    data: {train: {csv: answers.csv, columns: {text: {prompt: question, answer: reply}}}, "
                 "validation: {csv: answers.csv, columns: {text: {prompt: question, answer: reply}}}}\n"));
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto is_as_measured = [&](const std::string& stage, const std::string& data, int tokens) {
    const Said said = regimen("evaluate --json --model runs/tiny/" + stage + " --data " + data);
    ASSERT_EQ(said.status, 0) << said.err;
    const auto result = parse_json(said.out);
    EXPECT_EQ(result["tokens"], tokens);
    EXPECT_NEAR(result["loss"], json("runs/tiny/" + stage + "/stage.json")["result"]["validation_loss"], 1e-5);
  };
  is_as_measured("taught", "chats.jsonl", 2 * (7 + 11));  // bytes: "the cat", and <|im_end|> with its end of line
  is_as_measured("answers", "answers.csv --column prompt=question --column text=reply", 7 + 5 + 2);  // and the end
  const Said said = regimen("evaluate --model runs/tiny/base --data chats.jsonl");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("runs/tiny/base: the tokenizer has no chat template: give the one"));
  EXPECT_EQ(regimen("evaluate --model runs/tiny/base --data chats.jsonl --template chatml").status, 0);
}

TEST_F(ChatTest, AnAdapterCarriesItsTemplate) {
  write("p.yaml",
        pipeline(taught(std::string("    adapter: {lora: {sites: ['*.attention.*', '*.mlp.*']}}\n") + chats)));
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/taught/adapter/chat_template.jinja"));
  EXPECT_EQ(say("cat?\\n", "--model runs/tiny/taught").status, 0);
  const Said base = say("cat?\\n", "--model runs/tiny/base");
  EXPECT_EQ(base.status, 2);
  EXPECT_THAT(base.err,
              HasSubstr("runs/tiny/base: the tokenizer has no chat template: give the one that the model was trained "
                        "with, as in --template chatml; there are alpaca, chatml, llama3, or a file.jinja"));
  EXPECT_EQ(say("cat?\\n", "--model runs/tiny/base --template chatml").status, 0);
}

TEST_F(ChatTest, WhatIsWrongIsSaidBeforeAnythingRuns) {
  write("p.yaml", pipeline(taught("    data: {train: {jsonl: chats.jsonl, columns: {text: {messages: messages, "
                                  "template: chatlm}}}}\n")));
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("chat template \"chatlm\""));
  EXPECT_THAT(said.err, HasSubstr("did you mean \"chatml\"?"));
}

}  // namespace
}  // namespace rgm
