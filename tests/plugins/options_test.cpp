// options_test.cpp - values from YAML: types, ranges, choices, names from elsewhere, and all mistakes at once.
#include "plugins/options.hpp"

#include <gmock/gmock.h>

#include "plugins/folder.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Options : public testing::Test {
 protected:
  std::unique_ptr<rgm_config> read(const std::string& yaml, int kind = RGM_KIND_STRATEGY,
                                   const std::string& id = "sound") {
    problems_ = Problems("file.yaml");
    return read_options(*registry_.find(kind, id).data, YAML::Load(yaml), problems_);
  }
  std::string problem(const std::string& yaml, int kind = RGM_KIND_STRATEGY, const std::string& id = "sound") {
    read(yaml, kind, id);
    return problems_.text();
  }
  static rgm_value get(const rgm_config& config, const char* key) {
    rgm_value v{};
    EXPECT_EQ(config_get(&config, key, &v), RGM_OK) << key;
    return v;
  }

  Options() { registry_.add(folder_.path() / "sound.so"); }
  Folder folder_{"sound"};
  Registry registry_;
  Problems problems_{"file.yaml"};
};

TEST_F(Options, AreDefaultsWhereNothingIsGiven) {
  const auto config = read("~");
  EXPECT_TRUE(problems_.empty());
  EXPECT_EQ(get(*config, "rank").as.i, 8);
  EXPECT_EQ(get(*config, "alpha").as.f, 16);
  EXPECT_EQ(get(*config, "how").type, RGM_CHOICE);
  EXPECT_EQ(get(*config, "labels").count, 2u);
  EXPECT_EQ(std::string_view(get(*config, "labels").as.ss[1].data, 1), "b");
}

TEST_F(Options, TakeEveryType) {
  const auto config =
      read("{rank: 0.4e1, alpha: 1, on: no, text: 12, how: sum, sizes: [3, 4, 5], rates: [1e-3, .5], labels: one}");
  EXPECT_EQ(problems_.text(), "");
  EXPECT_EQ(get(*config, "rank").as.i, 4);
  EXPECT_EQ(get(*config, "alpha").as.f, 1.0);
  EXPECT_EQ(get(*config, "on").as.i, 0);
  EXPECT_EQ(std::string_view(get(*config, "text").as.s.data, 2), "12");
  EXPECT_EQ(get(*config, "sizes").as.is[2], 5);
  EXPECT_EQ(get(*config, "rates").as.fs[0], 1e-3);
  EXPECT_EQ(get(*config, "labels").count, 1u);
  rgm_value v{};
  EXPECT_EQ(config_get(config.get(), "none", &v), RGM_INVALID);
}

TEST_F(Options, NameTheValueTheRangeAndThePlace) {
  EXPECT_EQ(problem("{rank: 100}"), "file.yaml:1:8: strategy \"sound\": option \"rank\" is 100, its range is 1 to 64");
  EXPECT_THAT(problem("{alpha: -1}"), HasSubstr("its range is at least 0"));
  EXPECT_THAT(problem("{rank: many}"), HasSubstr("should be an integer, got \"many\""));
  EXPECT_THAT(problem("{rank: 1.5}"), HasSubstr("should be an integer"));
  EXPECT_THAT(problem("{rank: 1e400}"), HasSubstr("should be an integer"));
  EXPECT_THAT(problem("{rank: .inf}"), HasSubstr("should be an integer"));
  EXPECT_THAT(problem("{rank: \"8\"}"), HasSubstr("should be an integer, got the text \"8\""));
  EXPECT_THAT(problem("{rank: [8]}"), HasSubstr("got a list"));
  EXPECT_THAT(problem("{alpha: .nan}"), HasSubstr("should be a number"));
  EXPECT_THAT(problem("{how: summ}"), HasSubstr("one of mean, sum, got \"summ\"; did you mean \"sum\"?"));
  EXPECT_THAT(problem("{sizes: [1, 200]}"), HasSubstr("is 200, its range is 0 to 100"));
  EXPECT_THAT(problem("{text: }"), HasSubstr("should be text, got nothing"));
  EXPECT_THAT(problem("[1]"), HasSubstr("should be a map"));
}

TEST_F(Options, KnowNamesFromElsewhere) {
  EXPECT_THAT(problem("{lora_r: 8}"), HasSubstr("option \"lora_r\" is called \"rank\" here"));
  EXPECT_THAT(problem("{r: 8}"), HasSubstr("is called \"rank\" here"));
  EXPECT_THAT(problem("{target_modules: x}", RGM_KIND_ADAPTER, "scaling"), HasSubstr("is called \"sites\" here"));
  EXPECT_THAT(problem("{ranc: 8}"), HasSubstr("is not known; did you mean \"rank\"?"));
  EXPECT_THAT(problem("{zzz: 8}"), HasSubstr("it has: rank, alpha, on"));
}

TEST_F(Options, AreAllReportedAtOnceInOrder) {
  problem("rank: 0\nhow: no\nzzz: 1\nalpha: x\n");
  ASSERT_EQ(problems_.size(), 4u);
  EXPECT_EQ(problems_.list()[2].line, 3);
  EXPECT_EQ(problems_.list()[3].column, 8);
  EXPECT_THROW(problems_.raise(), Error);
}

TEST_F(Options, ThatAreRequiredMustBeGiven) {
  EXPECT_THAT(problem("{}", RGM_KIND_REWARD, "rule"), HasSubstr("option \"needed\" must be given: has to be given"));
  EXPECT_EQ(problem("{needed: x}", RGM_KIND_REWARD, "rule"), "");
}

TEST_F(Options, OfAdaptersHaveSites) {
  const auto config = read("{}", RGM_KIND_ADAPTER, "scaling");
  EXPECT_EQ(to_json(*config).dump(), R"({"sites":["*.query"]})");
  EXPECT_EQ(to_json(*read("{sites: '*.value'}", RGM_KIND_ADAPTER, "scaling")).dump(), R"({"sites":["*.value"]})");
}

TEST_F(Options, HaveOneTextForEqualValues) {
  EXPECT_EQ(canonical(*read("{rank: 8, alpha: 16}")), canonical(*read("alpha: 1.6e1")));
  EXPECT_NE(canonical(*read("{rank: 8}")), canonical(*read("{rank: 9}")));
}

TEST_F(Options, AreDescribed) {
  const auto& component = *registry_.find(RGM_KIND_STRATEGY, "sound").data;
  EXPECT_EQ(describe(*component.options[0]).dump(),
            R"({"key":"rank","type":"integer","default":8,"min":1.0,"max":64.0,"help":"what it is for"})");
  EXPECT_THAT(describe(*component.options[4])["choices"], ElementsAre("mean", "sum"));
}

}  // namespace
}  // namespace rgm
