// hooks.hpp - optional hooks are found by their names, so a name that is nearly one goes unheard. Here the slips that are
// listed in strategy.hpp and its like, and hooks that are private or overloaded, become compile errors.
#pragma once

// In a template over the component T. The second base makes &Both::name ambiguous where T has that name at all.
#define RGM_HOOK(T, name)                                                        \
  struct Other_##name { int name; };                                             \
  template <class U> struct Both_##name : U, Other_##name {};                    \
  static_assert(requires { &T::name; } || requires { &Both_##name<T>::name; },   \
                #name " is the name of a hook: make it public and not overloaded, or call it otherwise")

#define RGM_NO_HOOK(T, name, right) \
  static_assert(!requires { &T::name; }, #name " is no hook; did you mean " #right "? If not, make it private")
