// schema_element.hpp - one line of the schema, as it is written.
#pragma once
#include "parquet/metadata.hpp"
#include "parquet/thrift.hpp"

namespace rgm::parquet {

// The struct that is the value at `in`.
SchemaElement schema_element_of(Thrift& in);

}  // namespace rgm::parquet
