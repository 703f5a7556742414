// annotations_file.hpp - annotations on disk: a file for each source, and in it a line for each call of annotate.
#pragma once
#include <map>
#include <string>

#include "base/file.hpp"
#include "train/annotations.hpp"

namespace rgm {

// `sha256`: of what the annotations depend on.
fs::path annotations_path(const fs::path& stage, const std::string& source, const std::string& sha256);
// Up to `next` of the units are annotated now, and from there to `apart` they go one by one.
std::string annotations_line(size_t next, size_t apart, const std::map<std::string, AnnotatedColumn>& added);

}  // namespace rgm
