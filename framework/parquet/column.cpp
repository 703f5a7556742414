// column.cpp - from page to page. Where a page has a checksum, it is compared.
#include "parquet/column.hpp"

#include <zlib.h>

#include <bit>
#include <cstring>

#include "base/error.hpp"

namespace rgm::parquet {
namespace {

int width_of(int highest) { return std::bit_width(static_cast<unsigned>(highest)); }

// Levels of the first version stand behind their size.
Hybrid take_levels(std::string_view& body, int highest, Encoding encoding) {
  if (highest == 0) return {};
  if (encoding != Encoding::rle)
    throw Unsupported(
        fmt::format("has levels in the encoding {}, which is not read here; write the file again", name_of(encoding)));
  uint32_t size = 0;
  require(body.size() >= sizeof size, "ends in front of its levels");
  std::memcpy(&size, body.data(), sizeof size);
  body.remove_prefix(sizeof size);
  require(size <= body.size(), "has levels of {} bytes where {} are left", size, body.size());
  const Hybrid out(body.substr(0, size), width_of(highest));
  body.remove_prefix(size);
  return out;
}

}  // namespace

Column::Column(std::string_view file, const ColumnChunk& chunk, const Node& leaf, Budget& budget)
    : file_(file),
      chunk_(chunk),
      leaf_(leaf),
      of_page_(budget),
      of_dictionary_(budget),
      at_(static_cast<size_t>(chunk.first_page)),
      left_(chunk.values) {
  if (!chunk.elsewhere.empty()) throw Unsupported(chunk.elsewhere);
  require(chunk.has_metadata, "has no description");
  require(chunk.type == leaf.element.type, "is {} in the schema and {} in its pages", name_of(*leaf.element.type),
          name_of(chunk.type));
  pass();
}

void Column::pass() {
  while (in_page_ == 0) {
    if (left_ == 0) {
      is_at_end_ = true;
      defined_ = repeated_ = 0;
      return;
    }
    next_page();
  }
  --in_page_;
  repeated_ = leaf_.repeated > 0 ? static_cast<int>(repetitions_.next()) : 0;
  defined_ = leaf_.defined > 0 ? static_cast<int>(definitions_.next()) : 0;
  require(repeated_ <= leaf_.repeated && defined_ <= leaf_.defined, "has the levels {} and {}, at most {} and {}",
          repeated_, defined_, leaf_.repeated, leaf_.defined);
}

Value Column::value() {
  if (!values_) values_ = values_of(encoding_, leaf_.element, inside_, count_, dictionary_ ? &*dictionary_ : nullptr);
  return values_->next();
}

void Column::next_page() {
  require(at_ < file_.size(), "has {} fewer entries than it should", left_);
  const PageHeader head = read_page_header(file_, at_);
  const std::string_view body = file_.substr(at_, static_cast<size_t>(head.bytes));
  at_ += body.size();
  if (head.crc) {
    const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
    require(crc == *head.crc, "has a page that is not as it was written: its checksum differs");
  }
  if (head.kind == PageKind::dictionary) return open_dictionary(head, body);
  if (head.kind == PageKind::index) return;
  require(head.values <= left_, "has a page of {} entries where {} are left", head.values, left_);
  left_ -= in_page_ = count_ = head.values;
  encoding_ = head.encoding;
  values_.reset();
  page_ = {};
  of_page_.give();
  of_page_.take(static_cast<size_t>(head.unpacked_bytes));
  head.kind == PageKind::data ? open_page(head, body) : open_page_v2(head, body);
}

void Column::open_dictionary(const PageHeader& head, std::string_view body) {
  if (head.encoding != Encoding::plain && head.encoding != Encoding::plain_dictionary)
    throw Unsupported(fmt::format("has a dictionary in the encoding {}, which is not read here; write the file again",
                                  name_of(head.encoding)));
  dictionary_.reset();
  of_dictionary_.give();
  of_dictionary_.take(static_cast<size_t>(head.unpacked_bytes));
  dictionary_page_ = unpacked(chunk_.codec, body, head.unpacked_bytes);
  const auto values = plain_values(leaf_.element, dictionary_page_.view());
  Dictionary& all = dictionary_.emplace();
  for (int64_t i = 0; i < head.values; ++i) {
    of_dictionary_.take(2 * sizeof(Value));  // a list that grows has up to twice its room
    all.push_back(values->next());
  }
}

void Column::open_page(const PageHeader& head, std::string_view body) {
  page_ = unpacked(chunk_.codec, body, head.unpacked_bytes);
  std::string_view inside = page_.view();
  repetitions_ = take_levels(inside, leaf_.repeated, head.levels);
  definitions_ = take_levels(inside, leaf_.defined, head.levels);
  inside_ = inside;
}

void Column::open_page_v2(const PageHeader& head, std::string_view body) {
  const int64_t levels = head.repetition_bytes + head.definition_bytes;
  require(head.repetition_bytes <= head.bytes && levels <= head.bytes && levels <= head.unpacked_bytes,
          "has levels of {} bytes in a page of {}", levels, head.bytes);
  const auto repetition = static_cast<size_t>(head.repetition_bytes), all = static_cast<size_t>(levels);
  repetitions_ = Hybrid(body.substr(0, repetition), width_of(leaf_.repeated));
  definitions_ = Hybrid(body.substr(repetition, all - repetition), width_of(leaf_.defined));
  page_ = unpacked(head.is_compressed ? chunk_.codec : Codec::none, body.substr(all), head.unpacked_bytes - levels);
  inside_ = page_.view();
}

}  // namespace rgm::parquet
