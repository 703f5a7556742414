// mixed_source.cpp - which part a place belongs to, and which of its units that is, are pure functions of the place:
// so each part is a source of its own, read from one unit to the next.
#include "data/mixed_source.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/philox.hpp"
#include "base/sha256.hpp"
#include "data/grouped_source.hpp"
#include "data/units.hpp"

namespace rgm {
namespace {

constexpr uint32_t part_stream = 0x3A47;  // keeps the order of one part apart from those of the others

struct Place {
  size_t part = 0;
  int64_t position = 0;  // in the part's own sequence
};

// Neighbouring units of one part.
struct Piece {
  size_t part = 0;
  int64_t begin = 0, end = 0;
};

class MixedSource final : public Source {
 public:
  MixedSource(std::vector<std::unique_ptr<Source>> parts, std::vector<int64_t> weights,
              std::vector<std::string> together, std::string chat_template)
      : parts_(std::move(parts)),
        weights_(std::move(weights)),
        together_(std::move(together)),
        chat_template_(std::move(chat_template)),
        weight_(std::accumulate(weights_.begin(), weights_.end(), int64_t{0})) {
    std::string all = "a mixture";
    double tokens = 0, counted = 0;
    for (const auto& part : parts_) {
      begins_.push_back(units_);
      units_ += part->units();
    }
    for (size_t p = 0; p < parts_.size(); ++p) {
      all += fmt::format(" {} {}", weights_[p], parts_[p]->sha256());
      const double drawn =
          static_cast<double>(units_) * (static_cast<double>(weights_[p]) / static_cast<double>(weight_));
      const double epochs = drawn / static_cast<double>(parts_[p]->units());
      tokens += epochs * static_cast<double>(parts_[p]->tokens());
      counted += epochs * static_cast<double>(parts_[p]->counted());
    }
    tokens_ = std::llround(tokens);
    counted_ = std::llround(counted);
    sha256_ = rgm::sha256(all);
  }

  int64_t units() const override { return units_; }
  int64_t tokens() const override { return tokens_; }
  int64_t counted() const override { return counted_; }
  const std::string& sha256() const override { return sha256_; }
  std::string chat_template() const override { return chat_template_; }
  bool has_fixed_units() const override {
    return std::ranges::all_of(parts_, [](const auto& part) { return part->has_fixed_units(); });
  }

  int64_t examples_of(int64_t unit) const override {
    const size_t part = part_of(unit);
    return parts_[part]->examples_of(unit - begins_[part]);
  }
  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    require(position >= 0, "the data has no position {}", position);
    const Place place = place_of(position);
    return begins_[place.part] + parts_[place.part]->unit_at(place.position, order_of(place.part, order_seed));
  }

  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    require(position >= 0 && count >= 0, "the data has no {} units at position {}", count, position);
    std::vector<Piece> pieces;
    std::vector<int32_t> order;  // of every example, which piece it is of
    for (int64_t i = position; i < position + count; ++i) {
      const Place place = place_of(i);
      auto piece = std::ranges::find(pieces, place.part, &Piece::part);
      if (piece == pieces.end()) piece = pieces.insert(piece, Piece{place.part, place.position, place.position});
      piece->end = place.position + 1;
      order.insert(order.end(), static_cast<size_t>(examples_of(unit_at(i, order_seed))),
                   static_cast<int32_t>(piece - pieces.begin()));
    }
    if (pieces.empty()) return parts_[0]->batch(0, 0, order_seed);
    std::vector<Batch> batches;
    batches.reserve(pieces.size());
    for (const Piece& piece : pieces)
      batches.push_back(
          parts_[piece.part]->batch(piece.begin, piece.end - piece.begin, order_of(piece.part, order_seed)));
    return one_of(batches, order);
  }

  Batch in_order(int64_t begin, int64_t end) const override {
    require(begin >= 0 && begin <= end && end <= units_, "the data has {} units, {} to {} were asked for", units_,
            begin, end);
    std::vector<Batch> batches;
    std::vector<int32_t> order;
    for (size_t p = 0; p < parts_.size(); ++p) {
      const int64_t from = std::max(begin - begins_[p], int64_t{0}),
                    to = std::min(end - begins_[p], parts_[p]->units());
      if (from >= to) continue;
      batches.push_back(parts_[p]->in_order(from, to));
      order.resize(order.size() + static_cast<size_t>(batches.back().examples),
                   static_cast<int32_t>(batches.size() - 1));
    }
    if (batches.empty()) return parts_[0]->in_order(0, 0);
    return one_of(batches, order);
  }

 private:
  size_t part_of(int64_t unit) const {
    return static_cast<size_t>(std::ranges::upper_bound(begins_, unit) - begins_.begin() - 1);
  }
  static uint64_t order_of(size_t part, uint64_t order_seed) { return mix(order_seed, part, part_stream); }

