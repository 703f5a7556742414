// chat_rows_test.cpp - conversations and instructions in files, told by their columns, and what of them counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/chat_rows.hpp"
#include "data/sequences.hpp"
#include "data/wishes.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

const ColumnWish prompt{"prompt", RGM_TOKENS_COLUMN, 0};
const char* const chat =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

class ChatRows : public testing::Test {
 protected:
  std::unique_ptr<Source> open(const std::string& content, const std::vector<ColumnMap>& columns = {},
                               const std::vector<ColumnWish>& wishes = {text}, TokenizerPtr tokenizer = nullptr) {
    const fs::path path = folder / "data.jsonl";
    write_file(path, content);
    const DataSpec spec{.format = "jsonl", .files = {path}, .columns = columns};
    return open_source(spec, wishes, tokenizer ? tokenizer : with_chat_template(byte_tokenizer(), chat), options);
  }
  // The first example: what counts in brackets, the end of text as $.
  std::string shown(const Source& source, const char* column = "text") {
    const Batch batch = source.in_order(0, 1);
    const BatchColumn& c = batch.columns.at(column);
    std::string out;
    for (size_t i = 0; i < c.integers.size(); ++i) {
      const bool counts = c.reals[i] != 0, before = i > 0 && c.reals[i - 1] != 0;
      if (counts != before) out += counts ? '(' : ')';
      out += c.integers[i] == 256 ? '$' : static_cast<char>(c.integers[i]);
    }
    return !c.reals.empty() && c.reals.back() != 0 ? out + ')' : out;
  }
  std::string refusal(const std::string& content, const std::vector<ColumnMap>& columns = {},
                      TokenizerPtr tokenizer = nullptr) {
    try {
      open(content, columns, {text}, std::move(tokenizer));
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  test::Folder folder;
  SourceOptions options{.context = 200, .cache = folder / "cache"};
};

TEST_F(ChatRows, MessagesAreToldByTheirColumn) {
  const char* const row = R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
                                           {"role": "user", "content": "R"}, {"role": "assistant", "content": "B"}]})";
  std::string line(row);
  std::erase(line, '\n');
  const auto source = open(line + "\n");
  EXPECT_EQ(shown(*source), "u:Q;a:(A;)u:R;a:(B;)");
  EXPECT_EQ(source->tokens(), 16);
  EXPECT_EQ(source->counted(), 4);
  EXPECT_EQ(source->chat_template(), chat);
}

// TRL's preferences: what was asked in a list of its own, or at the beginning of both answers.
TEST_F(ChatRows, AnswersAsMessagesStandBehindThoseOfTheirPrompt) {
  const ColumnWish chosen{"chosen", RGM_TOKENS_COLUMN, 0};
  const std::string asked = R"({"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
                               {"role": "user", "content": "R"})",
                    said = R"({"role": "assistant", "content": "B"})";
  std::string apart = R"({"prompt": [)" + asked + R"(], "chosen": [)" + said + "]}",
              whole = R"({"prompt": "R", "chosen": [)" + asked + ", " + said + "]}";
  for (std::string* row : {&apart, &whole}) std::erase(*row, '\n');
  EXPECT_EQ(shown(*open(apart + "\n", {}, {chosen}), "chosen"), "u:Q;a:A;u:R;a:(B;)");
  EXPECT_EQ(shown(*open(whole + "\n", {}, {chosen}), "chosen"), "u:Q;a:(A;)u:R;a:(B;)");
  // An answer that begins with its prompt, and one behind a text.
  std::string both = R"({"prompt": [)" + asked + R"(], "chosen": [)" + asked + ", " + said + "]}",
              words = R"({"prompt": "R", "chosen": [)" + said + "]}";
  std::erase(both, '\n');
  EXPECT_EQ(shown(*open(both + "\n", {}, {chosen}), "chosen"), "u:Q;a:(A;)u:R;a:(B;)");
  EXPECT_EQ(shown(*open(words + "\n", {}, {chosen}), "chosen"), "u:R;a:(B;)");
  EXPECT_THAT(refusal(apart + "\n", {{"text", "chosen", "prompt", ChatMap{}}}, byte_tokenizer()),
              HasSubstr("as in columns: {text: {prompt: prompt, messages: chosen, template: chatml}}"));
}

