// arguments.cpp - Boost.program_options with this program's messages.
#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm::cli {
namespace po = boost::program_options;

std::optional<po::variables_map> parse(const Usage& usage, const po::options_description& options,
                                       const std::vector<std::string>& arguments) {
  po::options_description shown("Options"), all;
  for (const auto& option : options.options()) shown.add(option);  // in one group, whatever theirs is called
  shown.add_options()("help,h", "show this help");
  all.add(shown);
  po::positional_options_description order;
  for (const std::string& name : usage.places) {
    all.add_options()(name.c_str(), po::value<std::string>());
    order.add(name.c_str(), 1);
  }
  if (!usage.rest.empty()) {
    all.add_options()(usage.rest.c_str(), po::value<std::vector<std::string>>());
    order.add(usage.rest.c_str(), -1);
  }
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    const int exact = style::default_style & ~style::allow_guessing;  // a new option must not change old scripts
    po::store(po::command_line_parser(arguments).options(all).positional(order).style(exact).run(), given);
    po::notify(given);
  } catch (const po::unknown_option& e) {
    std::vector<std::string> names;
    for (const auto& o : shown.options()) names.push_back("--" + o->long_name());
    const std::string near = did_you_mean(e.get_option_name(), names);
    invalid("{}: option {} is not known{}", usage.command, e.get_option_name(),
            near.empty() ? fmt::format("; see `regimen {} --help`", usage.command) : near);
  } catch (const po::too_many_positional_options_error&) {
    invalid("{}: too many arguments; it takes {}", usage.command, usage.line.empty() ? "only options" : usage.line);
  } catch (const po::error& e) {
    invalid("{}: {}; see `regimen {} --help`", usage.command, e.what(), usage.command);
  }
  if (!given.count("help")) return given;
  std::ostringstream text;
  text << shown;
  fmt::print("regimen {} {}\n\n{}\n\n{}\nExample: {}\n", usage.command, usage.line, usage.text, text.str(),
             usage.example);
  return std::nullopt;
}

}  // namespace rgm::cli
