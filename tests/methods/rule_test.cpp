// rule_test.cpp - rewards that are rules: conditions, a schema, another program that answers, lies or hangs.
#include <chrono>
#include <csignal>

#include "base/file.hpp"
#include "methods/method.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class Rule : public testing::Test {
 protected:
  Rule() {
    std::string pattern = (fs::temp_directory_path() / "regimen-rule-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Rule() override {
    close();
    fs::remove_all(folder_);
  }
  void close() {
    if (void* const self = std::exchange(self_, nullptr)) table_->destroy(self);
  }
  void open(const std::string& id, const std::string& yaml) {
    close();
    const Component& c = component(RGM_KIND_REWARD, id);
    table_ = &c.table<rgm_reward>();
    config_ = options_of(c, yaml);
    check_status(table_->create(config_.get(), &self_));
  }
  float score(const std::string& text, std::optional<std::string> expected = std::nullopt) {
    const std::string prompt = "question";
    rgm_value column{};
    if (expected) column = {RGM_TEXT, 1, {.s = {expected->data(), expected->size()}}};
    const rgm_completion one{sizeof one, 0, {prompt.data(), prompt.size()}, {text.data(), text.size()}, &column};
    const rgm_completion* const items[] = {&one};
    float out = -7;
    check_status(table_->score(self_, items, 1, &out));
    return out;
  }
  std::string failure(const std::string& text) {
    try {
      score(text);
    } catch (const std::exception& e) {
      return e.what();
    }
    return "";
  }
  std::string program(const std::string& body) {
    const fs::path file = folder_ / "judge.sh";
    write_file(file, "#!/bin/sh\n" + body);
    fs::permissions(file, fs::perms::owner_all);
    return file.string();
  }

  fs::path folder_;
  const rgm_reward* table_ = nullptr;
  std::shared_ptr<rgm_config> config_;
  void* self_ = nullptr;
};

TEST_F(Rule, AllConditionsHaveToHold) {
  open("rule", "{regex: '[0-9]+', contains: [so, therefore], shortest: 5, longest: 20}");
  EXPECT_EQ(score("so therefore 7"), 1);
  EXPECT_EQ(score("so therefore"), 0);                // no number
  EXPECT_EQ(score("so it is 7"), 0);                  // not both words
  EXPECT_EQ(score("so therefore it is about 7"), 0);  // too long
}

TEST_F(Rule, AnAnswerIsComparedWithWhatWasExpected) {
  open("rule", "{match: exact, extract: '#### *(-?[0-9]+)'}");
  EXPECT_EQ(score("2 and 2 are 4\n#### 4", " 4\n"), 1);
  EXPECT_EQ(score("#### 44", "4"), 0);
  EXPECT_EQ(score("it is 4", "4"), 0);
  EXPECT_TRUE(std::isnan(score("#### 4")));
}

TEST_F(Rule, AnExpressionThatIsNoneIsToldSo) {
  EXPECT_THAT([&] { open("rule", "{regex: '('}"); },
              testing::ThrowsMessage<Error>(HasSubstr("is not a regular expression")));
}

// glibc would take it for the letter.
TEST_F(Rule, AnExpressionHasNoClassesOfPerl) {
  EXPECT_THAT([&] { open("rule", R"({regex: '\d+'})"); },
              testing::ThrowsMessage<Error>(HasSubstr("has \\d, which such an expression does not know")));
  EXPECT_THAT([&] { open("rule", R"({regex: '[^]\s]'})"); },
              testing::ThrowsMessage<Error>(HasSubstr("has \\s within brackets")));
  open("rule", R"({regex: '[[:alpha:]\.]\w'})");
  open("rule", R"({regex: '^\w+\.$'})");
  EXPECT_EQ(score("yes."), 1);
  EXPECT_EQ(score("yes!"), 0);
}

TEST_F(Rule, WhatIsExtractedHasToBeThere) {
  open("rule", "{extract: '#### [0-9]+'}");
  EXPECT_EQ(score("#### 4"), 1);
  EXPECT_EQ(score("it is 4"), 0);
}

TEST_F(Rule, WithoutConditionsAnAnswerHasToBeThere) {
  open("rule", "{}");
  EXPECT_EQ(score("x"), 1);
  EXPECT_EQ(score(""), 0);
}

TEST_F(Rule, JsonFitsItsSchema) {
  open("json_schema",
       "{valid_json: 0.25, schema: '{\"type\": \"object\", \"required\": [\"name\"], \"additionalProperties\": false, "
       "\"properties\": {\"name\": {\"type\": \"string\", \"minLength\": 2}, \"age\": {\"type\": \"integer\", "
       "\"minimum\": 0}, \"tags\": {\"items\": {\"enum\": [\"a\", \"b\"]}}}}'}");
  EXPECT_EQ(score(R"({"name": "Ada", "age": 36, "tags": ["a", "b"]})"), 1);
  EXPECT_EQ(score(R"({"name": "Ada", "age": -1})"), 0.25F);
  EXPECT_EQ(score(R"({"name": "Ada", "age": 3.5})"), 0.25F);
  EXPECT_EQ(score(R"({"age": 36})"), 0.25F);
  EXPECT_EQ(score(R"({"name": "Ada", "tags": ["c"]})"), 0.25F);
  EXPECT_EQ(score(R"({"name": "Ada", "more": 1})"), 0.25F);
  EXPECT_EQ(score(R"({"name": "Ada")"), 0);
}

