// adapter.hpp - an adapter is a class with Options, a constructor from them, kinds, sites, attach(site), and at least
// one of input, output, key_values and prompt. The other hooks are optional; abi/adapter.h says when each is called.
//   open(info, scope)   begin() -> Tensor   input(at, x) -> x   output(at, x, y) -> y   key_values(at) -> KeyValues
//   prompt(at) -> Tensor   merge(at, linear) -> Linear   store(file)   restore(file)
// `at` is what attach returned for the site. If the class has begin(), its tensor follows `at` in input, output,
// key_values and prompt. `static constexpr rgm_format format`, if there is one, describes the files as PEFT has them.
#pragma once
#include "hooks.hpp"
#include "options.hpp"
#include "train.hpp"

namespace regimen RGM_PRIVATE {

// One site during attach, and the Scope for its parameters.
class Site : public Scope {
 public:
  explicit Site(const rgm_site_info& info) : Scope(info.scope), info_(info) {}
  int32_t kind() const { return info_.kind; }  // RGM_LINEAR_SITE ...
  int64_t in() const { return info_.in; }      // channels of x; of the embedding: V, as x is token ids
  int64_t out() const { return info_.out; }    // channels of y
  int64_t layer() const { return info_.layer; }  // -1 outside the layers
  double scale() const { return info_.scale; }  // of the embedding: its vectors are multiplied by it after the hooks
  std::string name() const { return info_.name; }
  Tensor weight() const { return Tensor::share(info_.weight); }
  Tensor bias() const { return Tensor::share(info_.bias); }  // empty where there is none; so is weight

 private:
  const rgm_site_info& info_;
};

struct KeyValues { Tensor k, v; };       // (N, Hkv, D) each
struct Linear { Tensor weight, bias; };  // (out, in), (out); bias may be empty

template <class T>
struct AdapterThunks {
  RGM_HOOK(T, open); RGM_HOOK(T, begin); RGM_HOOK(T, input); RGM_HOOK(T, output); RGM_HOOK(T, key_values);
  RGM_HOOK(T, prompt); RGM_HOOK(T, merge); RGM_HOOK(T, store); RGM_HOOK(T, restore);
  RGM_NO_HOOK(T, opens, open); RGM_NO_HOOK(T, begins, begin); RGM_NO_HOOK(T, start, begin);
  RGM_NO_HOOK(T, inputs, input); RGM_NO_HOOK(T, imput, input); RGM_NO_HOOK(T, before, input);
  RGM_NO_HOOK(T, outputs, output); RGM_NO_HOOK(T, ouput, output); RGM_NO_HOOK(T, after, output);
  RGM_NO_HOOK(T, forward, output); RGM_NO_HOOK(T, key_value, key_values); RGM_NO_HOOK(T, keys_values, key_values);
  RGM_NO_HOOK(T, keyvalues, key_values); RGM_NO_HOOK(T, prompts, prompt); RGM_NO_HOOK(T, promt, prompt);
  RGM_NO_HOOK(T, merges, merge); RGM_NO_HOOK(T, fold, merge); RGM_NO_HOOK(T, save, store);
  RGM_NO_HOOK(T, stores, store); RGM_NO_HOOK(T, load, restore); RGM_NO_HOOK(T, restores, restore);

  using At = decltype(std::declval<T&>().attach(std::declval<const Site&>()));
  static T& at(void* self) { return *static_cast<T*>(self); }

  // Calls `hook` with the site's state, the tensor of begin() if the class has that, and the rest.
  template <class Hook, class... A>
  static auto run(Hook hook, void* self, void* site, [[maybe_unused]] rgm_tensor* shared, A&&... args) {
    T& adapter = at(self);
    At& state = *static_cast<At*>(site);
    if constexpr (requires { &T::begin; })
      return (adapter.*hook)(state, Tensor::share(shared), std::forward<A>(args)...);
    else
      return (adapter.*hook)(state, std::forward<A>(args)...);
  }

  static rgm_status open(void* self, const rgm_model_info* model, rgm_scope* scope) {
    return guard([&] { at(self).open(*model, Scope(scope)); });
  }
  static rgm_status attach(void* self, const rgm_site_info* info, void** site) {
    return guard([&] { *site = new At(at(self).attach(Site(*info))); });
  }
  static void detach(void*, void* site) { delete static_cast<At*>(site); }
  static rgm_status begin(void* self, rgm_tensor** shared) {
    return guard([&] { *shared = at(self).begin().release(); });
  }
  static rgm_status input(void* self, void* site, rgm_tensor* shared, rgm_tensor* x, rgm_tensor** out) {
    return guard([&] { *out = run(&T::input, self, site, shared, Tensor::share(x)).release(); });
  }
  static rgm_status output(void* self, void* site, rgm_tensor* shared, rgm_tensor* x, rgm_tensor* y,
                           rgm_tensor** out) {
    Tensor given = Tensor::adopt(y);  // [given]: ours to drop, even if the hook throws
    return guard([&] { *out = run(&T::output, self, site, shared, Tensor::share(x), std::move(given)).release(); });
  }
  static rgm_status key_values(void* self, void* site, rgm_tensor* shared, rgm_tensor** k, rgm_tensor** v) {
    return guard([&] {
      KeyValues kv = run(&T::key_values, self, site, shared);
      *k = kv.k.release();
      *v = kv.v.release();
    });
  }
  static rgm_status prompt(void* self, void* site, rgm_tensor* shared, rgm_tensor** out) {
    return guard([&] { *out = run(&T::prompt, self, site, shared).release(); });
  }
  static rgm_status merge(void* self, void* site, rgm_tensor* weight, rgm_tensor* bias, rgm_tensor** out_weight,
                          rgm_tensor** out_bias) {
    return guard([&] {
      Linear merged = at(self).merge(*static_cast<At*>(site), Linear{Tensor::share(weight), Tensor::share(bias)});
      *out_weight = merged.weight.release();
      *out_bias = merged.bias.release();
    });
  }
  static rgm_status store(void* self, rgm_batch* file) { return guard([&] { at(self).store(Batch(file)); }); }
  static rgm_status restore(void* self, rgm_batch* file) { return guard([&] { at(self).restore(Batch(file)); }); }

  static constexpr rgm_adapter table = [] {
    rgm_adapter a{};
    a.struct_size = sizeof a;
    a.kinds = T::kinds;
    a.sites = ended<T::sites>.data();
    if constexpr (requires { T::format; }) a.format = &T::format;
    a.create = Instance<T>::create;
    a.destroy = Instance<T>::destroy;
    a.attach = attach;
    a.detach = detach;
    if constexpr (requires { &T::open; }) a.open = open;
    if constexpr (requires { &T::begin; }) a.begin = begin;
    if constexpr (requires { &T::input; }) a.input = input;
    if constexpr (requires { &T::output; }) a.output = output;
    if constexpr (requires { &T::key_values; }) a.key_values = key_values;
    if constexpr (requires { &T::prompt; }) a.prompt = prompt;
    if constexpr (requires { &T::merge; }) a.merge = merge;
    if constexpr (requires { &T::store; }) a.store = store;
    if constexpr (requires { &T::restore; }) a.restore = restore;
    return a;
  }();
  // Asks the class, not the table: under GCC's -fsanitize=undefined a constant cannot compare function pointers.
  static_assert(requires { &T::input; } || requires { &T::output; } || requires { &T::key_values; } ||
                    requires { &T::prompt; }, "an adapter has a hook");
};

// The component to give to RGM_PLUGIN.
template <class T>
constexpr rgm_component adapter(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_ADAPTER, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &AdapterThunks<T>::table};
}

}  // namespace regimen
