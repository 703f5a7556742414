// processes_test.cpp - `processes` and `collective` of a pipeline, and which device each process has.
#include "pipeline/processes.hpp"

#include <gmock/gmock.h>

#include "base/process_here.hpp"
#include "fake_components.hpp"
#include "pipeline/device.hpp"
#include "plugins/options.hpp"

namespace rgm::fake {
namespace {

using testing::HasSubstr;
using Processes = PipelineTest;

TEST_F(Processes, AreAsManyAsTheFileOrTheCommandLineSays) {
  EXPECT_EQ(read(right).processes, std::nullopt);
  EXPECT_EQ(read("processes: 3\n" + right).processes, 3);
  EXPECT_EQ(read("processes: 3\n" + right, {.set = {}, .backend = {}, .processes = "2", .collective = {}}).processes,
            2);
  EXPECT_EQ(read("processes: 2\ncollective: wires\n" + right).collective->id, "wires");
  EXPECT_THAT(problems("processes: 0\n" + right), HasSubstr("\"processes\" is 0, should be 1 to 1024"));
}

TEST_F(Processes, OfALauncherAreNotStartedHere) {
  EXPECT_EQ(read("collective: launched\n" + right).collective->id, "launched");
  EXPECT_EQ(problems("processes: 4\ncollective: launched\n" + right),
            "1:1: \"processes\" has them started here, but collective \"launched\" joins those that a launcher has "
            "started: leave \"processes\" out and give the launcher the number, as in mpirun -n 4 regimen run p.yaml; "
            "or leave the collective out");
}

TEST_F(Processes, ThatAreStartedHereAreCounted) {
  EXPECT_EQ(problems("collective: wires\n" + right),
            "1:1: collective \"wires\" joins processes that are started here: say how many, as in processes: 2");
}

TEST_F(Processes, AreWhatOtherToolsCallOtherwise) {
  EXPECT_EQ(problems("nproc_per_node: 4\n" + right),
            "1:1: unknown key \"nproc_per_node\" in a pipeline: here it is \"processes\", which share the rows of each "
            "step: processes: 2");
  EXPECT_THAT(problems(right + "    processes: 2\n"), HasSubstr("it belongs at the top of the file, not in a stage"));
}

// Three chips.
const rgm_backend chips = [] {
  rgm_backend b{};
  b.struct_size = sizeof b;
  b.device_count = [](uint32_t* out) -> rgm_status { return *out = 3, RGM_OK; };
  b.device_info = [](uint32_t index, rgm_device_info* out) -> rgm_status {
    constexpr const char* names[] = {"chip A", "chip B", "chip C"};
    out->name = names[index];
    out->threads = 1;
    return RGM_OK;
  };
  return b;
}();

TEST_F(Processes, HaveTheDeviceOfTheirNumberOnTheMachine) {
  const rgm_component data{sizeof(rgm_component), RGM_KIND_BACKEND, "chips", "1", "", no_options, &chips};
  const Component component{&data, nullptr, {}, "", whole_table(data)};
  Choice choice;
  choice.id = "chips";
  choice.component = &component;
  choice.config = std::make_shared<rgm_config>();
  Registry registry;
  EXPECT_EQ(device_here(choice, registry), "chips on chip A, device 0");
  set_process_here({4, 6});
  EXPECT_EQ(device_here(choice, registry), "chips on chip B, device 1");
  set_process_here({});
}

}  // namespace
}  // namespace rgm::fake