TEST_F(Rule, AWholeNumberMayBeOfAnySize) {
  open("json_schema", R"({schema: '{"type": "integer"}'})");
  for (const char* whole : {"7", "-7.0", "1e3", "1e30", "-1e300", "18446744073709551616"})
    EXPECT_EQ(score(whole), 1) << whole;
  for (const char* other : {"0.5", "1e-30", "true", "\"7\""}) EXPECT_EQ(score(other), 0) << other;
}

TEST_F(Rule, ASchemaIsNotHalfUnderstood) {
  EXPECT_THAT([&] { open("json_schema", "{schema: '{\"oneOf\": []}'}"); },
              testing::ThrowsMessage<Error>(HasSubstr("\"oneOf\" is not supported")));
}

TEST_F(Rule, ASchemaSaysWhatItsWordsAllow) {
  const auto refused = [&](const std::string& schema) {
    try {
      open("json_schema", "{schema: '" + schema + "'}");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("opened");
  };
  EXPECT_THAT(refused(R"({"minimum": "5"})"), HasSubstr("minimum is \"5\", a number was expected"));
  EXPECT_THAT(refused(R"({"type": "strin"})"), HasSubstr("type is \"strin\", object, array, string"));
  EXPECT_THAT(refused(R"({"required": 5})"), HasSubstr("required is 5, a list of names"));
  EXPECT_THAT(refused(R"({"enum": 5})"), HasSubstr("enum is 5, a list"));
  EXPECT_THAT(refused(R"({"items": {"maxLength": -1}})"), HasSubstr("maxLength is -1, a whole number from 0 on"));
  open("json_schema", R"({schema: '{"type": ["integer", "null"]}'})");
  EXPECT_EQ(score("null"), 1);
  EXPECT_EQ(score("\"7\""), 0);
}

// Later scores would be those of other answers.
TEST_F(Rule, AProgramThatSaysMoreThanItWasAskedIsToldSo) {
  open("command", "{program: " + program("while read -r line; do printf '1\\n2\\n'; done\n") + "}");
  EXPECT_EQ(score("x"), 1);
  EXPECT_THAT(failure("y"), HasSubstr("said \"2\n\" after its answer; one line was expected for each question"));
}

TEST_F(Rule, AProgramIsAskedLineByLine) {
  open("command", "{program: " +
                      program("while read -r line; do case \"$line\" in *fine*) echo 0.75;; *odd*) echo null;; "
                              "*) echo '{\"score\": -1}';; esac; done\n") +
                      "}");
  EXPECT_EQ(score("this is fine"), 0.75F);
  EXPECT_EQ(score("this is not\nat all"), -1);
  EXPECT_TRUE(std::isnan(score("odd")));
  EXPECT_EQ(score(std::string(300'000, 'x') + " fine"), 0.75F);
}

// The host keeps Ctrl-C back for itself and ignores a closed pipe; a program that it starts does neither.
TEST_F(Rule, AProgramHasItsSignals) {
  sigset_t kept, before;
  sigemptyset(&kept);
  sigaddset(&kept, SIGINT);
  sigaddset(&kept, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &kept, &before);
  const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
  // The first bit is signal 1: of 13, SIGPIPE, it is 0x1000.
  open("command", "{program: " +
                      program("blocked=$(sed -n 's/^SigBlk:[^0-9a-f]*//p' /proc/$$/status)\n"
                              "ignored=$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/$$/status)\n"
                              "read -r line; echo $((0x$blocked + (0x$ignored & 0x1000)))\n") +
                      "}");
  EXPECT_EQ(score("x"), 0);
  std::signal(SIGPIPE, pipe_before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(Rule, AProgramThatHangsIsEnded) {
  open("command", "{timeout: 0.2, program: " + program("sleep 60\n") + "}");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(failure("x"), HasSubstr("gave no answer within 0.2 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20));
}

TEST_F(Rule, AProgramThatDiesOrBabblesIsToldSo) {
  open("command", "{program: " + program("read -r line; echo good; read -r line; exit 3\n") + "}");
  EXPECT_THAT(failure("x"), HasSubstr("answered \"good\", a line such as 0.5"));
  open("command", "{program: " + program("exit 3\n") + "}");
  EXPECT_THAT(failure("x"),
              testing::AnyOf(HasSubstr("ended without an answer"), HasSubstr("ended before it had read the question")));
  open("command", "{program: " + (folder_ / "nobody").string() + "}");
  EXPECT_THAT(failure("x"), HasSubstr("cannot be run: No such file"));
}

}  // namespace
}  // namespace rgm::test
