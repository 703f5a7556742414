// registry_list.cpp - all that is installed, for people: what can be used, and why the rest cannot.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "base/error.hpp"
#include "base/log.hpp"
#include "plugins/registry_file.hpp"

namespace rgm {

std::vector<std::string> Registry::ids(int kind) {
  std::set<std::string> found;
  std::vector<File*> all = named_;
  for (const fs::path& folder : folders_)
    for (File* f : files_in(folder)) all.push_back(f);
  for (File* f : all) {
    if (!f->file || !f->problem.empty()) continue;
    if (f->file->components()) {
      for (const auto& [k, id] : *f->file->components())
        if (k == kind) found.insert(id);
      continue;
    }
    try {
      for (const rgm_component* const* c = load(*f).components; *c; ++c)
        if ((*c)->kind == kind) found.emplace((*c)->id);
    } catch (const Error& e) {
      log::debug("{}", e.what());  // `regimen plugins` says it; here it only has no ids
    }
  }
  return {found.begin(), found.end()};
}

// Empty where it can be used; a backend, where it has a device here; a collective, where it says so.
std::string Registry::why_unusable(File& f, const rgm_component& data) {
  if (kind_name(data.kind) == kind_name(0))
    return fmt::format("kind {} is not known to this host: update it", data.kind);
  if (data.kind != RGM_KIND_BACKEND && data.kind != RGM_KIND_COLLECTIVE) return "";
  try {
    start(f);
  } catch (const Error& e) {
    return e.what();
  }
  const bool is_backend = data.kind == RGM_KIND_BACKEND;
  uint32_t devices = 0;
  try {
    const rgm_status status = is_backend ? static_cast<const rgm_backend*>(data.table)->device_count(&devices)
                                         : static_cast<const rgm_collective*>(data.table)->usable();
    if (status == RGM_OK) return !is_backend || devices > 0 ? "" : "it found no device";
    const rgm_str said = host_->last_error();
    return {said.data, said.size};
  } catch (...) {
    return fmt::format("{} threw an exception, where only a status is allowed; its author has to correct it",
                       is_backend ? "device_count" : "usable");
  }
}

std::vector<Entry> Registry::list() {
  std::vector<Entry> found, broken;
  std::vector<std::pair<size_t, File*>> all;  // with the number of its place
  for (File* f : named_) all.emplace_back(0, f);
  for (size_t i = 0; i < folders_.size(); ++i)
    for (File* f : files_in(folders_[i])) all.emplace_back(i + 1, f);

  struct First {
    size_t place;
    File* file;
    size_t entry;
  };
  std::map<std::pair<int, std::string>, First> first;
  for (const auto& [place, f] : all) {
    Entry entry;
    entry.path = f->path;
    if (f->file) entry.sha256 = f->file->sha256();
    try {
      for (const rgm_component* const* c = load(*f).components; *c; ++c) {
        const rgm_component& data = **c;
        Entry e = entry;
        e.kind = data.kind;
        e.id = data.id;
        e.version = data.version;
        e.summary = data.summary;
        e.data = &data;
        const auto [it, fresh] = first.try_emplace({data.kind, data.id}, First{place, f, found.size()});
        if (!fresh && it->second.file == f) continue;  // the same file, found twice
        if (!fresh) {
          const std::string other = it->second.file->path.string();
          e.reason = other + " has the same id and comes first";
          if (it->second.place == place) {  // neither counts: find() refuses to choose
            e.reason = other + " has the same id: remove one of them";
            found[it->second.entry].usable = false;
            found[it->second.entry].reason = f->path.string() + " has the same id: remove one of them";
          }
        } else {
          e.reason = why_unusable(*f, data);
          e.usable = e.reason.empty();
        }
        found.push_back(std::move(e));
      }
    } catch (const Error& e) {
      entry.reason = e.what();
      broken.push_back(std::move(entry));
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Entry& a, const Entry& b) { return std::tie(a.kind, a.id) < std::tie(b.kind, b.id); });
  found.insert(found.end(), std::make_move_iterator(broken.begin()), std::make_move_iterator(broken.end()));
  return found;
}

}  // namespace rgm
