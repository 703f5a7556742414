// check_test.cpp - what is wrong in a plug-in's tables is said before any of its functions is called.
#include "plugins/check.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// A plug-in with one sound strategy and one sound adapter, to be made wrong.
class Check : public testing::Test {
 protected:
  Check() {
    strategy.struct_size = sizeof strategy;
    strategy.columns = columns;
    strategy.roles = roles;
    strategy.defaults = defaults;
    strategy.create = [](const rgm_config*, void**) -> rgm_status { return RGM_OK; };
    strategy.destroy = [](void*) {};
    strategy.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor**) -> rgm_status { return RGM_OK; };
    adapter.struct_size = sizeof adapter;
    adapter.kinds = RGM_MLP_SITE;
    adapter.sites = sites;
    adapter.format = &format;
    adapter.create = strategy.create;
    adapter.destroy = strategy.destroy;
    adapter.attach = [](void*, const rgm_site_info*, void**) -> rgm_status { return RGM_OK; };
    adapter.begin = [](void*, rgm_tensor**) -> rgm_status { return RGM_OK; };
    adapter.prompt = [](void*, void*, rgm_tensor*, rgm_tensor**) -> rgm_status { return RGM_OK; };
  }
  std::string problem() {
    try {
      check_plugin(plugin, "x.so", RGM_ABI_MINOR);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "";
  }

  rgm_column text{sizeof(rgm_column), 0, "text", RGM_TOKENS_COLUMN, 0}, again = text;
  const rgm_column* columns[3] = {&text, nullptr, nullptr};
  rgm_role teacher{sizeof(rgm_role), 0, "teacher"};
  const rgm_role* roles[2] = {&teacher, nullptr};
  rgm_attr defaults[2] = {};
  rgm_strategy strategy{};
  const char* sites[2] = {"*.mlp", nullptr};
  rgm_pair fixed[2] = {{"layers", "{layers}"}, {}};
  rgm_format format{sizeof(rgm_format), 0, "LORA", nullptr, fixed, nullptr, nullptr, nullptr, nullptr};
  rgm_adapter adapter{};
  const rgm_option* const none[1] = {nullptr};
  rgm_component of_strategy{sizeof(rgm_component), RGM_KIND_STRATEGY, "mine", "1", "", none, &strategy};
  rgm_component of_adapter{sizeof(rgm_component), RGM_KIND_ADAPTER, "mine", "1", "", none, &adapter};
  const rgm_component* components[3] = {&of_strategy, &of_adapter, nullptr};
  rgm_plugin plugin{sizeof(rgm_plugin),
                    0,
                    0,
                    0,
                    "mine",
                    "1",
                    "",
                    "",
                    components,
                    [](const rgm_host*) -> rgm_status { return RGM_OK; },
                    nullptr,
                    nullptr};
};

TEST_F(Check, ASoundPluginPasses) { EXPECT_EQ(problem(), ""); }

TEST_F(Check, AColumnWithoutANameOrTwice) {
  text.name = nullptr;
  EXPECT_THAT(problem(), HasSubstr("x.so: strategy \"mine\" has a column without a name"));
  text.name = "text";
  columns[1] = &again;
  EXPECT_THAT(problem(), HasSubstr("has the column \"text\" twice"));
  columns[1] = nullptr;
  text.kind = 9;
  EXPECT_THAT(problem(), HasSubstr("has the unknown kind 9"));
}

TEST_F(Check, ARoleThatIsTrainedAndFreed) {
  teacher.flags = RGM_TRAINED | RGM_ANNOTATES;
  EXPECT_THAT(problem(), HasSubstr("both trained and freed"));
  teacher.name = "";
  EXPECT_THAT(problem(), HasSubstr("a role without a name"));
}

TEST_F(Check, ARoleThatFollowsThePolicy) {
  teacher.flags = RGM_FOLLOWS | RGM_ANNOTATES;
  EXPECT_EQ(problem(), "");
  teacher.flags = RGM_FOLLOWS | RGM_TRAINED;
  EXPECT_THAT(problem(), HasSubstr("role \"teacher\" of strategy \"mine\" both is trained and follows the policy"));
  teacher.flags = RGM_FOLLOWS;
  teacher.name = "policy";
  EXPECT_THAT(problem(), HasSubstr("the policy of strategy \"mine\" follows itself"));
}

