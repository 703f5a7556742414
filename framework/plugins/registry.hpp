// registry.hpp - which components there are, and where: the installation's folder, $REGIMEN_PLUGIN_PATH, and what the
// pipeline names. Files are loaded when something in them is asked for, and initialised once, before first use.
#pragma once
#include <regimen/abi.h>

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "plugins/check.hpp"
#include "plugins/library.hpp"

namespace rgm {

struct Component {
  const rgm_component* data = nullptr;
  const rgm_plugin* plugin = nullptr;
  fs::path path;
  std::string sha256;
  std::shared_ptr<const void> whole = nullptr;  // what whole_table answers

  template <class Table>  // rgm_backend, rgm_adapter, rgm_strategy, rgm_reward or rgm_collective, as data->kind says
  const Table& table() const {
    return *static_cast<const Table*>(whole.get());
  }
};
// The component's table as this host knows it: what an older plug-in's shorter table lacks is NULL, so nobody reads
// behind its end.
std::shared_ptr<const void> whole_table(const rgm_component& data);

struct Entry {   // of a list for people
  int kind = 0;  // 0: a file that offers nothing, `reason` says why
  std::string id, version, summary;
  fs::path path;
  std::string sha256;
  bool usable = false;
  std::string reason;
  const rgm_component* data = nullptr;
};

class Registry {
 public:
  // Without a host, plug-ins get one that can do no more than list them.
  explicit Registry(const rgm_host* host = nullptr);
  ~Registry();  // shutdown()
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A plug-in file that a pipeline names; it comes before the folders. Throws when it is none, or when `sha256` is
  // given and is not its hash.
  void add(const fs::path& file, const std::string& sha256 = "");

  // Loads, initialises and answers; the same reference each time, valid as long as the registry. Throws RGM_INVALID
  // with a near name and the places looked in.
  const Component& find(int kind, const std::string& id);
  // Everything that is installed, by kind and id, then the files that cannot be used. Loads all of it.
  std::vector<Entry> list();
  // The ids of a kind, sorted: for messages and for choosing a backend. Loads nothing where the file can tell.
  std::vector<std::string> ids(int kind);
  // What find() has loaded so far, in order: goes into a run's manifest.
  const std::list<Component>& loaded() const { return components_; }

  // Calls the plug-ins' shutdown() in reverse order of loading. Before main returns, after all instances are gone.
  void shutdown();

  static std::vector<fs::path> folders();  // in the order they are searched
  static fs::path program_folder();        // where the running program lies
  std::string places() const;              // the folders, for a message

 private:
  struct File;
  std::vector<File*> files_in(const fs::path& folder);
  File& open(const fs::path& named);
  const rgm_plugin& load(File& file);
  void start(File& file);
  const rgm_component* component_in(File& file, int kind, const std::string& id);
  const Component& keep(File& file, const rgm_component& data);
  std::string why_unusable(File& file, const rgm_component& data);

  const rgm_host* host_;
  std::vector<fs::path> folders_;
  std::list<File> files_;       // every file looked at, once
  std::vector<File*> named_;    // by the pipeline
  std::vector<File*> started_;  // init() was called, in this order
  std::list<Component> components_;
};

}  // namespace rgm