// Two pairs for each of four prompts, which the pairs begin with: half of the prompts is held out.
TEST_F(ChatRows, TheSplitBreaksNoPromptOfConversations) {
  std::string rows;
  for (int pair = 0; pair < 2; ++pair)
    for (int i = 0; i < 4; ++i) {
      const auto answer = [&](const char* text) {
        return fmt::format(R"([{{"role": "user", "content": "{}"}}, {{"role": "assistant", "content": "{}"}}])", i,
                           text);
      };
      rows += fmt::format(R"({{"chosen": {}, "rejected": {}}})", answer("good"), answer("bad")) + "\n";
    }
  write_file(folder / "data.jsonl", rows);
  const DataSpec spec{
      .format = "jsonl", .files = {folder / "data.jsonl"}, .columns = {}, .split_begin = 0.5, .split = 0.5};
  const auto held_out = open_source(spec, {{"chosen", RGM_TOKENS_COLUMN, 0}, {"rejected", RGM_TOKENS_COLUMN, 0}},
                                    with_chat_template(byte_tokenizer(), chat), options);
  ASSERT_EQ(held_out->units(), 4);
  const std::vector<int32_t> ids = held_out->in_order(0, 4).columns.at("chosen").integers;
  for (const int32_t kept : {'0', '1'}) EXPECT_EQ(std::ranges::count(ids, kept), 0);
  for (const int32_t out : {'2', '3'}) EXPECT_EQ(std::ranges::count(ids, out), 2);
}

// As transformers shows what a file has: keys stay in their order.
TEST_F(ChatRows, ToolCallsAreShownAsTheyAreWritten) {
  const std::string line = R"({"messages": [{"content": "Q", "role": "user"}, {"role": "assistant", "content": "A", )"
                           R"("tool_calls": [{"name": "add", "arguments": {"y": 1, "x": [2, {"b": 0, "a": 1}]}}]}]})";
  const auto tokenizer = with_chat_template(
      byte_tokenizer(),
      "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].arguments | tojson }}{{ m.content }}"
      "{% else %}{{ m | tojson }}{% endif %}{% endfor %}");
  EXPECT_EQ(shown(*open(line + "\n", {}, {text}, tokenizer)),
            R"({"content": "Q", "role": "user"}({"y": 1, "x": [2, {"b": 0, "a": 1}]}A))");
}

// DeepSeek-R1's template writes a call only where the content is none.
TEST_F(ChatRows, NoContentIsNone) {
  const auto tokenizer = with_chat_template(
      byte_tokenizer(),
      "{% for m in messages %}{{ m.role[0] }}:{% if m.content is not defined %}?{% elif m.content is none %}"
      "{{ m.tool_calls[0].name }}{{ m.name is defined }}{% else %}{{ m.content }}{% endif %};{% endfor %}");
  const std::string row = R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": null, )"
                          R"("name": null, "tool_calls": [{"name": "add"}]}, {"role": "tool", "content": "3"}, )"
                          R"({"role": "assistant", "tool_calls": [{"name": "sub"}]}]})";
  EXPECT_EQ(shown(*open(row + "\n", {}, {text}, tokenizer)), "u:Q;(a:addFalse;)t:3;(a:?;)");
  // Ours have nothing there.
  EXPECT_EQ(shown(*open(row + "\n", {{"text", "messages", {}, ChatMap{.template_name = "chatml"}}})),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n(<|im_end|>\n)"
            "<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n(<|im_end|>\n)");
}

TEST_F(ChatRows, ToolsAndDocumentsReachTheTemplate) {
  const auto tokenizer =
      with_chat_template(byte_tokenizer(),
                         "{% if tools is not none %}{% for t in tools %}[{{ t.name }}]{% endfor %}{% endif %}"
                         "{% for d in documents or [] %}<{{ d.text }}>{% endfor %}{{ mood }}"
                         "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}");
  const std::string said = R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])";
  const auto with = [&](const std::string& more) { return shown(*open(said + more + "}\n", {}, {text}, tokenizer)); };
  EXPECT_EQ(with(""), "u:Q;(a:A;)");
  EXPECT_EQ(with(R"(, "tools": [{"name": "add"}, {"name": "sub"}], "documents": [{"text": "D"}])"),
            "[add][sub]<D>u:Q;(a:A;)");
  EXPECT_EQ(with(R"(, "tools": "[{\"name\": \"add\"}]", "chat_template_kwargs": {"mood": "!"})"), "[add]!u:Q;(a:A;)");
  EXPECT_EQ(with(R"(, "tools": "", "documents": null)"), "u:Q;(a:A;)");
  // As `regimen evaluate` reads them.
  write_file(folder / "data.jsonl", said + R"(, "tools": [{"name": "add"}]})");
  each_sequence(
      {.format = "jsonl", .files = {folder / "data.jsonl"}, .columns = {}}, *tokenizer,
      [&](const ColumnMap& map) { return chat_template_for(map, *tokenizer); },
      [&](const TokenExample& tokens, const Row&, const std::string&) {
        EXPECT_EQ(tokenizer->decode(tokens.ids), "[add]u:Q;a:A;");
      });
  EXPECT_THAT(refusal(said + R"(, "tools": {"name": "add"}})", {}, tokenizer),
              HasSubstr("data.jsonl:1: \"tools\" is a JSON object, a list was expected"));
  EXPECT_THAT(refusal(said + R"(, "tools": "add"})", {}, tokenizer),
              HasSubstr("data.jsonl:1: \"tools\": not valid JSON"));
}

TEST_F(ChatRows, ShareGptsNamesAreKnown) {
  const char* const row = R"({"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"},
                                                {"from": "gpt", "value": "A"}]})";
  std::string line(row);
  std::erase(line, '\n');
  EXPECT_EQ(shown(*open(line + "\n")), "s:S;u:Q;a:(A;)");
}

