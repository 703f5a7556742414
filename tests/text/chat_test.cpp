// chat_test.cpp - Jinja as transformers renders it (tests/parity/chat.json, made by record_chat.py), and conversations
// cut into what is learned.
#include "text/chat.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

const Messages four = {{{"role", "system"}, {"content", "S"}},
                       {{"role", "user"}, {"content", "Q"}},
                       {{"role", "assistant"}, {"content", "A"}},
                       {{"role", "user"}, {"content", "R"}}};

ChatTemplate named(const std::string& name) { return {named_chat_template(name), name, *byte_tokenizer()}; }

std::string shown(const std::vector<ChatPiece>& pieces) {
  std::string out;
  for (const ChatPiece& piece : pieces) out += piece.counts ? "(" + piece.text + ")" : piece.text;
  return out;
}

std::string refusal(const std::string& text, const Json& values = Json::object()) {
  try {
    return "rendered " + jinja::Template(text, "t").render(values);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
}

TEST(Chat, TextsAreThoseOfTransformers) {
  const Json recorded = parse_json<Json>(read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/chat.json"));
  for (const auto& [name, source] : recorded["templates"].items()) {
    const jinja::Template made(source.get<std::string>(), name);
    for (size_t c = 0; c < recorded["conversations"].size(); ++c)
      for (const bool answer : {false, true}) {
        const Json values = {{"messages", recorded["conversations"][c]},
                             {"add_generation_prompt", answer},
                             {"tools", nullptr},
                             {"bos_token", "<s>"},
                             {"eos_token", "</s>"}};
        EXPECT_EQ(made.render(values), recorded["texts"][name][c][answer ? 1 : 0].get<std::string>())
            << name << ", conversation " << c;
      }
  }
}

TEST(Chat, NamedTemplates) {
  EXPECT_EQ(named("chatml").render(four, true),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
            "<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(named("llama3").render(Messages::array({four[1]}), true),
            "<|endoftext|><|start_header_id|>user<|end_header_id|>\n\nQ<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(named("alpaca").render(Messages::array({four[0], four[1], four[2]}), false),
            "S\n\n### Instruction:\nQ\n\n### Response:\nA<|endoftext|>");
  EXPECT_EQ(named("alpaca").render(Messages::array({four[1]}), true), "### Instruction:\nQ\n\n### Response:\n");
  EXPECT_EQ(named("chatml").end_of_answer(), "<|im_end|>\n");
  EXPECT_EQ(named("alpaca").end_of_answer(), "<|endoftext|>");
}

TEST(Chat, WhatTheAssistantSaysCounts) {
  EXPECT_EQ(shown(named("chatml").pieces(four, {"assistant"})),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n(A<|im_end|>\n)"
            "<|im_start|>user\nR<|im_end|>\n");
  EXPECT_EQ(shown(named("alpaca").pieces(Messages::array({four[1], four[2]}), {"assistant"})),
            "### Instruction:\nQ\n\n### Response:\n(A<|endoftext|>)");
  EXPECT_EQ(shown(named("alpaca").pieces(Messages::array({four[1], four[2]}), {"user"})),
            "(### Instruction:\nQ\n\n)### Response:\nA<|endoftext|>");
}

TEST(Chat, WhatStandsBeforeTheFirstAnswerDoesNotCount) {
  const Messages first = Messages::array({four[2]});
  EXPECT_EQ(shown(named("chatml").pieces(first, {"assistant"})), "<|im_start|>assistant\n(A<|im_end|>\n)");
  // Many templates need a first message.
  const ChatTemplate needs_one(
      "{% if messages[0].role %}{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}", "t",
      *byte_tokenizer());
  EXPECT_EQ(shown(needs_one.pieces(first, {"assistant"})), "(assistant:A;)");
}

TEST(Chat, ATemplateMayMarkWhatCounts) {
  const ChatTemplate marked(
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}!"
      "{% endgeneration %}\n{% else %}{{ m.content }}{% endif %}{% endfor %}",
      "t", *byte_tokenizer());
  EXPECT_EQ(shown(marked.pieces(four, {"assistant"})), "<system>S<user>Q<assistant>(A!)<user>R");
}

TEST(Chat, ATemplateThatRewritesHistoryIsNotCut) {
  const ChatTemplate rewrites("{% for m in messages %}{{ m.content if loop.last else '-' }}{% endfor %}", "t",
                              *byte_tokenizer());
  EXPECT_THROW(
      {
        try {
          rewrites.pieces(four, {"assistant"});
        } catch (const Error& e) {
          EXPECT_THAT(e.what(), HasSubstr("put {% generation %} and {% endgeneration %} around"));
          throw;
        }
      },
      Error);
}

// What transformers 5 renders of the same.
TEST(Chat, MembersThatAreNullAreLeftOutAndThoughtsAreCalledAsTemplatesCallThem) {
  const ChatTemplate all("{% for m in messages %}{{ m | tojson }};{% endfor %}", "t", *byte_tokenizer());
  const Messages messages = {
      {{"role", "user"}, {"content", "Q"}, {"name", nullptr}},
      {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", nullptr}, {"reasoning", "R"}},
      {{"role", "assistant"}, {"thinking", "T"}, {"reasoning_content", nullptr}, {"content", "A"}}};
  EXPECT_EQ(all.render(messages, false),
            R"({"role": "user", "content": "Q"};)"
            R"({"thinking": "R", "role": "assistant", "reasoning": "R", "reasoning_content": "R"};)"
            R"({"thinking": "T", "role": "assistant", "content": "A", "reasoning_content": "T"};)");
}

// Of the content: whether there are tools is another question.
TEST(Chat, AContentThatIsNullStaysWhereItsTemplateAsksForThat) {
  const Messages messages = {{{"role", "assistant"}, {"content", nullptr}}};
  const auto rendered = [&](const std::string& source) {
    return ChatTemplate(source, "t", *byte_tokenizer()).render(messages, false);
  };
  EXPECT_EQ(rendered("{% for m in messages %}{{ m.content }};{% endfor %}"), ";");
  EXPECT_EQ(rendered("{% if tools is not none %}T{% endif %}{% for m in messages %}{{ m.content }};{% endfor %}"), ";");
  EXPECT_EQ(rendered("{% for m in messages %}{% if m['content'] is none %}called{% endif %};{% endfor %}"), "called;");
}

TEST(Chat, TheTemplateIsSavedWithTheTokenizer) {
  const TokenizerPtr with = with_chat_template(byte_tokenizer(), "{{ messages[0].content }}");
  EXPECT_EQ(with->encode("ab<|endoftext|>"), byte_tokenizer()->encode("ab<|endoftext|>"));
  EXPECT_EQ(with->end_of_text(), 256);
  const test::Folder temporary;
  const fs::path& folder = temporary.path();
  save_tokenizer(*with, folder);
  EXPECT_EQ(chat_template_of(*load_tokenizer(folder))->render(four, false), "S");
  // As newer versions of transformers keep it; it comes before the other.
  write_file(folder / "chat_template.jinja", "{{ messages[1].content }}");
  EXPECT_EQ(chat_template_of(*load_tokenizer(folder))->render(four, false), "Q");
}

TEST(Chat, SeveralTemplatesAreSavedAsTheyWere) {
  const nlohmann::json several = {{{"name", "default"}, {"template", "{{ messages[0].content }}"}},
                                  {{"name", "tool_use"}, {"template", "{{ tools[0].name }}"}}};
  const test::Folder temporary;
  const fs::path& folder = temporary.path();
  save_tokenizer(*with_chat_template(byte_tokenizer(), several), folder);
  const TokenizerPtr again = load_tokenizer(folder);
  EXPECT_EQ(again->config_json()["chat_template"], several);
  const Json tools = {{"tools", {{{"name", "add"}}}}};
  EXPECT_EQ(chat_template_of(*again)->render(four, false), "S");
  EXPECT_EQ(chat_template_of(*again)->render(four, false, tools), "add");
  // One that cannot be read is told where it is asked for.
  nlohmann::json broken = several;
  broken[1]["template"] = "{% frob %}";
  const auto chat = chat_template_of(*with_chat_template(byte_tokenizer(), broken));
  EXPECT_EQ(chat->render(four, false), "S");
  EXPECT_THAT([&] { (void)chat->render(four, false, tools); },
              testing::ThrowsMessage<Error>(HasSubstr("chat template tool_use:1: the statement \"frob\"")));
}

TEST(Jinja, MistakesHaveTheirLine) {
  EXPECT_EQ(refusal("a\n{{ x"), "t:2: an expression without its }}");
  EXPECT_EQ(refusal("\n\n{% if 1 %}"), "t:3: the template ends where {% endif %} was expected");
  EXPECT_THAT(refusal("{% frob %}"), HasSubstr("t:1: the statement \"frob\" is not known; there are if, for"));
  EXPECT_EQ(refusal("{{ 'a' | shout }}"), "t:1: the filter \"shout\" is not known");
  EXPECT_EQ(refusal("{{ 1 is prime }}"), "t:1: the test \"prime\" is not known");
  EXPECT_EQ(refusal("\n{{ x.y }}"), "t:2: \"y\" of \"x\", which is not defined");
  EXPECT_EQ(refusal("{{ 1 + 'a' }}"), "t:1: a number + a string");
  EXPECT_EQ(refusal("{{ 1 // 0 }}"), "t:1: a division by 0");
  EXPECT_EQ(refusal("{{ raise_exception('no tools') }}"), "t:1: the template refuses these messages: no tools");
  EXPECT_EQ(refusal("{% endif %}"), "t:1: \"endif\" without its beginning");
}

TEST(Jinja, TextsAreUnicodes) {
  const auto is = [](const char* text, const Json& values = Json::object()) {
    return jinja::Template(text, "t").render(values);
  };
  EXPECT_EQ(is("{{ x | trim }}", {{"x", "\u3000a\u00a0 "}}), "a");
  EXPECT_EQ(is("{{ '\u00e8a\u00e9'.strip('\u00e9') }}"), "\u00e8a");
  EXPECT_EQ(is("{{ '\\u2581\\x41' }}"), "\u2581A");
  EXPECT_EQ(is("{{ x.items() | length }}", {{"x", {{"items", 1}, {"b", 2}}}}), "2");
  EXPECT_EQ(is("{{ -7 % -3 }} {{ 7 % -3 }} {{ 'caf\u00e9' | length }}"), "-1 -2 4");
}

TEST(Jinja, ALoopWithoutEndIsStopped) {
  const char* const ten_loops =
      "{% for a in r %}{% for b in r %}{% for c in r %}{{ a }}{% endfor %}{% endfor %}{% endfor %}";
  Json r = Json::array();
  for (int i = 0; i < 1000; ++i) r.push_back(i);
  EXPECT_THAT(refusal(ten_loops, {{"r", r}}), HasSubstr("stopped after 532,032 steps"));  // 32 for each of 1,001
  EXPECT_THAT(refusal("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
              HasSubstr("stopped after 500,000 steps"));
}

TEST(Jinja, ATemplateWithoutEndIsStopped) {
  EXPECT_THAT(refusal("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"),
              HasSubstr("a macro calls itself without end"));
  EXPECT_THAT(
      refusal("{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
      HasSubstr("a value of more than 4 megabytes"));
  EXPECT_THAT(refusal("{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}"),
              HasSubstr("lists within lists, more than 100 deep"));
  EXPECT_THAT(refusal("{% set ns = namespace() %}{% set ns.x = ns %}"), HasSubstr("part of another value"));
  EXPECT_THAT(refusal("{{ 'x' * 999999999999 }}"), HasSubstr("is too long"));
  EXPECT_THAT(refusal("{{ range(10000000) }}"), HasSubstr("more than 100,000 numbers"));
  EXPECT_THAT(refusal("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}"),
              HasSubstr("t:1: nested more than 100 deep"));
  std::string chain = "{{ 1", loops = "{% macro m() %}";
  for (int i = 0; i < 2000; ++i) chain += "+1";
  EXPECT_THAT(refusal(chain + " }}"), HasSubstr("an expression of more than 1,000 parts"));
  for (int i = 0; i < 90; ++i) loops += "{% for a in [1] %}";
  loops += "{{ m() }}";
  for (int i = 0; i < 90; ++i) loops += "{% endfor %}";
  EXPECT_THAT(refusal(loops + "{% endmacro %}{{ m() }}"), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal("{{ 'a' | map('map', 'upper') | list }}"), HasSubstr("map by map"));
  EXPECT_THAT(refusal("{% generation %}{% generation %}{% endgeneration %}{% endgeneration %}"),
              HasSubstr("generation within generation"));
  EXPECT_THAT(refusal("{{ 9223372036854775807 }}"), HasSubstr("a number of 19 digits"));
}

}  // namespace
}  // namespace rgm
