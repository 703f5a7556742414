// metadata.hpp - what a Parquet file says of itself: its schema, where the pages of each column lie, and what begins
// each page. https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
#pragma once
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rgm::parquet {

// What this reader, or a row of JSON, cannot hold: of one column, which may be one that nobody reads.
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Physical { boolean, int32, int64, int96, float32, float64, bytes, fixed_bytes };
enum class Repetition { required, optional, repeated };
// What the values of a type stand for; of groups, list or map.
enum class Meaning { plain, text, list, map, decimal, date, time, timestamp, unsigned_whole, uuid, float16, other };
enum class Codec { none, snappy, gzip, lzo, brotli, lz4_of_hadoop, zstd, lz4 };
enum class Encoding {
  plain = 0,
  plain_dictionary = 2,
  rle = 3,
  bit_packed = 4,
  delta_binary_packed = 5,
  delta_length_byte_array = 6,
  delta_byte_array = 7,
  rle_dictionary = 8,
  byte_stream_split = 9
};
std::string name_of(Codec codec);
std::string name_of(Encoding encoding);
std::string name_of(Physical type);

struct SchemaElement {
  std::optional<Physical> type = {};  // nothing: a group
  int64_t length = 0;                 // of fixed bytes
  Repetition repetition = Repetition::required;
  std::string name = {};
  int64_t children = 0;
  Meaning meaning = Meaning::plain;
  std::string other = {};         // what the meaning is called, where it is none of these
  int64_t scale = 0, digits = 0;  // of a decimal
  int64_t second = 1'000;         // how many units of a time it has
  bool is_utc = false;
  bool is_json = false;  // a text that says a value
};

// The pages of one column in one row group.
struct ColumnChunk {
  bool has_metadata = false;
  std::string elsewhere = {};  // the file that has them, or why they cannot be read
  Physical type = Physical::bytes;
  Codec codec = Codec::none;
  int64_t values = 0;  // with nulls and empty lists
  int64_t first_page = 0;
};
struct RowGroup {
  int64_t rows = 0;
  std::vector<ColumnChunk> columns = {};
};
struct FileMetadata {
  int64_t rows = 0;
  std::vector<SchemaElement> schema = {};
  std::vector<RowGroup> groups = {};
};

enum class PageKind { data, index, dictionary, data_v2 };
struct PageHeader {
  PageKind kind = PageKind::index;
  int64_t unpacked_bytes = 0, bytes = 0;  // of what follows
  std::optional<uint32_t> crc = {};
  int64_t values = 0;
  Encoding encoding = Encoding::plain, levels = Encoding::rle;
  int64_t repetition_bytes = 0, definition_bytes = 0;  // of the second version, which compresses no levels
  bool is_compressed = true;
};

// RGM_INVALID without the file's name where they are damaged.
FileMetadata read_metadata(std::string_view file);
// Advances `at` behind it.
PageHeader read_page_header(std::string_view file, size_t& at);

}  // namespace rgm::parquet
