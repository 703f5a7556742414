// endings.cpp - tokens that end a text are compared, texts that do are looked for in what the last tokens write.
#include "generate/endings.hpp"

#include <algorithm>

namespace rgm {

Endings::Endings(const Model& model, const Sampling& sampling) : model_(model), stops_(sampling.stop) {
  if (sampling.end_at_end_of_text) ends_ = ends_of_text(model);
  for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
}

bool Endings::end(std::span<const int32_t> answer) const {
  if (std::ranges::find(ends_, answer.back()) != ends_.end()) return true;
  return !stops_.empty() && completes_a_stop(answer);
}

// The last token may write more than the end of the text, as one for a full stop and a line break does.
bool Endings::completes_a_stop(std::span<const int32_t> answer) const {
  const std::span<const int32_t> last =
      answer.last(std::min(answer.size(), longest_ + 1));  // each writes a byte or more
  const std::string text = model_.tokenizer()->decode_on(last);
  const size_t before = model_.tokenizer()->decode_on(last.first(last.size() - 1)).size();
  return std::ranges::any_of(stops_, [&](const std::string& stop) {
    return !stop.empty() && text.find(stop, before - std::min(before, stop.size() - 1)) != std::string::npos;
  });
}

}  // namespace rgm
