// library.cpp - checking and loading a plug-in file through one descriptor, so that what runs is what was hashed.
#include "plugins/library.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "plugins/check.hpp"

namespace rgm {
namespace {

// Its owner may write it too, so that must be who runs this, or root.
void refuse_writable(const struct stat& s, const fs::path& named, const fs::path& path) {
  if (s.st_uid != 0 && s.st_uid != ::geteuid())
    invalid(
        "{} is refused: {} belongs to another user (number {}), who may write it; a plug-in is code, so install it "
        "yourself, or run: chown {} {}",
        path.string(), named == path ? "it" : "its folder", s.st_uid, ::geteuid(), named.string());
  if (s.st_mode & (S_IWGRP | S_IWOTH))
    invalid("{} is refused: {} may be written by others (mode {:o}); a plug-in is code, so run: chmod go-w {}",
            path.string(), named == path ? "it" : "its folder", s.st_mode & 07777, named.string());
}

struct Mapping {
  void* data;
  size_t size;
  ~Mapping() { munmap(data, size); }
};

struct Loaded {
  std::string sha256;
  const rgm_plugin* plugin = nullptr;
};

}  // namespace

PluginFile::PluginFile(fs::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) invalid("{} cannot be opened: {}", path_.string(), std::strerror(errno));
  try {
    struct stat file {};
    require(::fstat(fd_, &file) == 0 && S_ISREG(file.st_mode), "{} is not a file", path_.string());
    refuse_writable(file, path_, path_);
    // The folder that is named, and the one where the file lies: either could swap it.
    for (const fs::path& folder : {fs::absolute(path_).parent_path(), fs::canonical(path_).parent_path()}) {
      struct stat s {};
      require(::stat(folder.c_str(), &s) == 0, "{} cannot be looked at: {}", folder.string(), std::strerror(errno));
      refuse_writable(s, folder, path_);
    }
    sha256_ = sha256_of_descriptor(fd_);

    const auto size = static_cast<size_t>(file.st_size);
    require(size > 0, "{} cannot be loaded: it is empty", path_.string());
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd_, 0);
    if (data == MAP_FAILED) failure("{} cannot be read: {}", path_.string(), std::strerror(errno));
    const Mapping mapping{data, size};
    const Peek found = [&] {
      try {
        return peek({static_cast<const std::byte*>(data), size});
      } catch (const Error& e) {
        invalid("{} cannot be loaded: {}; build or copy it again", path_.string(), e.what());
      }
    }();
    has_entry_ = std::count(found.entries.begin(), found.entries.end(), "regimen_plugin_v1") > 0;
    components_ = found.components;
    if (!has_entry_ && !found.entries.empty())
      invalid(
          "{} was built for ABI {}, this host has ABI 1.{}: update the host, or rebuild the plug-in against "
          "this host's SDK",
          path_.string(), found.entries[0].substr(std::strlen("regimen_plugin_v")), RGM_ABI_MINOR);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

PluginFile::PluginFile(PluginFile&& other) noexcept
    : path_(std::move(other.path_)),
      sha256_(std::move(other.sha256_)),
      fd_(std::exchange(other.fd_, -1)),
      has_entry_(other.has_entry_),
      components_(std::move(other.components_)) {}

PluginFile::~PluginFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool PluginFile::may_have(int kind, const std::string& id) const {
  if (!has_entry_) return false;
  return !components_ || std::count(components_->begin(), components_->end(), std::pair(kind, id)) > 0;
}

const rgm_plugin& PluginFile::load(uint32_t host_minor) {
  // Everything loaded stays so to the end of the process, whoever asked first: hence one table for all, never freed.
  static std::mutex mutex;
  static auto& loaded = *new std::map<std::pair<dev_t, ino_t>, Loaded>;
  static auto& kept = *new std::vector<boost::dll::shared_library>;  // refused ones too: their destructors never run
  const std::lock_guard lock(mutex);
  struct stat s {};
  if (::fstat(fd_, &s) != 0) failure("{}: {}", path_.string(), std::strerror(errno));
  Loaded& entry = loaded[{s.st_dev, s.st_ino}];
  if (entry.plugin) {
    require(entry.sha256 == sha256_, "{} was changed while in use: start the program again", path_.string());
    return *entry.plugin;
  }
  boost::dll::fs::error_code error;
  boost::dll::shared_library library;
  library.load("/proc/self/fd/" + std::to_string(fd_), error, boost::dll::load_mode::rtld_now);
  if (error) {
    const char* const said = dlerror();
    std::string reason = said ? said : error.message();
    if (reason.starts_with("/proc/self/fd/")) reason.erase(0, reason.find(": ") + 2);
    invalid("{} cannot be loaded: {}; install what is missing, or build it again", path_.string(), reason);
  }
  kept.push_back(std::move(library));
  fd_ = -1;  // stays open: the loader knows the library by this descriptor's name, which must not be given out again
  const auto& plugin = kept.back().get<const rgm_plugin>("regimen_plugin_v1");
  check_plugin(plugin, path_.string(), host_minor);
  entry = {sha256_, &plugin};
  return plugin;
}

}  // namespace rgm
