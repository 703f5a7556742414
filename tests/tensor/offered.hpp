// offered.hpp - operations on a backend that offers every kernel, only the required ones, or refusals of the rest; the
// offers are listed in ops_test.cpp.
#pragma once
#include <string>

#include "fixture.hpp"

namespace rgm::test {

class Ops : public testing::TestWithParam<Offer> {
 protected:
  // What a mistake in a call is told with.
  template <class F>
  static std::string message(F&& f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "";
  }
  OnDevice device{GetParam()};
};

}  // namespace rgm::test