TEST_F(ChatRows, AlpacasInstructions) {
  const std::string rows = R"({"instruction": "Add", "input": "1 2", "output": "3"})"
                           "\n";
  EXPECT_EQ(shown(*open(rows)), "u:Add\n\n1 2;a:(3;)");
  const auto plain = open(rows, {}, {text}, byte_tokenizer());
  EXPECT_EQ(shown(*plain), "### Instruction:\nAdd\n\n1 2\n\n### Response:\n(3$)");
  EXPECT_EQ(plain->chat_template(), named_chat_template("alpaca"));  // so that it can be saved with the model
}

TEST_F(ChatRows, APromptWithItsCompletion) {
  EXPECT_EQ(shown(*open("{\"prompt\": \"Q\", \"completion\": \"A\"}\n")), "Q(A$)");
  EXPECT_EQ(shown(*open("{\"prompt\": \"Q\", \"response\": \"A\"}\n")), "Q(A$)");
  // What has the column that is asked for is taken for that.
  EXPECT_EQ(shown(*open("{\"text\": \"T\", \"prompt\": \"Q\", \"completion\": \"A\"}\n")), "Q(T$)");
  EXPECT_EQ(shown(*open("{\"text\": \"T\", \"completion\": \"A\"}\n")),
            "T($)" /* nothing stands before the first token */);
}

// As `regimen evaluate` reads what a stage has written: an answer that was cut, and one with its prompt in front.
TEST_F(ChatRows, RowsOfAStageAreHeldAgainstAsTheyAreLearned) {
  const std::string rows = R"({"prompt": "Q", "text": "A", "finished": 0})"
                           "\n"
                           R"({"prompt": "Q", "text": "QB", "finished": 1})"
                           "\n"
                           R"({"text": "C"})"
                           "\n";
  write_file(folder / "data.jsonl", rows);
  std::vector<std::string> texts;
  std::vector<std::vector<float>> weights;
  each_sequence({.format = "jsonl", .files = {folder / "data.jsonl"}, .columns = {}}, *byte_tokenizer(), {},
                [&](const TokenExample& tokens, const Row&, const std::string&) {
                  texts.push_back(byte_tokenizer()->decode(tokens.ids));
                  weights.push_back(tokens.weights);
                });
  EXPECT_EQ(texts, (std::vector<std::string>{"QA", "QB<|endoftext|>", "C<|endoftext|>"}));
  EXPECT_EQ(weights, (std::vector<std::vector<float>>{{0, 1}, {0, 1, 1}, {1, 1}}));
}

// As Llama 2's, which puts a space in front of every text: the answer has none of its own.
TEST_F(ChatRows, APromptAndItsCompletionAreOneText) {
  const nlohmann::json replaces_space = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  const nlohmann::json file = {
      {"added_tokens", {{{"id", 0}, {"content", "</s>"}}}},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers", {nlohmann::json{{"type", "Prepend"}, {"prepend", "\u2581"}}, replaces_space}}}},
      {"decoder", nullptr},
      {"model",
       {{"type", "BPE"},
        {"byte_fallback", true},
        {"vocab", {{"</s>", 0}, {"\u2581", 1}, {"2", 2}, {"+", 3}, {"=", 4}, {"4", 5}, {"\u25812", 6}, {"=4", 7}}},
        {"merges", {"\u2581 2"}}}}};
  const TokenizerPtr llama = tokenizer_from_json(file, "llama", {{"eos_token", "</s>"}});
  const std::string row = "{\"prompt\": \"2+2=\", \"completion\": \"4\"}\n";
  const Batch batch = open(row, {}, {text}, llama)->in_order(0, 1);
  EXPECT_EQ(batch.columns.at("text").integers, (std::vector<int32_t>{6, 3, 2, 4, 5, 0}));
  EXPECT_EQ(batch.columns.at("text").reals, (std::vector<float>{0, 0, 0, 0, 1, 1}));
  // What the two make together is learned.
  nlohmann::json joins = file;
  joins["model"]["merges"].push_back("= 4");
  const Batch joined =
      open(row, {}, {text}, tokenizer_from_json(joins, "llama", {{"eos_token", "</s>"}}))->in_order(0, 1);
  EXPECT_EQ(joined.columns.at("text").integers, (std::vector<int32_t>{6, 3, 2, 7, 0}));
  EXPECT_EQ(joined.columns.at("text").reals, (std::vector<float>{0, 0, 0, 1, 1}));
}

