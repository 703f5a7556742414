// rows.cpp - rows put together from their columns: what is null, and where lists end, the levels of the entries say.
#include "parquet/rows.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "parquet/column.hpp"
#include "parquet/to_json.hpp"

namespace rgm::parquet {
namespace {

// Of everything that is held: pages are cheaper to fill than rows, and compress better.
struct Budgets {
  explicit Budgets(size_t file_bytes) : pages(256'000'000, file_bytes), row(64'000'000, file_bytes) {}
  Budget pages, row;
};

class Group {
 public:
  // `wanted`: of every child of the root
  Group(std::string_view file, const RowGroup& group, const Node& root, const std::string& name, Budgets& budgets,
        const std::vector<bool>& wanted)
      : file_(file),
        group_(group),
        root_(root),
        name_(name),
        pages_(budgets.pages),
        of_row_(budgets.row),
        wanted_(wanted),
        columns_(group.columns.size()) {
    require(group.columns.size() == root.end_leaf, "{}: is damaged: a row group has {} columns, and there are {}", name,
            group.columns.size(), root.end_leaf);
    why_not_.resize(root.children.size());
  }

  // One column after the other, none of which stays open: of many, most may be wanted by nobody.
  Row first() {
    return row([&](size_t c) {
      open(root_.children[c]);
      Row value = read(root_.children[c], 0, 0);
      close(c);
      return value;
    });
  }

  // From the first row on.
  void open_wanted() {
    for (size_t c = 0; c < root_.children.size(); ++c)
      if (wanted_[c]) attempt(c, [&] { open(root_.children[c]); });
  }

  Row next() {
    return row([&](size_t c) { return read(root_.children[c], 0, 0); });
  }

  void finish() const {
    for (size_t c = 0; c < root_.children.size(); ++c)
      for (size_t i = root_.children[c].first_leaf; i < root_.children[c].end_leaf; ++i)
        require(why_not_[c] || !wanted_[c] || columns_[i]->is_at_end(),
                "{}: is damaged: the column \"{}\" has more entries than there are rows", name_,
                root_.children[c].name);
  }

 private:
  template <class Read>
  Row row(Read&& value_of) {
    Row out = Row::object();
    auto& members = out.get_ref<Row::object_t&>();
    members.reserve(root_.children.size());
    for (size_t c = 0; c < root_.children.size(); ++c) {
      if (!wanted_[c]) continue;
      Row value;
      attempt(c, [&] { value = value_of(c); });
      members.emplace_back(root_.children[c].name, why_not_[c] ? unreadable(*why_not_[c]) : std::move(value));
    }
    of_row_.give();
    return out;
  }

  // What is unsupported is remembered for the rest of the group; what is damaged gets the names of file and column.
  template <class Work>
  void attempt(size_t c, Work&& work) {
    if (why_not_[c]) return;
    const std::string& column = root_.children[c].name;
    const size_t before = of_row_.bytes();
    try {
      work();
    } catch (const Unsupported& e) {
      why_not_[c] = fmt::format("the column \"{}\" {}", column, e.what());
      close(c);
      of_row_.give(before);
    } catch (const Error& e) {
      throw Error(e.status(), fmt::format("{}: is damaged: the column \"{}\" {}; copy or download it again", name_,
                                          column, e.what()));
    }
  }

  void open(const Node& node) {
    if (node.kind == Node::Kind::leaf)
      columns_[node.first_leaf] = std::make_unique<Column>(file_, group_.columns[node.first_leaf], node, pages_);
    for (const Node& child : node.children) open(child);
  }
  void close(size_t c) {
    for (size_t i = root_.children[c].first_leaf; i < root_.children[c].end_leaf; ++i) columns_[i].reset();
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

  // A list that grows is there twice, and then has up to twice its room.
  static constexpr size_t element_bytes = 3 * sizeof(Row), member_bytes = 3 * (sizeof(Row) + sizeof(std::string));
  // What a column of JSON says may take much more than its text.
  Value taken(const Value& value, const SchemaElement& type) {
    of_row_.take(value.bytes.size() * (type.is_json ? 2 * element_bytes : 1));
    return value;
  }

  Row read(const Node& node, int repeated, int defined) {
    Column& first = entry(node.first_leaf, repeated, defined);
    const int its = first.defined();
    if (node.kind == Node::Kind::leaf) {
      Row out = its < node.defined ? Row() : to_json(taken(first.value(), node.element), node.element);
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
      for (const Node& child : node.children) {
        of_row_.take(member_bytes + child.name.size());
        members.emplace_back(child.name, read(child, repeated, node.defined));
      }
      return out;
    }
    const bool is_map = node.kind == Node::Kind::map;
    Row out = is_map ? Row::object() : Row::array();
    if (its < node.filled) {
      pass_all(node, repeated, its);
      return out;
    }
    for (int level = repeated; level >= 0; level = first.repeated() == node.repeated ? node.repeated : -1) {
      of_row_.take(is_map ? member_bytes : element_bytes);
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
  Budget& pages_;
  Share of_row_;  // that is being read
  const std::vector<bool>& wanted_;
  std::vector<std::unique_ptr<Column>> columns_;     // of every leaf that is wanted
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

// A run of nulls, or of one value, is a few bytes however long it is; nobody learns from millions of them.
void require_as_many_rows(const FileMetadata& metadata, size_t file_bytes, const std::string& name) {
  constexpr int64_t always = 1'000'000, per_byte = 256;
  int64_t rows = 0;
  const int64_t most = always + per_byte * static_cast<int64_t>(file_bytes);
  for (const RowGroup& group : metadata.groups) {
    if (group.rows <= most) rows += group.rows;
    require(
        group.rows <= most && rows <= most,
        "{}: says that it has more than {} rows in {} bytes, which is too many to be read: write it again with rows "
        "that differ",
        name, most, file_bytes);
  }
}

}  // namespace

void each_row(const fs::path& path, const std::function<bool(Row&, const std::string&)>& row,
              const WantedColumns& wanted) {
  const Opened file = open(path);
  const std::string name = path.string();
  const size_t size = file.mapped.text().size();
  require_as_many_rows(file.metadata, size, name);
  Budgets budgets(size);
  std::vector<bool> is_wanted(file.root.children.size(), true);
  int64_t number = 0;
  for (const RowGroup& of : file.metadata.groups) {
    if (of.rows == 0) continue;
    Group group(file.mapped.text(), of, file.root, name, budgets, is_wanted);
    const bool is_first = number == 0;
    if (is_first) {
      Row values = group.first();
      if (!row(values, fmt::format("{}: row {}", name, ++number))) return;
      if (const auto names = wanted ? wanted() : std::nullopt)
        for (size_t c = 0; c < is_wanted.size(); ++c)
          is_wanted[c] = std::ranges::find(*names, file.root.children[c].name) != names->end();
    }
    group.open_wanted();
    if (is_first) group.next();  // was seen
    for (int64_t i = is_first ? 1 : 0; i < of.rows; ++i) {
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
