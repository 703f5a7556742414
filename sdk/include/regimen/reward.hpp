// reward.hpp - a reward is a class with Options, a constructor from them, columns, and either the hook of a rule, which
// may be called from several threads at once and returns NaN where an answer cannot be scored:
//   score(completion) -> float
// or those of a learned head:
//   attach(info, scope)   scores(hidden, ends) -> Tensor   loss(train, batch, scores) -> Tensor
#pragma once
#include <span>
#include <string>

#include "hooks.hpp"
#include "options.hpp"
#include "train.hpp"

namespace regimen RGM_PRIVATE {

// An answer to be scored. Columns go by their name, or by their place in the class's `columns`; ask has() for one that
// is optional.
class Completion {
 public:
  Completion(const rgm_completion& c, std::span<const rgm_column> columns) : c_(c), columns_(columns) {}
  std::string_view prompt() const { return view(c_.prompt); }
  std::string_view text() const { return view(c_.text); }
  bool has(size_t column) const { return value(column).type != RGM_UNSET; }
  bool has(std::string_view column) const { return has(place(column)); }
  std::string_view text(size_t column) const {
    const rgm_value& v = value(column);
    if (v.type != RGM_TEXT) fail(column, "no text");
    return view(v.as.s);
  }
  std::string_view text(std::string_view column) const { return text(place(column)); }
  // The number of a REAL or an INTEGER column.
  double real(size_t column) const {
    const rgm_value& v = value(column);
    if (v.type != RGM_INTEGER && v.type != RGM_REAL) fail(column, "no number");
    return v.type == RGM_INTEGER ? static_cast<double>(v.as.i) : v.as.f;
  }
  double real(std::string_view column) const { return real(place(column)); }
  int64_t integer(size_t column) const {
    const rgm_value& v = value(column);
    if (v.type != RGM_INTEGER) fail(column, "no whole number");
    return v.as.i;
  }
  int64_t integer(std::string_view column) const { return integer(place(column)); }

 private:
  const rgm_value& value(size_t column) const {
    if (column >= columns_.size())
      throw Error(RGM_INVALID, "score asked for column " + std::to_string(column) + ", counted from 0, and it has " +
                                   std::to_string(columns_.size()));
    return c_.columns[column];
  }
  size_t place(std::string_view name) const {
    for (size_t i = 0; i < columns_.size(); ++i)
      if (name == columns_[i].name) return i;
    throw Error(RGM_INVALID, "score asked for the column \"" + std::string(name) + "\", which is not one of its own");
  }
  [[noreturn]] void fail(size_t column, const char* what) const {
    throw Error(RGM_INVALID, std::string("the column \"") + columns_[column].name + "\" holds " + what +
                                 " here; ask has() first if it is optional");
  }

  const rgm_completion& c_;
  std::span<const rgm_column> columns_;
};

template <class T>
struct RewardThunks {
  RGM_HOOK(T, score); RGM_HOOK(T, attach); RGM_HOOK(T, scores); RGM_HOOK(T, loss);
  RGM_NO_HOOK(T, rate, score); RGM_NO_HOOK(T, evaluate, score); RGM_NO_HOOK(T, scoer, score);
  RGM_NO_HOOK(T, attached, attach); RGM_NO_HOOK(T, atach, attach); RGM_NO_HOOK(T, open, attach);
  RGM_NO_HOOK(T, losses, loss); RGM_NO_HOOK(T, compute_loss, loss);

  static T& at(void* self) { return *static_cast<T*>(self); }
  static rgm_status score(void* self, const rgm_completion* const* items, uint32_t n, float* out) {
    return guard([&] {
      std::vector<float> result(n);  // `out` stays untouched on failure
      for (uint32_t i = 0; i < n; ++i) result[i] = at(self).score(Completion(*items[i], T::columns));
      std::copy(result.begin(), result.end(), out);
    });
  }
  static rgm_status attach(void* self, const rgm_model_info* model, rgm_scope* scope) {
    return guard([&] { at(self).attach(*model, Scope(scope)); });
  }
  static rgm_status scores(void* self, rgm_tensor* hidden, rgm_tensor* ends, rgm_tensor** out) {
    return guard([&] { *out = at(self).scores(Tensor::share(hidden), Tensor::share(ends)).release(); });
  }
  static rgm_status loss(void* self, rgm_train* train, rgm_batch* batch, rgm_tensor* scores, rgm_tensor** out) {
    return guard([&] { *out = at(self).loss(Train(train), Batch(batch), Tensor::share(scores)).release(); });
  }

  static constexpr rgm_reward table = [] {
    rgm_reward r{};
    r.struct_size = sizeof r;
    r.columns = columns_of<T>();
    r.create = Instance<T>::create;
    r.destroy = Instance<T>::destroy;
    if constexpr (requires { &T::score; }) r.score = score;
    if constexpr (requires { &T::attach; }) r.attach = attach;
    if constexpr (requires { &T::scores; }) r.scores = scores;
    if constexpr (requires { &T::loss; }) r.loss = loss;
    return r;
  }();
  // Asks the class, not the table: under GCC's -fsanitize=undefined a constant cannot compare function pointers.
  static_assert(requires { &T::score; } || requires { &T::attach; &T::scores; &T::loss; },
                "a reward is a rule or a learned head");
};

// The component to give to RGM_PLUGIN.
template <class T>
constexpr rgm_component reward(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_REWARD, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &RewardThunks<T>::table};
}

}  // namespace regimen
