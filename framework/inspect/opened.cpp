// opened.cpp - the plug-in under trial in its child process, and what a callback may do with nonsense.
#include "inspect/opened.hpp"

#include <algorithm>

namespace rgm::inspect {

bool Opened::open_reference() {
  const std::vector<std::string> ids = registry.ids(RGM_KIND_BACKEND);
  if (!std::count(ids.begin(), ids.end(), "reference")) {
    skipped("the backend \"reference\", on which it would be tried, is not installed");
    return false;
  }
  device_ = open_device(choose_backend("reference", registry), registry);
  return true;
}

void try_nonsense(const Opened& opened, Refusals& seen, const std::string& what,
                  const std::function<rgm_status(rgm_tensor** out)>& call) {
  opened.at(what);
  keep_failure(RGM_OK, "");
  rgm_tensor* out = nullptr;
  rgm_status status = RGM_OK;
  try {
    status = call(&out);
  } catch (...) {
    seen.wrong.push_back(what + ": it threw an exception, where only a status is allowed");
    return;
  }
  if (status == RGM_OK) {
    ++seen.answered;
    Tensor::adopt(out);
    return;
  }
  ++seen.refused;
  if (out) seen.wrong.push_back(what + ": failed, but wrote an output: outputs stay as they are on failure");
  if (last_failure().empty()) seen.wrong.push_back(what + ": failed without a reason; say why with host->fail");
}

void tell(const Opened& opened, const Refusals& seen) {
  for (const std::string& wrong : seen.wrong) opened.failed("{}", wrong);
  if (!seen.wrong.empty()) return;
  if (seen.refused + seen.answered == 0)
    opened.skipped("no callback takes a tensor");
  else
    opened.ok("{} calls with nonsense: {} refused with a reason, {} accepted", seen.refused + seen.answered,
              seen.refused, seen.answered);
}

}  // namespace rgm::inspect
