// collective.hpp - a collective is a class, of which each process has one while it is in the group, with Options and
//   static constexpr uint32_t flags, static constexpr int32_t score: see rgm_collective
//   static usable()                throws the reason if it cannot be used here
//   T(options, joining)            waits for all the others; the destructor leaves
//   info() -> Ranks   sum(values)   gather(mine, all)   wait()
//   abort(text)                    on any thread, also while another one waits
#pragma once
#include <algorithm>
#include <cstring>
#include <span>

#include "hooks.hpp"
#include "options.hpp"

namespace regimen RGM_PRIVATE {

// Who joins, where the host started the processes.
struct Joining {
  uint32_t rank = 0, size = 0;
  std::string_view place;  // borrowed
};

struct Ranks {
  uint32_t rank = 0, size = 1;            // among all
  uint32_t rank_here = 0, size_here = 1;  // among those on this machine
};

template <class T>
struct CollectiveThunks {
  RGM_HOOK(T, info); RGM_HOOK(T, sum); RGM_HOOK(T, gather); RGM_HOOK(T, wait); RGM_HOOK(T, abort);
  RGM_NO_HOOK(T, all_reduce, sum); RGM_NO_HOOK(T, reduce, sum); RGM_NO_HOOK(T, all_gather, gather);
  RGM_NO_HOOK(T, barrier, wait); RGM_NO_HOOK(T, cancel, abort);

  static T& at(rgm_group* group) { return *reinterpret_cast<T*>(group); }
  static rgm_status usable() {
    return guard([] { T::usable(); });
  }
  static rgm_status join(const rgm_config* config, const rgm_join* join, rgm_group** out) {
    return guard([&] {
      const Joining joining{join->rank, join->size, view(join->place)};
      *out = reinterpret_cast<rgm_group*>(new T(OptionTable<typename T::Options>::read(config), joining));
    });
  }
  static rgm_status info(rgm_group* group, rgm_group_info* out) {
    return guard([&] {
      const Ranks r = at(group).info();
      const rgm_group_info all{sizeof(rgm_group_info), 0, r.rank, r.size, r.rank_here, r.size_here};
      const uint32_t size = std::min<uint32_t>(out->struct_size, sizeof all);  // it may be shorter or longer than ours
      std::memcpy(reinterpret_cast<char*>(out) + sizeof size, reinterpret_cast<const char*>(&all) + sizeof size,
                  size - sizeof size);
    });
  }
  static rgm_status sum(rgm_group* group, float* values, size_t count) {
    return guard([&] { at(group).sum(std::span<float>(values, count)); });
  }
  static rgm_status gather(rgm_group* group, const void* mine, size_t bytes, void* all) {
    return guard([&] {
      at(group).gather(std::span(static_cast<const std::byte*>(mine), bytes), static_cast<std::byte*>(all));
    });
  }
  static rgm_status wait(rgm_group* group) {
    return guard([&] { at(group).wait(); });
  }
  static void abort(rgm_group* group, rgm_str text) {
    static_cast<void>(guard([&] { at(group).abort(view(text)); }));
  }
  static void leave(rgm_group* group) { delete &at(group); }

  static constexpr rgm_collective table{sizeof(rgm_collective), T::flags, T::score, 0,    usable, join,
                                        info,                   sum,      gather,   wait, abort,  leave};
};

// The component to give to RGM_PLUGIN.
template <class T>
constexpr rgm_component collective(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_COLLECTIVE, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &CollectiveThunks<T>::table};
}

}  // namespace regimen
