// options.hpp - a component's options: a plain struct whose members hold the defaults, and a list that says what each
// member is called and how it is checked:
//   int64_t width = 8;
//   static constexpr auto list = options(option("width", &Mine::width, "channels").range(1, 4096));
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>

#include "error.hpp"

namespace regimen RGM_PRIVATE {

template <class T> struct Unwrapped { using type = T; static constexpr bool optional = false; };
template <class T> struct Unwrapped<std::optional<T>> { using type = T; static constexpr bool optional = true; };

// A list of texts, numbers or whole numbers.
template <class T>
concept List = std::is_same_v<T, std::span<const rgm_str>> || std::is_same_v<T, std::span<const double>> ||
               std::is_same_v<T, std::span<const int64_t>>;

// A member is a bool, int64_t, double, std::string_view, a std::span of const rgm_str, double or int64_t, or a
// std::optional of one of these, which is empty if nothing was given. Texts and spans are borrowed from the config,
// which outlives the instance.
template <class Member>
constexpr rgm_type type_of() {
  using T = typename Unwrapped<Member>::type;
  if constexpr (std::is_same_v<T, bool>) return RGM_BOOLEAN;
  else if constexpr (std::is_integral_v<T>) return RGM_INTEGER;
  else if constexpr (std::is_floating_point_v<T>) return RGM_REAL;
  else if constexpr (std::is_convertible_v<T, std::string_view>) return RGM_TEXT;
  else {
    static_assert(List<T>, "an option is a bool, int64_t, double, string_view, or a span of const rgm_str, double or "
                           "int64_t");
    return std::is_same_v<T, std::span<const double>>    ? RGM_REALS
           : std::is_same_v<T, std::span<const int64_t>> ? RGM_INTEGERS
                                                         : RGM_TEXTS;
  }
}
template <class T>
constexpr rgm_value to_value(const T& v) {
  if constexpr (Unwrapped<T>::optional) return v ? to_value(*v) : rgm_value{};
  else if constexpr (std::is_integral_v<T>) return {type_of<T>(), 1, {.i = v}};
  else if constexpr (std::is_floating_point_v<T>) return {RGM_REAL, 1, {.f = v}};
  else if constexpr (std::is_convertible_v<T, std::string_view>) return {RGM_TEXT, 1, {.s = str(v)}};
  else if constexpr (type_of<T>() == RGM_REALS) return {RGM_REALS, static_cast<uint32_t>(v.size()), {.fs = v.data()}};
  else if constexpr (type_of<T>() == RGM_INTEGERS)
    return {RGM_INTEGERS, static_cast<uint32_t>(v.size()), {.is = v.data()}};
  else return {RGM_TEXTS, static_cast<uint32_t>(v.size()), {.ss = v.data()}};
}
template <class T>
void from_value(const rgm_value& v, T& out) {
  if constexpr (Unwrapped<T>::optional) { if (v.type == RGM_UNSET) out.reset(); else from_value(v, out.emplace()); }
  else if constexpr (std::is_integral_v<T>) out = static_cast<T>(v.as.i);
  else if constexpr (std::is_floating_point_v<T>) out = static_cast<T>(v.as.f);
  else if constexpr (std::is_convertible_v<T, std::string_view>) out = T(view(v.as.s));
  else if constexpr (type_of<T>() == RGM_REALS) out = T(v.as.fs, v.count);
  else if constexpr (type_of<T>() == RGM_INTEGERS) out = T(v.as.is, v.count);
  else out = T(v.as.ss, v.count);
}
// A class's list with an empty element after it, as the ABI's lists end, whether or not the class wrote one itself.
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
  bool choice = false;  // has words: under GCC's -fsanitize=undefined a constant cannot compare `words` with nullptr
  uint32_t flags = 0;

  // Both ends are included, here and below.
  constexpr Option range(double lo, double hi) const { Option o = *this; o.min = lo; o.max = hi; return o; }
  constexpr Option at_least(double lo) const { Option o = *this; o.min = lo; return o; }
  template <size_t N>  // of a text: the words allowed, ending with nullptr
  constexpr Option choices(const char* const (&w)[N]) const {
    if (w[N - 1] != nullptr) throw "the list of choices has to end with nullptr";
    Option o = *this;
    o.words = w;
    o.choice = true;
    return o;
  }
  // RGM_REQUIRED (for a std::optional only), RGM_ADVANCED, RGM_DEPRECATED, RGM_PATH
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
template <class Owner, class Member>
constexpr auto as_list(const Option<Owner, Member>& o) { return std::tuple(o); }
template <class... Os>
constexpr auto as_list(const std::tuple<Os...>& list) { return list; }
// Each of these is an option, or another list, whose options then stand in its place. They may be members of a base.
template <class... Os>
constexpr auto options(const Os&... os) { return std::tuple_cat(as_list(os)...); }

struct NoOptions { static constexpr auto list = options(); };

template <class O>  // the ABI's table of an options struct, made at compile time, and the way back from a config
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

template <class T>  // create and destroy of every component with a class: T(Options), and delete
struct Instance {
  static rgm_status create(const rgm_config* config, void** self) {
    return guard([&] { *self = new T(OptionTable<typename T::Options>::read(config)); });
  }
  static void destroy(void* self) { delete static_cast<T*>(self); }
};

}  // namespace regimen
