// text_pieces_test.cpp - the text that a tokenizer learns from, whole or in pieces: of files, of rows, of
// conversations.
#include "data/text_pieces.hpp"

#include "data/text_source.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

std::string whole_text(const DataSpec& spec, const std::vector<ColumnWish>& wishes = {}) {
  std::string out;
  each_text(
      spec, nullptr, [&](std::string_view text) { out += text; }, wishes);
  return out;
}

TEST_F(TextSourceTest, IdsDoNotDependOnTheSizeOfThePieces) {
  std::string text =
      "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 漢字 and  spaces\n\n\tit's 1234 ";
  for (int i = 0; i < 5; ++i) text += text;
  const auto path = write("t.txt", text);
  for (const TokenizerPtr& tokenizer : {train_bpe(text, {.vocabulary = 320}), character_tokenizer(text)}) {
    const auto whole = tokenizer->encode(text);
    for (const size_t size : {1, 2, 3, 7, 64, 1000}) {
      std::vector<int32_t> ids;
      std::string read;
      each_piece(
          path, tokenizer.get(),
          [&](std::string_view piece, size_t offset) {
            EXPECT_EQ(offset, read.size());
            read += piece;
            const auto more = tokenizer->encode(piece);
            ids.insert(ids.end(), more.begin(), more.end());
          },
          size);
      EXPECT_EQ(read, text);
      EXPECT_EQ(ids, whole) << tokenizer->kind() << " in pieces of " << size;
    }
  }
}

TEST_F(TextSourceTest, ReadTextIsAllFiles) {
  const DataSpec spec{.format = "text", .files = {write("1.txt", "abc"), write("2.txt", "def")}, .columns = {}};
  EXPECT_EQ(whole_text(spec), "abcdef");
  const DataSpec rows{.format = "jsonl",
                      .files = {write("r.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}\n")},
                      .columns = {}};
  EXPECT_EQ(whole_text(rows), "a\nb\n");
}

// A tokenizer learns from what will be tokens, whatever else is in a row.
TEST_F(TextSourceTest, OfRowsTheTextIsWhatIsReadAsTokens) {
  const auto text_of = [&](const std::string& row, const std::vector<ColumnMap>& columns,
                           const std::vector<ColumnWish>& wishes) {
    return whole_text({.format = "jsonl", .files = {write("r.jsonl", row + "\n")}, .columns = columns}, wishes);
  };
  EXPECT_EQ(text_of(R"({"text": 42, "y": "bad"})", {}, {text_wish}), "42\n")
      << "a number that is read as tokens is a text";
  const ColumnWish label{"label", RGM_LABEL_COLUMN, RGM_OPTIONAL}, chosen{"chosen", RGM_TOKENS_COLUMN, 0};
  const std::string rated = R"({"text": "a", "y": "good", "note": "n"})";
  EXPECT_EQ(text_of(rated, {{"label", "y", {}}}, {text_wish, label}), "a\n");
  EXPECT_EQ(text_of(rated, {{"label", "y", {}}}, {}), "good\na\n");  // nobody has said that it is none
  EXPECT_EQ(text_of(rated, {{"text", "note", {}}}, {text_wish, label}), "n\n");
  EXPECT_EQ(text_of(R"({"y": "good"})", {{"label", "y", {}}}, {text_wish, label}), "good\n");  // nothing else is there
  EXPECT_EQ(text_of(R"({"prompt": "q", "chosen": "a", "rejected": "b"})", {}, {chosen}), "q\na\n");
  EXPECT_EQ(text_of(R"({"prompt": "q", "completion": "a", "id": "i"})", {}, {text_wish}), "q\na\n");
}

TEST_F(TextSourceTest, OfConversationsTheTextIsWhatTheirTemplateShows) {
  const std::string row =
      R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "id": "i"})"
      "\n";
  DataSpec spec{.format = "jsonl", .files = {write("r.jsonl", row)}, .columns = {}};
  spec.columns = {{"text", "messages", {}, ChatMap{.template_name = "chatml"}}};
  EXPECT_EQ(whole_text(spec, {text_wish}), "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n\n");
  write("r.jsonl", R"({"instruction": "I", "output": "O"})"
                   "\n");
  spec.columns = {};
  EXPECT_THAT(whole_text(spec, {text_wish}), HasSubstr("### Instruction:\nI\n\n### Response:\nO"));
  // Without a template they cannot be read later either.
  write("r.jsonl", row);
  try {
    whole_text(spec, {text_wish});
    ADD_FAILURE() << "it was read";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("has no chat template: name one for the column \"text\""));
  }
}

}  // namespace
}  // namespace rgm
