// stories.cpp - regimen-stories: writes small stories in English, to train small models on.
#include <boost/program_options.hpp>
#include <iostream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "stories/story.hpp"

int main(int argc, char** argv) {
  namespace po = boost::program_options;
  po::options_description options(
      "Writes short stories in English, with a blank line between them.\n"
      "Example: regimen-stories --bytes 1000000 --seed 7 --out stories.txt\n\nOptions");
  // clang-format off
  options.add_options()
      ("help", "show this help")
      ("bytes", po::value<int64_t>()->default_value(400000), "at least this much text; the last story is told to its end")
      ("seed", po::value<uint64_t>()->default_value(1), "other seeds tell other stories")
      ("out", po::value<std::string>(), "the file to write; without it, the stories go to standard output");
  // clang-format on
  try {
    po::variables_map given;
    po::store(po::command_line_parser(argc, argv).options(options).positional({}).run(), given);
    po::notify(given);
    if (given.contains("help")) {
      std::cout << options;
      return 0;
    }
    const auto bytes = given["bytes"].as<int64_t>();
    rgm::require(bytes > 0, "--bytes is {}, a number above 0 was expected", bytes);
    const std::string text = rgm::stories::collect(static_cast<size_t>(bytes), given["seed"].as<uint64_t>());
    if (given.contains("out")) {
      const rgm::fs::path path = given["out"].as<std::string>();
      if (path.has_parent_path()) rgm::fs::create_directories(path.parent_path());
      rgm::write_file(path, text);
    } else {
      std::cout << text << std::flush;
      if (!std::cout) rgm::failure("standard output cannot be written");
    }
    return 0;
  } catch (const po::error& e) {
    std::cerr << "regimen-stories: " << e.what() << "; see regimen-stories --help\n";
    return 2;
  } catch (const rgm::Error& e) {
    std::cerr << "regimen-stories: " << e.what() << "\n";
    return rgm::exit_status(e);
  } catch (const std::exception& e) {
    std::cerr << "regimen-stories: " << e.what() << "\n";
    return 1;
  }
}
