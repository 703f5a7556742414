// judge.hpp - runs one case on the reference and on the subject and says whether the subject is right.
#pragma once
#include "cases.hpp"
#include "conformance.hpp"

namespace rgm::conformance {

struct Outcome {
  rgm_status status = RGM_OK;
  bool at_wait = false;  // the call itself was RGM_OK, the wait behind it was not
  std::string reason{};
  std::vector<Bytes> memory{};  // of every argument, afterwards
};

// Fresh memory, filled with each array's initial bytes; then the call; then everything is read back.
Outcome execute(const Device& device, const Trial& trial, const Call& call, const Options& options);

Result judge(const Device& reference, const Device& subject, const Kernel& kernel, Trial& trial,
             const Options& options);

// Of a backend that offers it.
bool captures(const Device& subject);
Result capture_case(const Device& subject);

}  // namespace rgm::conformance
