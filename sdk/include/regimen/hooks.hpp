// hooks.hpp - optional hooks are found by name, so one whose name is misspelt would never be called. Here the slips
// that strategy.hpp, adapter.hpp and reward.hpp list become compile errors, as do hooks that are private or overloaded.
#pragma once

// For use in a template over the component's class T. The second base makes &Both::name ambiguous if T has any member
// of that name; then &T::name itself has to be well-formed, which it is not for one that is private or overloaded.
#define RGM_HOOK(T, name)                                                        \
  struct Other_##name { int name; };                                             \
  template <class U> struct Both_##name : U, Other_##name {};                    \
  static_assert(requires { &T::name; } || requires { &Both_##name<T>::name; },   \
                #name " is the name of a hook: make it public and not overloaded, or call it otherwise")

#define RGM_NO_HOOK(T, name, right) \
  static_assert(!requires { &T::name; }, #name " is no hook; did you mean " #right "? If not, make it private")
