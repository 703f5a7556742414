// schema.cpp - the tree. Lists and maps have groups of their own in between, which several generations of writers have
// written differently. https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#nested-types
#include "parquet/schema.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/json.hpp"

namespace rgm::parquet {
namespace {

struct Levels {
  int definition = 0, repetition = 0;
};

class Builder {
 public:
  explicit Builder(const std::vector<SchemaElement>& schema) : schema_(schema) {}

  Node root() {
    require(!schema_.empty() && schema_[0].children > 0, "has no columns");
    Node out = content_of(take(), {});
    require(next_ == schema_.size(), "has a schema of {} elements, of which {} belong to nothing", schema_.size(),
            schema_.size() - next_);
    return out;
  }

 private:
  const SchemaElement& take() {
    require(next_ < schema_.size(), "has a schema that ends too early");
    return schema_[next_++];
  }

  // A column, or a field of a struct, with all that is in it.
  Node field(Levels at) {
    const SchemaElement& own = take();
    if (own.repetition == Repetition::repeated) return list_of(own, at, [&](Levels in) { return content_of(own, in); });
    at.definition += own.repetition == Repetition::optional;
    return content_of(own, at);
  }

  // Without a group around it, what repeats is a list that is never null.
  template <class Element>
  Node list_of(const SchemaElement& own, Levels at, Element&& element) {
    Node out{.kind = Node::Kind::list, .name = own.name, .defined = at.definition, .element = own};
    out.filled = at.definition + 1;
    out.repeated = at.repetition + 1;
    out.first_leaf = leaves_;
    out.children.push_back(element(Levels{out.filled, out.repeated}));
    out.end_leaf = leaves_;
    return out;
  }

  Node content_of(const SchemaElement& own, Levels at) {
    require(++depth_ <= deepest_json, "has columns that are nested more than {} deep", deepest_json);
    Node out = content_at_depth(own, at);
    --depth_;
    return out;
  }

  Node content_at_depth(const SchemaElement& own, Levels at) {
    const bool holds_one_repeated =
        own.children == 1 && next_ < schema_.size() && schema_[next_].repetition == Repetition::repeated;
    if (own.meaning == Meaning::list && holds_one_repeated)
      return list_of(own, at, [&](Levels in) { return element_of(own, in); });
    if (own.meaning == Meaning::map && holds_one_repeated && schema_[next_].children == 2) return map_of(own, at);
    Node out{.kind = own.type ? Node::Kind::leaf : Node::Kind::structure,
             .name = own.name,
             .defined = at.definition,
             .repeated = at.repetition,
             .element = own};
    out.first_leaf = leaves_;
    if (own.type) {
      ++leaves_;
      require(*own.type != Physical::fixed_bytes || own.length > 0, "has the column \"{}\" of {} bytes", own.name,
              own.length);
    } else {
      require(own.children > 0, "has the column \"{}\" with nothing in it", own.name);
      for (int64_t i = 0; i < own.children; ++i) out.children.push_back(field(at));
      check_names(out);
    }
    out.end_leaf = leaves_;
    return out;
  }

  // Most have a group with one element inside of the list; old ones leave it out, and then what repeats is the element.
  Node element_of(const SchemaElement& list, Levels in) {
    const SchemaElement& repeated = take();
    const bool is_element = repeated.children != 1 || repeated.name == "array" ||
                            repeated.name == list.name + "_tuple" || repeated.meaning == Meaning::list ||
                            repeated.meaning == Meaning::map ||
                            (next_ < schema_.size() && schema_[next_].repetition == Repetition::repeated);
    return is_element ? content_of(repeated, in) : field(in);
  }

  Node map_of(const SchemaElement& own, Levels at) {
    Node out = list_of(own, at, [&](Levels in) {
      take();
      Node pair{.kind = Node::Kind::structure};
      pair.children.push_back(field(in));
      pair.children.push_back(field(in));
      return pair;
    });
    out.kind = Node::Kind::map;
    std::vector<Node> pair = std::move(out.children.front().children);
    out.children = std::move(pair);
    return out;
  }

  static void check_names(const Node& node) {
    std::vector<std::string> names;
    for (const Node& child : node.children) names.push_back(child.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    require(twice == names.end(), "has two columns called \"{}\"", twice == names.end() ? "" : *twice);
  }

  const std::vector<SchemaElement>& schema_;
  size_t next_ = 0, leaves_ = 0;
  int depth_ = 0;
};

}  // namespace

Node tree_of(const std::vector<SchemaElement>& schema) { return Builder(schema).root(); }

}  // namespace rgm::parquet