TEST_F(ChatRows, RolesAndTemplatesCanBeChosen) {
  const std::string row = R"({"turns": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]})"
                          "\n";
  EXPECT_EQ(shown(*open(row, {{"text", "turns", {}, ChatMap{.roles = {"user"}}}})), "u(:Q;)a:A;");
  EXPECT_EQ(shown(*open(row, {{"text", "turns", {}, ChatMap{.roles = {"user", "assistant"}}}})), "u(:Q;)a:(A;)");
  EXPECT_EQ(shown(*open(row, {{"text", "turns", {}, ChatMap{.template_name = "chatml"}}}, {text}, byte_tokenizer())),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n(A<|im_end|>\n)");
}

// What is settled is encoded once; the ids stay those of the whole text, and count by what was said.
TEST_F(ChatRows, LongConversationsHaveTheIdsOfTheirText) {
  const TokenizerPtr bpe = train_bpe("so said the old boat, and so it went on ", {.vocabulary = 300});
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  int64_t answered = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string said = "so the old" + std::string(static_cast<size_t>(i % 3), ' ') + std::to_string(i);
    messages.push_back({{"role", i % 2 ? "assistant" : "user"}, {"content", said}});
    answered += i % 2 ? static_cast<int64_t>(bpe->encode(said + ";").size()) : 0;
  }
  options.context = 2000;
  const auto source =
      open(nlohmann::ordered_json{{"messages", messages}}.dump() + "\n", {}, {text}, with_chat_template(bpe, chat));
  const Batch batch = source->in_order(0, 1);
  EXPECT_EQ(batch.columns.at("text").integers, bpe->encode(ChatTemplate(chat, "t", *bpe).render(messages, false)));
  EXPECT_EQ(source->counted(), answered);
}

TEST_F(ChatRows, APromptEndsWhereTheAssistantBegins) {
  options.end_of_text = false;
  const auto source = open(R"({"turns": [{"role": "user", "content": "Q"}]})"
                           "\n",
                           {{"prompt", "turns", {}, ChatMap{}}}, {prompt});
  EXPECT_EQ(shown(*source, "prompt"), "u(:Q;a:)");
}

TEST_F(ChatRows, WhatIsWrongIsSaidWithItsLine) {
  const std::string good = R"({"messages": [{"role": "assistant", "content": "A"}]})"
                           "\n";
  EXPECT_THAT(refusal(good, {}, byte_tokenizer()),
              HasSubstr("the model's tokenizer has no chat template: name one for the column \"text\", as in columns: "
                        "{text: {messages: messages, template: chatml}}; there are alpaca, chatml, llama3"));
  EXPECT_THAT(refusal(good + "{\"messages\": \"A\"}\n"),
              HasSubstr("data.jsonl:2: \"messages\" is not a list of messages"));
  EXPECT_THAT(refusal(good + "{\"messages\": [{\"content\": \"A\"}]}\n"),
              HasSubstr("data.jsonl:2: message 1 has no \"role\""));
  EXPECT_THAT(refusal(good + "{\"messages\": [{\"role\": \"user\"}]}\n"),
              HasSubstr("data.jsonl:2: message 1 of \"user\" has no \"content\""));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "user", "content": "Q"}]})"
                      "\n"),
              HasSubstr("none of the 1 examples of \"text\" has a token to learn"));
  EXPECT_THAT(refusal(good, {}, with_chat_template(byte_tokenizer(), "{{ raise_exception('no') }}")),
              HasSubstr("data.jsonl:1: chat template:1: the template refuses these messages: no"));
}

}  // namespace
}  // namespace rgm
