// metadata.cpp - reading the footer, and the header of a page.
#include "parquet/metadata.hpp"

#include <cstring>

#include "parquet/schema_element.hpp"
#include "parquet/thrift.hpp"

namespace rgm::parquet {
namespace {

template <class Enum>
Enum one_of(int64_t value, int64_t last, const char* what) {
  require(value >= 0 && value <= last, "has {} {}, which is not known here", what, value);
  return static_cast<Enum>(value);
}
template <class Enum>
Enum one_of(Thrift& in, Enum last, const char* what) {
  return one_of<Enum>(in.integer(), static_cast<int64_t>(last), what);
}
int64_t size_of(Thrift& in, int64_t most = INT64_MAX) {
  const int64_t out = in.integer();
  require(out >= 0 && out <= most, "has a size of {}", out);
  return out;
}
int64_t page_size_of(Thrift& in) { return size_of(in, INT32_MAX); }

Encoding encoding_of(Thrift& in) { return static_cast<Encoding>(in.integer()); }  // unknown ones are told when used

ColumnChunk column_of(Thrift& in) {
  ColumnChunk out;
  int64_t data = 0, dictionary = 0;
  in.each_field_inside([&](Thrift::Field field) {
    if (field.id == 1) out.elsewhere = "lies in another file, " + std::string(in.text());
    if (field.id == 8 || field.id == 9) out.elsewhere = "is encrypted";
    if (field.id != 3) return;
    out.has_metadata = true;
    in.each_field_inside([&](Thrift::Field of) {
      if (of.id == 1) out.type = one_of(in, Physical::fixed_bytes, "the type");
      if (of.id == 4) out.codec = one_of(in, Codec::lz4, "the codec");
      if (of.id == 5) out.values = size_of(in);
      if (of.id == 9) data = size_of(in);
      if (of.id == 11) dictionary = size_of(in);
    });
  });
  // Some writers say 0 where there is no dictionary.
  out.first_page = dictionary > 0 && dictionary < data ? dictionary : data;
  return out;
}

RowGroup group_of(Thrift& in) {
  RowGroup out;
  in.each_field_inside([&](Thrift::Field field) {
    if (field.id == 1) in.each_of_list([&] { out.columns.push_back(column_of(in)); });
    if (field.id == 3) out.rows = size_of(in);
  });
  return out;
}

// int32, then that many bytes in front of the magic at the end.
std::string_view footer_of(std::string_view file) {
  constexpr std::string_view magic = "PAR1", encrypted = "PARE";
  constexpr size_t tail = 8;
  require(!file.ends_with(encrypted), "is encrypted; write it again without encryption");
  require(file.starts_with(magic), "is not a Parquet file: it does not begin with PAR1");
  require(file.size() >= magic.size() + tail && file.ends_with(magic),
          "is cut off: it does not end with PAR1, as Parquet files do; copy or download it again");
  uint32_t size = 0;
  std::memcpy(&size, file.data() + file.size() - tail, sizeof size);
  require(size <= file.size() - tail - magic.size(), "is damaged: it has {} bytes, and its footer is said to have {}",
          file.size(), size);
  return file.substr(file.size() - tail - size, size);
}

}  // namespace

FileMetadata read_metadata(std::string_view file) {
  FileMetadata out;
  Thrift in(footer_of(file));
  try {
    in.each_field([&](Thrift::Field field) {
      if (field.id == 2) in.each_of_list([&] { out.schema.push_back(schema_element_of(in)); });
      if (field.id == 3) out.rows = size_of(in);
      if (field.id == 4) in.each_of_list([&] { out.groups.push_back(group_of(in)); });
    });
  } catch (const Error& e) {
    invalid("is damaged: its footer {}; copy or download it again", e.what());
  }
  return out;
}

PageHeader read_page_header(std::string_view file, size_t& at) {
  PageHeader out;
  Thrift in(file.substr(at));
  in.each_field([&](Thrift::Field field) {
    if (field.id == 1) out.kind = one_of(in, PageKind::data_v2, "the page type");
    if (field.id == 2) out.unpacked_bytes = page_size_of(in);
    if (field.id == 3) out.bytes = page_size_of(in);
    if (field.id == 4) out.crc = static_cast<uint32_t>(in.integer());
    if (field.id == 5 || field.id == 7)  // a data page, a dictionary
      in.each_field_inside([&](Thrift::Field of) {
        if (of.id == 1) out.values = page_size_of(in);
        if (of.id == 2) out.encoding = encoding_of(in);
        // Where nothing repeats, that encoding is anything.
        if (field.id == 5 && of.id == 3) out.levels = encoding_of(in);
      });
    if (field.id == 8)
      in.each_field_inside([&](Thrift::Field of) {
        if (of.id == 1) out.values = page_size_of(in);
        if (of.id == 4) out.encoding = encoding_of(in);
        if (of.id == 5) out.definition_bytes = page_size_of(in);
        if (of.id == 6) out.repetition_bytes = page_size_of(in);
        if (of.id == 7) out.is_compressed = in.boolean();
      });
  });
  at += in.read();
  require(out.bytes <= static_cast<int64_t>(file.size() - at), "has a page of {} bytes where {} are left", out.bytes,
          file.size() - at);
  return out;
}

std::string name_of(Codec codec) {
  constexpr const char* names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"};
  return names[static_cast<size_t>(codec)];
}
std::string name_of(Encoding encoding) {
  constexpr const char* names[] = {
      "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
      "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
      "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
  const auto i = static_cast<size_t>(encoding);
  return i < std::size(names) ? names[i] : "number " + std::to_string(static_cast<int64_t>(encoding));
}
std::string name_of(Physical type) {
  constexpr const char* names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                   "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
  return names[static_cast<size_t>(type)];
}

}  // namespace rgm::parquet
