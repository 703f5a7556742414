// rows.cpp - rows put together from their columns: what is null, and where lists end, the levels of the entries say.
#include "parquet/rows.hpp"

#include <optional>

#include "base/error.hpp"
#include "parquet/column.hpp"
#include "parquet/to_json.hpp"

namespace rgm::parquet {
namespace {

class Group {
 public:
  Group(std::string_view file, const RowGroup& group, const Node& root, const std::string& name)
      : file_(file), group_(group), root_(root), name_(name), columns_(group.columns.size()) {
    require(group.columns.size() == root.end_leaf, "{}: is damaged: a row group has {} columns, and there are {}", name,
            group.columns.size(), root.end_leaf);
    why_not_.resize(root.children.size());
    for (size_t c = 0; c < root.children.size(); ++c) attempt(c, [&] { open(root.children[c]); });
  }

  Row next() {
    Row out = Row::object();
    auto& members = out.get_ref<Row::object_t&>();
    members.reserve(root_.children.size());
    for (size_t c = 0; c < root_.children.size(); ++c) {
      Row value;
      attempt(c, [&] { value = read(root_.children[c], 0, 0); });
      members.emplace_back(root_.children[c].name, why_not_[c] ? unreadable(*why_not_[c]) : std::move(value));
    }
    return out;
  }

  void finish() const {
    for (size_t c = 0; c < root_.children.size(); ++c)
      for (size_t i = root_.children[c].first_leaf; i < root_.children[c].end_leaf; ++i)
        require(why_not_[c] || columns_[i]->is_at_end(),
                "{}: is damaged: the column \"{}\" has more entries than there are rows", name_,
                root_.children[c].name);
  }

 private:
  // What is unsupported is remembered for the rest of the group; what is damaged gets the names of file and column.
  template <class Work>
  void attempt(size_t c, Work&& work) {
    if (why_not_[c]) return;
    const std::string& column = root_.children[c].name;
    try {
      work();
    } catch (const Unsupported& e) {
      why_not_[c] = fmt::format("the column \"{}\" {}", column, e.what());
    } catch (const Error& e) {
      throw Error(e.status(), fmt::format("{}: is damaged: the column \"{}\" {}; copy or download it again", name_,
                                          column, e.what()));
    }
  }

  void open(const Node& node) {
    if (node.kind == Node::Kind::leaf) columns_[node.first_leaf].emplace(file_, group_.columns[node.first_leaf], node);
    for (const Node& child : node.children) open(child);
  }

  // The entry that begins here is of the list of level `repeated`, and what is around it is there.
  Column& entry(size_t leaf, int repeated, int defined) {
    Column& out = *columns_[leaf];
    require(!out.is_at_end(), "has fewer rows than there are");
    require(out.repeated() == repeated && out.defined() >= defined, "has levels that contradict each other");
    return out;
  }

  // Every leaf of it has one entry for what is not there.
  void pass_all(const Node& node, int repeated, int defined) {
    for (size_t i = node.first_leaf; i < node.end_leaf; ++i) {
      Column& column = entry(i, repeated, defined);
      require(column.defined() == defined, "has levels that contradict each other");
      column.pass();
    }
  }

  Row read(const Node& node, int repeated, int defined) {
    Column& first = entry(node.first_leaf, repeated, defined);
    const int its = first.defined();
    if (node.kind == Node::Kind::leaf) {
      Row out = its < node.defined ? Row() : to_json(first.value(), node.element);
      first.pass();
      return out;
    }
    if (its < node.defined) {
      pass_all(node, repeated, its);
      return {};
    }
    if (node.kind == Node::Kind::structure) {
      Row out = Row::object();
      auto& members = out.get_ref<Row::object_t&>();
      for (const Node& child : node.children) members.emplace_back(child.name, read(child, repeated, node.defined));
      return out;
    }
    const bool is_map = node.kind == Node::Kind::map;
    Row out = is_map ? Row::object() : Row::array();
    if (its < node.filled) {
      pass_all(node, repeated, its);
      return out;
    }
    for (int level = repeated; level >= 0; level = first.repeated() == node.repeated ? node.repeated : -1) {
      Row element = read(node.children[0], level, node.filled);
      if (is_map)
        out[element.is_string() ? element.get<std::string>() : element.dump()] =
            read(node.children[1], level, node.filled);
      else
        out.push_back(std::move(element));
    }
    return out;
  }

  std::string_view file_;
  const RowGroup& group_;
  const Node& root_;
  const std::string& name_;
  std::vector<std::optional<Column>> columns_;       // of every leaf
  std::vector<std::optional<std::string>> why_not_;  // of every child of the root that cannot be read
};

struct Opened {
  MappedFile mapped;
  FileMetadata metadata;
  Node root;
};
Opened open(const fs::path& path) {
  try {
    MappedFile mapped(path);
    FileMetadata metadata = read_metadata(mapped.text());
    Node root = tree_of(metadata.schema);
    return {std::move(mapped), std::move(metadata), std::move(root)};
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with(path.string())) throw;
    throw Error(e.status(), fmt::format("{}: {}", path.string(), e.what()));
  }
}

}  // namespace

void each_row(const fs::path& path, const std::function<bool(Row&, const std::string&)>& row) {
  const Opened file = open(path);
  const std::string name = path.string();
  int64_t number = 0;
  for (const RowGroup& of : file.metadata.groups) {
    if (of.rows == 0) continue;
    Group group(file.mapped.text(), of, file.root, name);
    for (int64_t i = 0; i < of.rows; ++i) {
      Row values = group.next();
      if (!row(values, fmt::format("{}: row {}", name, ++number))) return;
    }
    group.finish();
  }
  require(number == file.metadata.rows, "{}: is damaged: its row groups have {} rows, and it says {}", name, number,
          file.metadata.rows);
}

void look_at(const fs::path& file) { open(file); }

Row unreadable(std::string_view why) { return Row::binary(std::vector<uint8_t>(why.begin(), why.end())); }
bool is_unreadable(const Row& value) { return value.is_binary(); }
std::string why_unreadable(const Row& value) {
  const auto& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

}  // namespace rgm::parquet
