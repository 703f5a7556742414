// schema.hpp - the schema as a tree of what rows have: values, structs, lists and maps, each with the levels at which
// it is there ("Dremel", Melnik et al. 2010): a definition level counts which of the optional and repeated things
// around a value are there, a repetition level which list goes on with it.
#pragma once
#include <string>
#include <vector>

#include "parquet/metadata.hpp"

namespace rgm::parquet {

struct Node {
  enum class Kind { leaf, structure, list, map };
  Kind kind = Kind::leaf;
  std::string name = {};  // in its struct
  int defined = 0;        // from this definition level on it is not null
  int filled = 0;         // of a list or map: from this one on it has an element
  int repeated = 0;       // the repetition level of its elements; of a leaf: the highest
  SchemaElement element = {};
  size_t first_leaf = 0, end_leaf = 0;
  std::vector<Node> children = {};  // of a list its element, of a map key and value
};

// The root, a struct. RGM_INVALID without the file's name.
Node tree_of(const std::vector<SchemaElement>& schema);

}  // namespace rgm::parquet
