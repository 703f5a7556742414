// reward.hpp - a reward is a class: Options, columns, and either score(completion) -> float, or a learned head:
//   attach(info, scope)   scores(hidden, ends) -> Tensor   loss(train, batch, scores) -> Tensor
#pragma once
#include "hooks.hpp"
#include "options.hpp"
#include "train.hpp"

namespace regimen RGM_PRIVATE {

class Completion {
 public:
  explicit Completion(const rgm_completion& c) : c_(c) {}
  std::string_view prompt() const { return view(c_.prompt); }
  std::string_view text() const { return view(c_.text); }
  bool has(size_t column) const { return c_.columns[column].type != RGM_UNSET; }
  std::string_view text(size_t column) const { return view(c_.columns[column].as.s); }
  // A number of a REAL or an INTEGER column.
  double real(size_t column) const {
    const rgm_value& v = c_.columns[column];
    return v.type == RGM_INTEGER ? static_cast<double>(v.as.i) : v.as.f;
  }
  int64_t integer(size_t column) const {
    const rgm_value& v = c_.columns[column];
    return v.type == RGM_INTEGER ? v.as.i : static_cast<int64_t>(v.as.f);
  }

 private:
  const rgm_completion& c_;
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
      for (uint32_t i = 0; i < n; ++i) result[i] = at(self).score(Completion(*items[i]));
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
  // Not through the table: under GCC's -fsanitize=undefined a function's address is no constant to compare.
  static_assert(requires { &T::score; } || requires { &T::attach; &T::scores; &T::loss; },
                "a reward is a rule or a learned head");
};

template <class T>
constexpr rgm_component reward(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_REWARD, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &RewardThunks<T>::table};
}

}  // namespace regimen
