// child.hpp - work in a child process, which may crash, hang or be ended by what it loads without harm to this one.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace rgm::inspect {

// How a child tells its parent what it is at and what it found: a JSON object a line, written at once.
class Pen {
 public:
  explicit Pen(int descriptor) : descriptor_(descriptor) {}
  void at(const std::string& what) const { write({{"at", what}}); }  // what is tried next
  void write(const nlohmann::json& line) const;

 private:
  int descriptor_;
};

struct Told {
  std::vector<nlohmann::json> lines;  // without those of at()
  std::string end;                    // empty: it came to its end; else "crashed: signal 11 (…) in WHAT" and the like
};

// Runs `body` in a child of this process and waits for it, for `seconds` at most. What the child prints goes to
// standard error. Call it before this process has threads.
Told in_child(const std::function<void(const Pen&)>& body, int seconds);

}  // namespace rgm::inspect
