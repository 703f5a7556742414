// options.hpp - a component's options: a plain struct, and a list that says how each member is called and checked.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

#include "error.hpp"

namespace regimen RGM_PRIVATE {

template <class T> struct Unwrapped { using type = T; static constexpr bool optional = false; };
template <class T> struct Unwrapped<std::optional<T>> { using type = T; static constexpr bool optional = true; };

// Members may be bool, int64_t, double, std::string_view, std::span of rgm_str, or std::optional of those: unset.
template <class Member>
constexpr rgm_type type_of() {
  using T = typename Unwrapped<Member>::type;
  if constexpr (std::is_same_v<T, bool>) return RGM_BOOLEAN;
  else if constexpr (std::is_integral_v<T>) return RGM_INTEGER;
  else if constexpr (std::is_floating_point_v<T>) return RGM_REAL;
  else if constexpr (std::is_convertible_v<T, std::string_view>) return RGM_TEXT;
  else return RGM_TEXTS;
}
template <class T>
constexpr rgm_value to_value(const T& v) {
  if constexpr (Unwrapped<T>::optional) return v ? to_value(*v) : rgm_value{};
  else if constexpr (std::is_integral_v<T>) return {type_of<T>(), 1, {.i = v}};
  else if constexpr (std::is_floating_point_v<T>) return {RGM_REAL, 1, {.f = v}};
  else if constexpr (std::is_convertible_v<T, std::string_view>) return {RGM_TEXT, 1, {.s = str(v)}};
  else return {RGM_TEXTS, static_cast<uint32_t>(v.size()), {.ss = v.data()}};
}
template <class T>
void from_value(const rgm_value& v, T& out) {
  if constexpr (Unwrapped<T>::optional) { if (v.type == RGM_UNSET) out.reset(); else from_value(v, out.emplace()); }
  else if constexpr (std::is_integral_v<T>) out = static_cast<T>(v.as.i);
  else if constexpr (std::is_floating_point_v<T>) out = static_cast<T>(v.as.f);
  else if constexpr (std::is_convertible_v<T, std::string_view>) out = T(view(v.as.s));
  else out = T(v.as.ss, v.count);
}
// A list of a class with an end behind it, whether it has one of its own or not.
template <const auto& list>
inline constexpr auto ended = [] {
  std::array<std::remove_cvref_t<decltype(list[0])>, std::size(list) + 1> out{};
  for (size_t i = 0; i < std::size(list); ++i) out[i] = list[i];
  return out;
}();

constexpr rgm_attr attr(const char* key, const auto& value) { return {key, to_value(value)}; }

template <class Owner, class Member>
struct Option {
  const char* key;
  Member Owner::*member;
  const char* help;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  const char* const* words = nullptr;
  bool choice = false;  // has words; GCC's undefined-behaviour sanitizer compares no addresses in constants
  uint32_t flags = 0;

  constexpr Option range(double lo, double hi) const { Option o = *this; o.min = lo; o.max = hi; return o; }
  constexpr Option at_least(double lo) const { Option o = *this; o.min = lo; return o; }
  template <size_t N>
  constexpr Option choices(const char* const (&w)[N]) const {
    if (w[N - 1] != nullptr) throw "the list of choices has to end with nullptr";
    Option o = *this;
    o.words = w;
    o.choice = true;
    return o;
  }
  constexpr Option flag(uint32_t f) const { Option o = *this; o.flags |= f; return o; }

  constexpr rgm_option data(const Owner& defaults) const {
    const rgm_type type = choice ? RGM_CHOICE : type_of<Member>();
    rgm_value initial = to_value(defaults.*member);
    if (initial.type != RGM_UNSET) initial.type = type;
    return {sizeof(rgm_option), flags, key, help, type, 0, initial, min, max, words};
  }
};
template <class Owner, class Member>
constexpr Option<Owner, Member> option(const char* key, Member Owner::*member, const char* help) {
  return {key, member, help};
}
template <class... Os>
constexpr auto options(Os... os) { return std::tuple<Os...>(os...); }

struct NoOptions { static constexpr auto list = options(); };

template <class O>  // the ABI's table for an options struct, made at compile time, and its reader
struct OptionTable {
  static constexpr size_t count = std::tuple_size_v<std::remove_const_t<decltype(O::list)>>;
  static constexpr std::array<rgm_option, count> entries = std::apply([](auto... o) {
    return std::array<rgm_option, count>{o.data(O{})...};
  }, O::list);
  static constexpr std::array<const rgm_option*, count + 1> pointers = [] {
    std::array<const rgm_option*, count + 1> p{};
    for (size_t i = 0; i < count; ++i) p[i] = &entries[i];
    return p;
  }();

  static O read([[maybe_unused]] const rgm_config* config) {
    O result;
    std::apply([&](auto... o) {
      ([&] { rgm_value v; check(host->config_get(config, o.key, &v)); from_value(v, result.*(o.member)); }(), ...);
    }, O::list);
    return result;
  }
};

template <class T>  // create and destroy, the same for every kind of component
struct Instance {
  static rgm_status create(const rgm_config* config, void** self) {
    return guard([&] { *self = new T(OptionTable<typename T::Options>::read(config)); });
  }
  static void destroy(void* self) { delete static_cast<T*>(self); }
};

}  // namespace regimen
