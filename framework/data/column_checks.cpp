// column_checks.cpp - warnings of texts that are longer than their row, or of which nothing counts.
#include "data/column_checks.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace rgm {
namespace {

const char* bound_of(const SourceOptions& options) { return options.by_length ? "length" : "context"; }

// Where some answers only begin with their prompt, they may mean it.
void tell_of_begun(const DataSpec& spec, const std::vector<StoredColumn>& columns, int64_t read) {
  for (const StoredColumn& column : columns) {
    if (column.begun == 0 || spec.split != 0) continue;
    const std::string file = spec.files.front().string(), &name = column.map.from, &prompt = *column.map.prompt;
    if (column.begun == read)
      log::info("{}: \"{}\" always begins with its \"{}\", which is read only once", file, name, prompt);
    else
      log::warning(
          "{0}: {1} of {2} texts in \"{3}\" begin with their \"{4}\", which is read only once there; if it is part "
          "of the answer, write columns: {{{5}: {{prompt: {4}, answer: {3}}}}}",
          file, column.begun, read, name, prompt, column.wish.name);
  }
}

void warn_of_cut(const DataSpec& spec, const std::vector<StoredColumn>& columns, const std::vector<int64_t>& examples,
                 const SourceOptions& options) {
  for (const StoredColumn& column : columns) {
    if (!column.is_tokens() || !column.is_present) continue;
    const auto cut = std::ranges::count_if(examples, [&](int64_t e) { return column.length(e) > options.context; });
    if (cut > 0)
      log::warning("{}: {} of {} examples of \"{}\" are longer than the {} of {} tokens and are cut there{}",
                   spec.files.front().string(), cut, examples.size(), column.wish.name, bound_of(options),
                   options.context, options.by_length ? "; a larger length keeps more of them" : "");
  }
}

// Where a prompt fills the row, or nothing follows it, no token of the example counts.
void warn_of_nothing_to_learn(const DataSpec& spec, const std::vector<StoredColumn>& columns,
                              const std::vector<int64_t>& examples, const SourceOptions& options) {
  for (const StoredColumn& column : columns) {
    if (!column.is_tokens() || !column.is_present || !(column.map.prompt || column.map.chat)) continue;
    const auto empty =
        std::ranges::count_if(examples, [&](int64_t e) { return column.counted(e, options.context) == 0; });
    const std::string file = spec.files.front().string();
    const auto all = static_cast<int64_t>(examples.size());
    require(empty < all,
            "{}: none of the {} examples of \"{}\" has a token to learn: their prompts alone fill the {} of {} "
            "tokens, or nothing follows them; {}, or choose other roles",
            file, all, column.wish.name, bound_of(options), options.context,
            options.by_length ? "set a larger length" : "give the model a longer context");
    if (empty > 0)
      log::warning(
          "{}: {} of {} examples of \"{}\" have no token to learn: their prompts fill the {} of {} "
          "tokens, or nothing follows them",
          file, empty, all, column.wish.name, bound_of(options), options.context);
  }
}

}  // namespace

void check_columns(const DataSpec& spec, const std::vector<StoredColumn>& columns, int64_t read,
                   const std::vector<int64_t>& kept, const SourceOptions& options) {
  tell_of_begun(spec, columns, read);
  warn_of_cut(spec, columns, kept, options);
  warn_of_nothing_to_learn(spec, columns, kept, options);
}

}  // namespace rgm
