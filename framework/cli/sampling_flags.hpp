// sampling_flags.hpp - the flags that say how `generate` and `chat` sample. What nobody types is as the model's
// generation_config.json has it, and what that does not say is as --help does.
#pragma once
#include <boost/program_options.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/trained_model.hpp"
#include "generate/generate.hpp"

namespace rgm::cli {

class SamplingFlags {
 public:
  struct Command {
    const char* name;    // "chat"
    int64_t max_tokens;  // where neither the user nor the model's files say
    const char* stop;    // what --stop does
  };
  explicit SamplingFlags(const Command& command);
  SamplingFlags(const SamplingFlags&) = delete;  // the options know where the values go
  SamplingFlags& operator=(const SamplingFlags&) = delete;

  void add_to(boost::program_options::options_description& options);
  // RGM_INVALID, naming the flag, where a value is out of range. Remembers what was typed.
  void check(const boost::program_options::variables_map& given);
  // For this model; what its generation_config.json says is logged.
  Sampling sampling(const TrainedModel& model) const;

 private:
  Command command_;
  Sampling typed_;
  int64_t seed_ = 0;  // with its sign, which unsigned numbers would take for a large one
  std::set<std::string> given_;
};

}  // namespace rgm::cli