TEST_F(Check, StepsOfWhatMinimisesNothing) {
  strategy.after_step = [](void*, rgm_train*, int64_t) -> rgm_status { return RGM_OK; };
  EXPECT_EQ(problem(), "");
  strategy.rollout = [](void*, rgm_train*, rgm_batch*, rgm_experience*) -> rgm_status { return RGM_OK; };
  strategy.loss = nullptr;
  EXPECT_THAT(problem(), HasSubstr("strategy \"mine\" has after_step, but no loss, and so no steps"));
}

TEST_F(Check, ADefaultWithoutItsText) {
  defaults[0].key = "schedule";
  defaults[0].value.type = RGM_TEXT;
  defaults[0].value.as.s = {nullptr, 8};
  EXPECT_THAT(problem(), HasSubstr("the default schedule of strategy \"mine\" is a text that is missing"));
}

TEST_F(Check, AFormatThatWritesNoJson) {
  fixed[0] = {"bias", "none"};
  EXPECT_THAT(problem(), HasSubstr("writes \"bias\": none, which is not JSON; text needs quotes of its own"));
  fixed[0] = {"bias", nullptr};
  EXPECT_THAT(problem(), HasSubstr("a pair without one of its names"));
  fixed[0] = {};
  format.peft_type = nullptr;
  EXPECT_THAT(problem(), HasSubstr("has no peft_type"));
}

TEST_F(Check, AFormatThatJoinsPartsInNoKnownWay) {
  const rgm_pair tensors[2] = {{"a", "{site}.lora_A.weight"}, {}};
  rgm_pair fused[2] = {{"a", "stack"}, {}};
  format.tensors = tensors;
  format.fused = fused;
  EXPECT_EQ(problem(), "");
  for (const char* how : {"blocks", "rows 1", "rows -0.5", "rows length"}) {
    fused[0].theirs = how;
    EXPECT_EQ(problem(), "") << how;
  }
  for (const char* how : {"columns", "rows", "rows ", "rows many", "rows 1 2"}) {
    fused[0].theirs = how;
    EXPECT_THAT(problem(), HasSubstr("stack, blocks, rows NUMBER or rows length were expected")) << how;
  }
  fused[0] = {"c", "stack"};
  EXPECT_THAT(problem(), HasSubstr("joins \"c\", which is none of its tensors or options"));
}

TEST_F(Check, ACollectiveThatLacksAFunction) {
  rgm_collective collective{};
  collective.struct_size = sizeof collective;
  collective.flags = RGM_STARTED_BY_HOST;
  collective.usable = []() -> rgm_status { return RGM_OK; };
  collective.join = [](const rgm_config*, const rgm_join*, rgm_group**) -> rgm_status { return RGM_OK; };
  collective.info = [](rgm_group*, rgm_group_info*) -> rgm_status { return RGM_OK; };
  collective.sum = [](rgm_group*, float*, size_t) -> rgm_status { return RGM_OK; };
  collective.gather = [](rgm_group*, const void*, size_t, void*) -> rgm_status { return RGM_OK; };
  collective.abort = [](rgm_group*, rgm_str) {};
  collective.leave = [](rgm_group*) {};
  const rgm_component of_collective{sizeof(rgm_component), RGM_KIND_COLLECTIVE, "mine", "1", "", none, &collective};
  components[0] = &of_collective;
  EXPECT_EQ(problem(), "x.so: collective \"mine\" lacks wait; its author has to correct it");
  collective.wait = [](rgm_group*) -> rgm_status { return RGM_OK; };
  EXPECT_EQ(problem(), "");
  collective.flags = RGM_STARTED_BY_HOST | RGM_STARTED_BY_LAUNCHER;
  EXPECT_THAT(problem(), HasSubstr("has the flags 0x3; either the host or a launcher starts the processes"));
}

// A table that ends before a field: what stands behind it in memory is somebody else's.
TEST_F(Check, AnOlderTableIsReadAsFarAsItGoes) {
  strategy.evaluate = [](void*, rgm_train*, rgm_batch*) -> rgm_status { return RGM_INTERNAL; };
  strategy.struct_size = offsetof(rgm_strategy, evaluate);
  EXPECT_EQ(problem(), "");
  const auto whole = std::static_pointer_cast<const rgm_strategy>(whole_table(of_strategy));
  EXPECT_EQ(whole->struct_size, sizeof(rgm_strategy));
  EXPECT_EQ(whole->loss, strategy.loss);
  EXPECT_EQ(whole->evaluate, nullptr);
}

}  // namespace
}  // namespace rgm
