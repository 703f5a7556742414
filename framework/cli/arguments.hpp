// arguments.hpp - what every command does with its arguments: parse them, answer --help, name what is wrong.
#pragma once
#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

namespace rgm::cli {

struct Usage {
  std::string command;                // "plugins"
  std::string line;                   // "[ID] [--json]"
  std::string text;                   // what it does
  std::string example;                // a whole command line
  std::vector<std::string> places{};  // names of the arguments without dashes, in their order
  std::string rest{};                 // name of those behind them, as std::vector<std::string>; empty: there are none
};

// The arguments by name; nothing when --help was given, which is then printed. Throws RGM_INVALID with a near name.
std::optional<boost::program_options::variables_map> parse(const Usage& usage,
                                                           const boost::program_options::options_description& options,
                                                           const std::vector<std::string>& arguments);

}  // namespace rgm::cli
