// opened.hpp - what a check works with, in its child process: the plug-in under trial, loaded and started with the
// host's table, a device, and where findings go.
#pragma once
#include <memory>
#include <optional>
#include <string_view>

#include "inspect/child.hpp"
#include "inspect/inspect.hpp"
#include "model/parameters.hpp"
#include "pipeline/device.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm::inspect {

class Opened {
 public:
  Opened(const fs::path& file, const Pen& pen) : file(file), pen(pen), registry(counting_host()) { registry.add(file); }

  // The component, started. It comes before an installed one of the same id.
  const Component& component(int kind, const std::string& id) { return registry.find(kind, id); }
  // The reference backend's device, made current; false when it is not installed, which is then said.
  bool open_reference();

  void at(const std::string& what) const { pen.at(what); }
  template <class... A>
  void ok(fmt::format_string<A...> text, A&&... args) const {
    tell("ok", fmt::format(text, std::forward<A>(args)...));
  }
  template <class... A>
  void skipped(fmt::format_string<A...> text, A&&... args) const {
    tell("skipped", fmt::format(text, std::forward<A>(args)...));
  }
  template <class... A>
  void failed(fmt::format_string<A...> text, A&&... args) const {
    tell("failed", fmt::format(text, std::forward<A>(args)...));
  }

  fs::path file;
  const Pen& pen;
  Registry registry;
  size_t first_choice = 0;  // of options: those before it were tried, until one ended the process

  // -- counting_host.cpp
  // The host's table, which asks no people, and counts what a plug-in asks for, so far.
  static const rgm_host* counting_host();
  // Values without their gradient: differences of a loss say nothing about what such a loss means by its gradient.
  static int detached();
  static int drawn();                 // random numbers
  static int read();                  // values, to the host's memory
  static int follows_refused();       // calls of follow that the host said no to
  static std::string_view read_in();  // the function that did so last, of those that may be captured

 private:
  void tell(const char* verdict, const std::string& text) const { pen.write({{"verdict", verdict}, {"text", text}}); }
  std::shared_ptr<Device> device_;
};

// What happened when a callback was given nonsense.
struct Refusals {
  int refused = 0, answered = 0;
  std::vector<std::string> wrong;  // what should not have happened
};
// Calls, and looks whether the border was kept: no exception, a text with each failure, `out` untouched by it.
void try_nonsense(const Opened& opened, Refusals& seen, const std::string& what,
                  const std::function<rgm_status(rgm_tensor** out)>& call);
void tell(const Opened& opened, const Refusals& seen);

// -- options.cpp
// A value for each option that must be given, as a pipeline's YAML would; the rest are defaults.
std::string sample_options(const rgm_component& component);
// The file that is given for one that must be named: a few lines of text, written into the folder of all trials.
fs::path sample_file(const fs::path& folder);
// Why create or plan say no to these values, which may be right: then nothing else can be tried.
std::optional<std::string> refusal_of_samples(Opened& opened, int kind, const std::string& id);
// With these, as a pipeline's YAML. RGM_INVALID with all that is wrong in them.
std::unique_ptr<rgm_config> config_of(const rgm_component& component, const std::string& options);

// Calls `attempt` with the options as a pipeline's YAML for every other value of a BOOLEAN and a CHOICE, one at a time,
// from opened.first_choice on. What create or plan say no to with RGM_INVALID or RGM_UNSUPPORTED is refused, which may
// be right, and is told; all else that fails is a fault.
void try_options(const Opened& opened, const rgm_component& component,
                 const std::function<void(const std::string& options)>& attempt);

// One check of one component.
struct Step {
  const char* name;
  void (*run)(Opened& opened, const std::string& id);
};
std::vector<Step> strategy_steps();
std::vector<Step> adapter_steps();
std::vector<Step> reward_steps();
std::vector<Step> backend_steps();
std::vector<Step> collective_steps();
// Of the file itself, before any component.
void check_symbols(const fs::path& file, const Pen& pen);

// -- gradient.cpp
// Compares what backward() says of `loss` with differences of its values along the gradient and along a random
// direction, for up to twelve of the parameters; tells the result. `loss` makes the same random draws at every call.
void check_gradients(const Opened& opened, const std::vector<Parameters*>& stores, const std::function<Tensor()>& loss);

}  // namespace rgm::inspect
