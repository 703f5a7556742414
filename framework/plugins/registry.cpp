// registry.cpp - searching folders and files for a component, loading as little as that takes.
#include "plugins/registry.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/file_error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "plugins/minimal_host.hpp"

namespace rgm {

struct Registry::File {
  fs::path path;
  std::optional<PluginFile> file;  // nothing: `problem` says why
  std::string problem;
  const rgm_plugin* plugin = nullptr;
  bool started = false;
};

namespace {

std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  // A folder that is not there holds nothing.
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    failure("{}: the plug-ins in it cannot be listed: {}{}", folder.string(), error.message(),
            error == std::errc::too_many_files_open ? "; raise the limit with ulimit -n" : "");
  for (const fs::directory_entry& e : entries)
    if (e.path().extension() == ".so") found.push_back(e.path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::shared_ptr<const void> whole_table(const rgm_component& data) {
  const auto copy = [&]<class Table>(const Table& theirs) {
    auto ours = std::make_shared<Table>();
    std::memcpy(ours.get(), &theirs, std::min<size_t>(theirs.struct_size, sizeof(Table)));
    ours->struct_size = sizeof(Table);
    return ours;
  };
  switch (data.kind) {
    case RGM_KIND_BACKEND: return copy(*static_cast<const rgm_backend*>(data.table));
    case RGM_KIND_ADAPTER: return copy(*static_cast<const rgm_adapter*>(data.table));
    case RGM_KIND_STRATEGY: return copy(*static_cast<const rgm_strategy*>(data.table));
    case RGM_KIND_REWARD: return copy(*static_cast<const rgm_reward*>(data.table));
    default: return nullptr;
  }
}

fs::path Registry::program_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

std::vector<fs::path> Registry::folders() {
  std::vector<fs::path> found{(program_folder() / ".." / "lib" / "regimen").lexically_normal()};
  const char* const more = std::getenv("REGIMEN_PLUGIN_PATH");
  for (std::string_view rest = more ? more : ""; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (!one.empty()) found.emplace_back(one);
  }
  return found;
}

Registry::Registry(const rgm_host* host) : host_(host ? host : &minimal_host()), folders_(folders()) {}
Registry::~Registry() { shutdown(); }

std::string Registry::places() const {
  std::vector<std::string> all;
  for (const File* f : named_) all.push_back(f->path.string());
  for (const fs::path& f : folders_) all.push_back(f.string());
  return join(all) + (std::getenv("REGIMEN_PLUGIN_PATH") ? "" : "; $REGIMEN_PLUGIN_PATH is not set");
}

Registry::File& Registry::open(const fs::path& named) {
  const fs::path path = fs::absolute(named).lexically_normal();
  for (File& f : files_)
    if (f.path == path) return f;
  File& f = files_.emplace_back();
  f.path = path;
  try {
    f.file.emplace(path);
    if (!f.file->has_entry()) f.problem = "not a plug-in: it does not export regimen_plugin_v1";
  } catch (const Error& e) {
    f.problem = e.what();
  } catch (const fs::filesystem_error& e) {
    f.problem = as_error(e).what();
  }
  return f;
}

std::vector<Registry::File*> Registry::files_in(const fs::path& folder) {
  std::vector<File*> found;
  for (const fs::path& path : libraries_in(folder)) found.push_back(&open(path));
  return found;
}

void Registry::add(const fs::path& file, const std::string& sha256) {
  File& f = open(file);
  if (!f.file) invalid("{}", f.problem);
  require(f.file->has_entry(), "{} is {}; name a library made with regimen_add_plugin", file.string(), f.problem);
  require(sha256.empty() || sha256 == f.file->sha256(),
          "{} has the SHA-256 {}, the pipeline wants {}: get the file it was written for, or correct the pipeline",
          file.string(), f.file->sha256(), sha256);
  if (std::find(named_.begin(), named_.end(), &f) == named_.end()) named_.push_back(&f);
}

const rgm_plugin& Registry::load(File& f) {
  if (!f.plugin) {
    if (!f.problem.empty()) invalid("{}", f.problem);
    try {
      f.plugin = &f.file->load(host_->abi_minor);
    } catch (const Error& e) {
      f.problem = e.what();
      throw;
    }
  }
  return *f.plugin;
}

void Registry::start(File& f) {
  if (f.started) return;
  rgm_status status = RGM_OK;
  try {
    status = load(f).init(host_);
  } catch (const Error&) {  // of load
    throw;
  } catch (...) {
    failure("{} could not start: init threw an exception, where only a status is allowed; its author has to correct it",
            f.path.string());
  }
  if (status != RGM_OK) {
    const rgm_str text = host_->last_error();
    failure("{} could not start: {}", f.path.string(), std::string_view(text.data, text.size));
  }
  f.started = true;
  started_.push_back(&f);
}

void Registry::shutdown() {
  for (size_t i = started_.size(); i-- > 0;) {
    if (RGM_HAS(started_[i]->plugin, shutdown)) started_[i]->plugin->shutdown();
    started_[i]->started = false;
  }
  started_.clear();
}

const rgm_component* Registry::component_in(File& f, int kind, const std::string& id) {
  if (!f.file || !f.file->may_have(kind, id)) return nullptr;
  try {
    for (const rgm_component* const* c = load(f).components; *c; ++c)
      if ((*c)->kind == kind && id == (*c)->id) return *c;
  } catch (const Error&) {
    if (f.file->components()) throw;  // it has the id; without that, some other file is broken
  }
  return nullptr;
}

const Component& Registry::keep(File& f, const rgm_component& data) {
  start(f);
  return components_.emplace_back(Component{&data, f.plugin, f.path, f.file->sha256(), whole_table(data)});
}

const Component& Registry::find(int kind, const std::string& id) {
  for (const Component& c : components_)
    if (c.data->kind == kind && id == c.data->id) return c;

  std::vector<std::vector<File*>> groups{named_};
  for (const fs::path& folder : folders_) groups.push_back(files_in(folder));
  std::string refused;  // a file that is called like the id, and why it does not count
  for (const std::vector<File*>& files : groups) {
    File* where = nullptr;
    const rgm_component* found = nullptr;
    for (File* f : files) {
      if (!f->problem.empty() && f->path.stem() == id && refused.empty()) refused = f->problem;
      const rgm_component* const c = component_in(*f, kind, id);
      if (!c) continue;
      if (found)
        invalid("{} \"{}\" is in {} and in {}: remove one of them", kind_name(kind), id, where->path.string(),
                f->path.string());
      where = f;
      found = c;
    }
    if (found) return keep(*where, *found);
  }
  if (!refused.empty()) invalid("{} \"{}\" is not available: {}", kind_name(kind), id, refused);
  const std::vector<std::string> known = ids(kind);
  const std::string near = did_you_mean(id, known);
  invalid("{} \"{}\" is not known{}{} (looked in {})", kind_name(kind), id, near,
          !near.empty()   ? ""
          : known.empty() ? "; there are none"
                          : "; there are: " + join(known),
          places());
}

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

// Empty where the backend has a device here.
std::string Registry::why_unusable(const rgm_backend& backend) const {
  uint32_t devices = 0;
  try {
    if (backend.device_count(&devices) == RGM_OK) return devices > 0 ? "" : "it found no device";
    const rgm_str said = host_->last_error();
    return {said.data, said.size};
  } catch (...) {
    return "device_count threw an exception, where only a status is allowed; its author has to correct it";
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
        e.usable = true;
        const auto [it, fresh] = first.try_emplace({data.kind, data.id}, First{place, f, found.size()});
        if (!fresh && it->second.file == f) continue;  // the same file, found twice
        if (!fresh) {
          e.usable = false;
          const std::string other = it->second.file->path.string();
          e.reason = other + " has the same id and comes first";
          if (it->second.place == place) {  // neither counts: find() refuses to choose
            e.reason = other + " has the same id: remove one of them";
            found[it->second.entry].usable = false;
            found[it->second.entry].reason = f->path.string() + " has the same id: remove one of them";
          }
        } else if (kind_name(data.kind) == kind_name(0)) {
          e.usable = false;
          e.reason = fmt::format("kind {} is not known to this host: update it", data.kind);
        } else if (data.kind == RGM_KIND_BACKEND) {
          start(*f);
          e.reason = why_unusable(*static_cast<const rgm_backend*>(data.table));
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
