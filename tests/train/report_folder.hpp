// report_folder.hpp - a folder of runs, the report that is made of it, and whether that is whole markup.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "train/report.hpp"

namespace rgm {

// Empty where every tag is closed in its order and every attribute is quoted; otherwise what is wrong.
inline std::string markup_mistake(std::string_view html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != html.npos; at = html.find('<', at)) {
    const size_t end = html.find('>', at);
    if (end == html.npos) return "a tag does not end";
    const std::string_view tag = html.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with("!") || tag.ends_with("/")) continue;
    const std::string name(tag.substr(tag.starts_with("/"), tag.find_first_of(" \n") - tag.starts_with("/")));
    if (name == "meta") continue;
    size_t values = 0;
    for (size_t i = tag.find("=\""); i != tag.npos; i = tag.find("=\"", i + 2)) ++values;
    if (static_cast<size_t>(std::count(tag.begin(), tag.end(), '"')) != 2 * values)
      return "quotes in <" + std::string(tag) + ">";
    if (!tag.starts_with("/")) {
      open.push_back(name);
      continue;
    }
    if (open.empty() || open.back() != name)
      return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
    open.pop_back();
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

class Report : public testing::Test {
 protected:
  Report() : folder_(fs::temp_directory_path() / ("regimen-report-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Report() override { fs::remove_all(folder_); }

  void put(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    write_file(folder_ / name, text);
  }
  std::string html() {
    write_report(folder_);
    std::string out = read_file(folder_ / "report.html");
    EXPECT_EQ(markup_mistake(out), "");
    return out;
  }
  fs::path folder_;
};

}  // namespace rgm
