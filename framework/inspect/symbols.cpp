// symbols.cpp - what a library offers and needs: one symbol, and nothing that only some program could provide.
#include <dlfcn.h>

#include <algorithm>

#include "base/text.hpp"
#include "inspect/opened.hpp"
#include "plugins/peek.hpp"

namespace rgm::inspect {
namespace {

// The C and C++ run-times; a library beyond them is a vendor's, which users have to have.
bool is_run_time(const std::string& library) {
  constexpr std::string_view known[] = {"libc.so",      "libm.so",     "libdl.so",     "librt.so",    "libpthread.so",
                                        "ld-linux",     "libgcc_s.so", "libstdc++.so", "libc++.so",   "libc++abi.so",
                                        "libunwind.so", "libasan.so",  "libubsan.so",  "libatomic.so"};
  return std::ranges::any_of(known, [&](std::string_view name) { return library.starts_with(name); });
}

// A sanitizer's functions are in the program where clang links it; a program without the sanitizer cannot load these.
bool is_of_a_sanitizer(const std::string& symbol) {
  constexpr std::string_view prefixes[] = {"__asan_", "__ubsan_", "__tsan_", "__sanitizer_"};
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return symbol.starts_with(prefix); });
}

}  // namespace

void check_symbols(const fs::path& file, const Pen& pen) {
  const auto tell = [&](const char* verdict, const std::string& text) {
    pen.write({{"verdict", verdict}, {"text", text}});
  };
  const MappedFile mapped(file);
  Symbols symbols = symbols_of(mapped.bytes());
  bool sound = true;
  std::erase(symbols.exported, "regimen_plugin_v1");
  if (!symbols.exported.empty()) {
    sound = false;
    const size_t n = std::min<size_t>(symbols.exported.size(), 5);
    tell("failed", fmt::format("{} symbols besides regimen_plugin_v1 are exported, such as {}: link with "
                               "regimen_add_plugin, or with a version script",
                               symbols.exported.size(), join(std::span(symbols.exported).first(n))));
  }
  pen.at("loading it");
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return tell("failed", fmt::format("it cannot be loaded: {}", ::dlerror()));
  // A lookup through the handle sees the library and those that it is linked to, and not this program.
  std::vector<std::string> missing;
  for (const std::string& name : symbols.undefined)
    if (!::dlsym(library, name.c_str()) && !is_of_a_sanitizer(name)) missing.push_back(name);
  if (!missing.empty()) {
    sound = false;
    tell("failed",
         fmt::format("no library that it is linked to has {}: link with -z defs to see what needs it", join(missing)));
  }
  std::vector<std::string> vendors;
  std::copy_if(symbols.needed.begin(), symbols.needed.end(), std::back_inserter(vendors),
               [](const std::string& library_name) { return !is_run_time(library_name); });
  if (sound)
    tell("ok", fmt::format("regimen_plugin_v1 alone is exported; {} undefined, all found in its libraries{}",
                           symbols.undefined.size(), vendors.empty() ? "" : "; users must have " + join(vendors)));
}

}  // namespace rgm::inspect
