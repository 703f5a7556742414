// row_adapters.hpp - several sets of adapters on one model, each row of a pass served by one of them or by none: the
// base's products run once over all rows, and each adapter sees its own. An ensemble is trained so, too.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters.hpp"

namespace rgm {

class RowAdapters : public Hooks {
 public:
  // Sets itself as the hooks of `model`, on which all sets act.
  explicit RowAdapters(std::shared_ptr<Model> model);
  // From now on a pass that names no adapters is dealt to all of them, an equal share of its rows to each in turn.
  void deal() { deals_ = true; }
  ~RowAdapters() override;
  // Its number in Pass::adapters. RGM_INVALID where the name is taken.
  int32_t add(const std::string& name, std::unique_ptr<Adapters> adapters);
  const std::vector<std::unique_ptr<Adapters>>& sets() const { return sets_; }
  // The number of a name; of an empty one that of no adapter. RGM_INVALID with a near name where it is not known.
  int32_t number(const std::string& name, const std::string& where) const;

  // Rows that one set serves are best side by side: its hooks are called once for each run of them.
  void begin(std::span<const int32_t> rows, int64_t count) override;
  bool has_input(size_t site) const override;
  bool has_output(size_t site) const override;
  Tensor input(size_t site, const Tensor& x) override;
  Tensor output(size_t site, const Tensor& x, Tensor y) override;
  std::pair<Tensor, Tensor> key_values(size_t site) override;
  Tensor prompt(size_t site) override;

 private:
  struct Run {
    Adapters* set;  // NULL: the base alone
    int64_t begin, end;
    int64_t rows() const { return end - begin; }
  };
  void deal(int64_t count);
  // What `act` answers for each run, with the rows together again: (rows, ...).
  template <class Act>
  Tensor by_run(const Act& act);

  std::shared_ptr<Model> model_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Adapters>> sets_;
  std::vector<Run> runs_;
  bool deals_ = false;
};

}  // namespace rgm
