// peek.cpp - a small reader of ELF: exported names, and the constant regimen_plugin_v1 with its pointers resolved.
// boost::dll::library_info answers the first only for files that were not stripped, and trusts every offset in them.
#include "plugins/peek.hpp"

#include <elf.h>
#include <regimen/abi.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace rgm {
namespace {

constexpr std::string_view entry_prefix = "regimen_plugin_v";
#if defined __x86_64__
constexpr int machine = EM_X86_64;
constexpr uint32_t relative = R_X86_64_RELATIVE;
#elif defined __aarch64__
constexpr int machine = EM_AARCH64;
constexpr uint32_t relative = R_AARCH64_RELATIVE;
#else
#error "regimen: say here how this machine's shared libraries call a relative relocation"
#endif

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : file_(file), header_(at<Elf64_Ehdr>(0)) {
    require(std::memcmp(header_.e_ident, ELFMAG, SELFMAG) == 0, "it is not a shared library");
    require(header_.e_ident[EI_CLASS] == ELFCLASS64 && header_.e_machine == machine && header_.e_type == ET_DYN,
            "it is not a shared library for this machine");
    for (uint64_t i = 0; i < header_.e_phnum; ++i) {
      segments_.push_back(at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)));
      range(segments_.back().p_offset, segments_.back().p_filesz);
    }
    for (uint64_t i = 0; i < header_.e_shnum; ++i) {
      sections_.push_back(at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr)));
      if (sections_.back().sh_type != SHT_NOBITS) range(sections_.back().sh_offset, sections_.back().sh_size);
    }
  }

  // Exported names with the plug-in's prefix, and where each one's value stands.
  std::vector<std::pair<std::string, uint64_t>> entries() const {
    std::vector<std::pair<std::string, uint64_t>> found;
    each_symbol([&](const Elf64_Sym& symbol, const std::string& name) {
      if (symbol.st_shndx != SHN_UNDEF && name.starts_with(entry_prefix)) found.emplace_back(name, symbol.st_value);
    });
    return found;
  }

  Symbols symbols() const {
    Symbols out;
    each_symbol([&](const Elf64_Sym& symbol, const std::string& name) {
      const int binding = ELF64_ST_BIND(symbol.st_info), visibility = ELF64_ST_VISIBILITY(symbol.st_other);
      if (name.empty() || binding == STB_LOCAL || ELF64_ST_TYPE(symbol.st_info) == STT_SECTION) return;
      if (symbol.st_shndx != SHN_UNDEF && (visibility == STV_DEFAULT || visibility == STV_PROTECTED))
        out.exported.push_back(name);
      if (symbol.st_shndx == SHN_UNDEF && binding != STB_WEAK) out.undefined.push_back(name);
    });
    for (const Elf64_Shdr& s : sections_)
      for (uint64_t i = 0;
           s.sh_type == SHT_DYNAMIC && s.sh_link < sections_.size() && i < s.sh_size / sizeof(Elf64_Dyn); ++i) {
        const auto entry = at<Elf64_Dyn>(s.sh_offset + i * sizeof(Elf64_Dyn));
        if (entry.d_tag == DT_NEEDED) out.needed.push_back(text_at(sections_[s.sh_link].sh_offset + entry.d_un.d_val));
      }
    return out;
  }

  std::vector<std::pair<int, std::string>> components(uint64_t plugin) const {
    std::vector<std::pair<int, std::string>> found;
    for (uint64_t list = pointer(plugin + offsetof(rgm_plugin, components));; list += 8) {
      const uint64_t c = pointer(list);
      if (c == 0) return found;
      require(found.size() < 1000, "its list of components has no end");  // each is looked for in the whole file
      found.emplace_back(value<int32_t>(c + offsetof(rgm_component, kind)),
                         text_at(offset_of(pointer(c + offsetof(rgm_component, id)))));
    }
  }

 private:
  template <class F>
  void each_symbol(F&& see) const {
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_DYNSYM || s.sh_link >= sections_.size()) continue;
      for (uint64_t i = 0; i < s.sh_size / sizeof(Elf64_Sym); ++i) {
        const auto symbol = at<Elf64_Sym>(s.sh_offset + i * sizeof(Elf64_Sym));
        see(symbol, text_at(sections_[s.sh_link].sh_offset + symbol.st_name));
      }
    }
  }
  void range(uint64_t offset, uint64_t size) const {
    require(offset <= file_.size() && size <= file_.size() - offset, "it is cut off: part of it is missing");
  }
  template <class T>
  T at(uint64_t offset) const {
    range(offset, sizeof(T));
    T out;
    std::memcpy(&out, file_.data() + offset, sizeof out);
    return out;
  }
  std::string text_at(uint64_t offset) const {
    range(offset, 1);
    const std::string_view rest(reinterpret_cast<const char*>(file_.data()) + offset, file_.size() - offset);
    const size_t end = rest.find('\0');
    require(end != rest.npos, "it is cut off: a text in it has no end");
    return std::string(rest.substr(0, end));
  }
  uint64_t offset_of(uint64_t address) const {
    for (const Elf64_Phdr& s : segments_)
      if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
        return s.p_offset + (address - s.p_vaddr);
    invalid("an address in it points nowhere");
  }
  template <class T>
  T value(uint64_t address) const {
    return at<T>(offset_of(address));
  }
  // What the loader will write there. Few are asked for, of thousands.
  std::optional<uint64_t> relocated(uint64_t address) const {
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_RELA) continue;
      const std::byte* const begin = file_.data() + s.sh_offset;  // the constructor saw that all of it is there
      for (uint64_t i = 0; i < s.sh_size / sizeof(Elf64_Rela); ++i) {
        Elf64_Rela rela;
        std::memcpy(&rela, begin + i * sizeof rela, sizeof rela);
        if (rela.r_offset == address && ELF64_R_TYPE(rela.r_info) == relative)
          return static_cast<uint64_t>(rela.r_addend);
      }
    }
    return std::nullopt;
  }
  // A pointer in the constant: the loader will fill it in, or it is NULL.
  uint64_t pointer(uint64_t address) const {
    if (const auto found = relocated(address)) return *found;
    require(value<uint64_t>(address) == 0, "a pointer in it is resolved only by loading");
    return 0;
  }

  std::span<const std::byte> file_;
  Elf64_Ehdr header_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace

Symbols symbols_of(std::span<const std::byte> file) { return Reader(file).symbols(); }

Peek peek(std::span<const std::byte> file) {
  const Reader reader(file);
  Peek result;
  for (const auto& [name, address] : reader.entries()) {
    result.entries.push_back(name);
    if (name != "regimen_plugin_v1") continue;
    try {
      result.components = reader.components(address);
      // A list that a newer linker packs (RELR) reads as empty here: ask the loaded library.
      if (result.components->empty()) result.components.reset();
    } catch (const Error&) {
      result.components.reset();
    }
  }
  return result;
}

}  // namespace rgm