  // The first part takes its share of all places, as evenly as whole numbers go; the second its share of those that are
  // left, and so on.
  Place place_of(int64_t position) const {
    int64_t at = position, whole = weight_;
    for (size_t p = 0;; ++p) {
      const int64_t before = taken(at, weights_[p], whole);
      if (taken(at + 1, weights_[p], whole) > before) return {p, before};
      at -= before;
      whole -= weights_[p];
    }
  }
  // Of the first n places `weight` in `whole`, rounded up.
  static int64_t taken(int64_t n, int64_t weight, int64_t whole) {
    const auto part = static_cast<unsigned __int128>(n) * static_cast<uint64_t>(weight);
    const auto all = static_cast<uint64_t>(whole);
    return static_cast<int64_t>((part + all - 1) / all);
  }

  Batch one_of(std::vector<Batch>& batches, const std::vector<int32_t>& order) const {
    if (batches.size() == 1) return std::move(batches[0]);
    std::vector<const Batch*> each;
    each.reserve(batches.size());
    for (const Batch& batch : batches) each.push_back(&batch);
    Batch out = joined(each, order);
    // A group is one of its part, whatever number it has there.
    for (const std::string& name : together_)
      if (const auto found = out.columns.find(name); found != out.columns.end()) part_copies(found->second, order);
    return out;
  }

  std::vector<std::unique_ptr<Source>> parts_;
  std::vector<int64_t> weights_;
  std::vector<std::string> together_;  // columns
  std::string chat_template_, sha256_;
  int64_t weight_;               // of all parts
  std::vector<int64_t> begins_;  // of every part, the number of its first unit
  int64_t units_ = 0, tokens_ = 0, counted_ = 0;
};

std::string name_of(const DataSpec& part) { return part.files.empty() ? part.format : part.files[0].string(); }

// So fine that every share which people write is a whole number.
constexpr double share_of_one = 1e9;

std::vector<int64_t> weights_of(const DataSpec& spec, const std::vector<std::unique_ptr<Source>>& parts) {
  std::vector<int64_t> out;
  int64_t common = 0;
  for (size_t p = 0; p < parts.size(); ++p) {
    const double share = spec.parts[p].share;
    out.push_back(share > 0 ? std::max<int64_t>(1, std::llround(share * share_of_one)) : parts[p]->units());
    common = std::gcd(common, out.back());
  }
  for (int64_t& weight : out) weight /= common;
  return out;
}

// What one part has, the other has, too.
void require_columns_of(const DataSpec& one, const Batch& its, const DataSpec& other, const Batch& others) {
  for (const auto& [name, column] : its.columns)
    require(
        others.columns.contains(name),
        "{0} has no column \"{1}\", and {2} has one: all parts of a mixture need the same columns; add it there, or "
        "leave it out of both",
        name_of(other), name, name_of(one));
}

std::string common_template(const DataSpec& spec, const std::vector<std::unique_ptr<Source>>& parts) {
  std::string out;
  size_t first = 0;
  for (size_t p = 0; p < parts.size(); ++p) {
    const std::string own = parts[p]->chat_template();
    if (out.empty()) out = own, first = p;
    require(own.empty() || own == out,
            "{} and {} are read with different chat templates, and the model can keep only one: name the same one for "
            "both, as in columns: {{text: {{messages: messages, template: chatml}}}}",
            name_of(spec.parts[first]), name_of(spec.parts[p]));
  }
  return out;
}

}  // namespace

std::unique_ptr<Source> mixed(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                              std::vector<std::unique_ptr<Source>> parts) {
  require(!parts.empty() && parts.size() == spec.parts.size(), "data: a mixture of {} parts has {} sources",
          spec.parts.size(), parts.size());
  if (parts.size() == 1) return std::move(parts[0]);
  const Batch first = parts[0]->in_order(0, 1);
  for (size_t p = 1; p < parts.size(); ++p) {
    const Batch batch = parts[p]->in_order(0, 1);
    require_columns_of(spec.parts[0], first, spec.parts[p], batch);
    require_columns_of(spec.parts[p], batch, spec.parts[0], first);
  }
  std::vector<std::string> together;
  for (const ColumnWish& wish : wishes)
    if (wish.flags & RGM_TOGETHER) together.push_back(wish.name);
  std::vector<int64_t> weights = weights_of(spec, parts);
  std::string chat = common_template(spec, parts);
  const auto by_text = std::ranges::find_if(wishes, [&](const ColumnWish& wish) {
    return (wish.flags & RGM_TOGETHER) && wish.kind == RGM_TEXT_COLUMN && first.columns.contains(wish.name);
  });
  auto all = std::make_unique<MixedSource>(std::move(parts), std::move(weights), std::move(together), std::move(chat));
  return by_text == wishes.end() || spec.parts[0].share > 0 ? std::move(all) : grouped(std::move(all), by_text->name);
}

}  // namespace rgm
