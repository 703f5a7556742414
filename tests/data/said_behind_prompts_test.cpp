// said_behind_prompts_test.cpp - rows whose prompt and completion are messages, and what a row without a column is
// told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/sequences.hpp"
#include "data/wishes.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

class SaidBehindPrompts : public testing::Test {
 protected:
  std::unique_ptr<Source> open(const std::string& line) {
    const char* const turns =
        "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
        "{% if add_generation_prompt %}a:{% endif %}";
    write_file(folder / "rows.jsonl", line + "\n");
    const DataSpec spec{.format = "jsonl", .files = {folder / "rows.jsonl"}, .columns = {}};
    return open_source(spec, {text}, with_chat_template(byte_tokenizer(), turns), options);
  }
  // The first example, what counts in brackets.
  std::string shown(const std::string& line) {
    const Batch batch = open(line)->in_order(0, 1);
    const BatchColumn& c = batch.columns.at("text");
    std::string out;
    for (size_t i = 0; i < c.integers.size(); ++i) {
      const bool counts = c.reals[i] != 0, before = i > 0 && c.reals[i - 1] != 0;
      if (counts != before) out += counts ? '(' : ')';
      out += static_cast<char>(c.integers[i]);
    }
    return !c.reals.empty() && c.reals.back() != 0 ? out + ')' : out;
  }
  test::Folder folder;
  SourceOptions options{.context = 200, .cache = folder / "cache"};
};

// An answer that the prompt already has is only read.
TEST_F(SaidBehindPrompts, MessagesCountBehindThoseOfThePrompt) {
  EXPECT_EQ(shown(R"({"prompt": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},)"
                  R"( {"role": "user", "content": "R"}], "completion": [{"role": "assistant", "content": "B"}]})"),
            "u:Q;a:A;u:R;a:(B;)");
}

TEST_F(SaidBehindPrompts, APromptOfTextIsWhatTheUserSays) {
  EXPECT_EQ(shown(R"({"prompt": "Q", "response": [{"role": "assistant", "content": "A"}]})"), "u:Q;a:(A;)");
}

TEST_F(SaidBehindPrompts, ARowWithoutTheColumnSaysHowItIsNamed) {
  try {
    open(R"({"question": "Q"})");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(),
                testing::HasSubstr("there are question; if one of them is meant, write columns: {text: NAME}, "
                                   "or for a command --column text=NAME"));
  }
}

TEST_F(SaidBehindPrompts, AnArrayOnALineIsAnotherFormat) {
  try {
    open(R"([{"text": "a"}])");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("a JSON array where an object was expected, as in {\"text\": \"...\"}; a "
                                             "file that is one array of objects has the format json"));
  }
}

}  // namespace
}  // namespace rgm
