// thrift.hpp - the compact protocol of Thrift, in which Parquet writes what describes its data: a reader that visits
// the fields of a struct. Every length is checked against the bytes that are there.
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
#pragma once
#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace rgm::parquet {

class Thrift {
 public:
  enum Type : uint8_t { stop, yes, no, byte, i16, i32, i64, real, binary, list, set, map, structure };

  // RGM_INVALID where the bytes are not a message, without the file's name.
  explicit Thrift(std::string_view bytes) : bytes_(bytes) {}

  struct Field {
    int16_t id;
    Type type;
  };
  // Calls see(field) for each field of the struct that begins here. What it does not read of a field is skipped.
  template <class See>
  void each_field(See&& see) {
    const Deeper depth(*this);
    for (int16_t id = 0;;) {
      const uint8_t head = next();
      if (head == stop) return;
      id = head >> 4 ? static_cast<int16_t>(id + (head >> 4)) : static_cast<int16_t>(whole());
      const Field field{id, static_cast<Type>(head & 15)};
      is_pending_ = field.type;
      is_in_list_ = false;
      see(field);
      if (is_pending_ != stop) skip();
    }
  }
  // Calls see() for each member of the list that is the value here.
  template <class See>
  void each_of_list(See&& see) {
    take(list);
    const uint8_t head = next();
    const uint64_t count = head >> 4 == 15 ? unsigned_whole() : head >> 4;
    require(count == 0 || (head & 15) != stop, "has a list of nothing");
    for (uint64_t i = 0; i < count; ++i) {
      is_pending_ = static_cast<Type>(head & 15);
      is_in_list_ = true;
      see();
      if (is_pending_ != stop) skip();
    }
  }
  // The value here, which has to be of that kind.
  int64_t integer();
  bool boolean();
  std::string_view text();
  template <class See>
  void each_field_inside(See&& see) {
    take(structure);
    each_field(see);
  }

  size_t read() const { return at_; }  // bytes

 private:
  struct Deeper {
    explicit Deeper(Thrift& in) : in_(in) { require(++in.depth_ <= 30, "is nested more than 30 deep"); }
    ~Deeper() { --in_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Thrift& in_;
  };
  uint8_t next() {
    require(at_ < bytes_.size(), "ends too early");
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  uint64_t unsigned_whole();
  int64_t whole();
  void take(Type type);
  void skip();

  std::string_view bytes_;
  size_t at_ = 0;
  int depth_ = 0;
  Type is_pending_ = stop;   // the value here, as long as nobody has read it
  bool is_in_list_ = false;  // where booleans are bytes
};

}  // namespace rgm::parquet
