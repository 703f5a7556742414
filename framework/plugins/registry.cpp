// registry.cpp - searching folders and files for a component, loading as little as that takes.
#include "plugins/registry.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/file_error.hpp"
#include "base/text.hpp"
#include "plugins/minimal_host.hpp"
#include "plugins/registry_file.hpp"

namespace rgm {

namespace {

// Other tools have classes, NameTrainer and NameConfig.
std::string_view without_class(std::string_view id) {
  for (const std::string_view ending : {"Trainer", "Config"})
    if (id.size() > ending.size() && id.ends_with(ending)) return id.substr(0, id.size() - ending.size());
  return id;
}

}  // namespace

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
  const std::string_view method = without_class(id);
  const std::string near = did_you_mean(method, known);
  invalid("{} \"{}\" is not known{}{} (looked in {})", kind_name(kind), id, near,
          !near.empty() ? ""
          : method.size() < id.size() && !known.empty()
              ? "; there are: " + join(known) + ", and docs/from-trl.md says what such classes are called here"
          : known.empty() ? "; there are none"
                          : "; there are: " + join(known),
          places());
}

}  // namespace rgm
