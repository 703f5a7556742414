// guard.hpp - the border between our exceptions and the ABI's statuses: every function in a host table runs its body
// in guard(), and hands out its results only after everything that can fail is done.
#pragma once
#include <regimen/abi/tensor.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <vector>

#include "tensor/quantized.hpp"

namespace rgm {

template <class F>
rgm_status guard(F&& body) noexcept {
  try {
    try {
      body();
      return RGM_OK;
    } catch (const Error& e) {
      return keep_failure(e.status(), e.what());
    } catch (const std::bad_alloc&) {
      return keep_failure(RGM_NO_MEMORY, "out of memory");
    } catch (const std::exception& e) {
      return keep_failure(RGM_INTERNAL, e.what());
    } catch (...) {
      return keep_failure(RGM_INTERNAL, "unknown exception");
    }
  } catch (...) {  // not even the text could be kept
    return RGM_NO_MEMORY;
  }
}

template <class... A>
[[noreturn]] void unsupported(fmt::format_string<A...> text, A&&... args) {
  throw Error(RGM_UNSUPPORTED, fmt::format(text, std::forward<A>(args)...));
}

template <class T>
T& given(T* argument, const char* name) {
  require(argument != nullptr, "{} is NULL", name);
  return *argument;
}

// A borrowed argument as a handle; of a weight in four bits an element, its values.
inline Tensor share(rgm_tensor* t, const char* name) { return readable(Tensor::share(&given(t, name))); }
inline std::vector<Tensor> share(rgm_tensor* const* list, uint32_t n, const char* name) {
  std::vector<Tensor> out;
  if (n) given(list, name);
  for (uint32_t i = 0; i < n; ++i) out.push_back(share(list[i], name));
  return out;
}

// Runs `body`, which answers a tensor, and hands that over.
template <class F>
rgm_status give(rgm_tensor** out, F&& body) noexcept {
  return guard([&] {
    given(out, "out");
    *out = Tensor(body()).release();
  });
}

inline std::string_view text_of(rgm_str s) { return s.data ? std::string_view(s.data, s.size) : std::string_view(); }

// A struct of another version of the ABI, shorter or longer, as ours; fields that it lacks are 0.
template <class T>
T known_part(const T* theirs, const char* name) {
  T ours{};
  std::memcpy(&ours, &given(theirs, name), std::min<size_t>(theirs->struct_size, sizeof ours));
  return ours;
}

}  // namespace rgm
