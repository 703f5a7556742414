// session.hpp - the running stage as a strategy sees it: models by role, the batches of the step, metrics, rewards, and
// the scopes where plug-ins file parameters. The ABI's opaque types of these live here.
#pragma once
#include <regimen/abi/reward.h>
#include <regimen/abi/strategy.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/shared_work.hpp"
#include "data/source.hpp"
#include "model/model.hpp"
#include "train/follow.hpp"
#include "train/head_reward.hpp"

namespace rgm {
struct Filed {  // by plug-ins, and what was saved of it and is not asked for yet
  Parameters parameters;
  std::map<std::string, Tensor> saved;
};
}  // namespace rgm

// A model as plug-ins hold it: the policy without its adapters is a reference.
struct rgm_model {
  std::shared_ptr<rgm::Model> model;
  bool adapters_off = false;
  bool frozen = false;                           // no gradient is recorded through it
  std::shared_ptr<void> own_adapters = nullptr;  // of a model that was saved with some; kept as long as it
  int64_t length = 0;                            // the stage's bound of a row; 0: none
  // Of one that follows the policy in the policy's own base: its adapters there, and what plug-ins file for it.
  rgm::Hooks* own_hooks = nullptr;
  std::shared_ptr<rgm::Filed> own_filed = nullptr;

  rgm::Hooks* hooks() const { return adapters_off ? nullptr : own_hooks ? own_hooks : model->hooks(); }
};

struct rgm_config;

struct rgm_tokenizer {
  rgm::TokenizerPtr tokenizer;
};

// Where parameters are filed. Values saved earlier are taken from `saved` and removed there.
struct rgm_scope {
  rgm::Parameters* parameters = nullptr;
  std::map<std::string, rgm::Tensor>* saved = nullptr;
  std::string prefix;  // "value_head."
  uint64_t seed = 0;
  bool trained = true;  // false in the scope of a frozen model
  bool closed = false;  // parameters are found, but no more are made
  // The saved value that was refused last: it is not of the shape or the type that was wanted.
  std::string unfit = {};
};

namespace rgm {

inline std::string_view view(rgm_str s) { return {s.data, s.size}; }  // borrowed

// Makes or finds `prefix + name`: rgm_model_api.param.
Tensor file_parameter(rgm_scope& scope, const std::string& name, const rgm_view& like, const rgm_init& init);
// What the ABI tells about a model.
void fill_info(const Model& model, rgm_tokenizer* tokenizer, rgm_model_info& out);

// One configured reward: a rule, a learned one with the model that carries it, or the head of a model's own.
struct Reward {
  std::string id, name;  // the second for messages, with its file
  std::string label;     // what a strategy may ask for it by: the stage or folder it came from, else its id
  const rgm_reward* table = nullptr;   // of a plug-in; of a head there is none
  std::shared_ptr<rgm_config> config;  // outlives `self`, which may point into it
  void* self = nullptr;
  double weight = 1;
  std::shared_ptr<Model> model;    // of a learned one: its own, frozen, or the policy while it is trained
  std::shared_ptr<void> adapters;  // of its own model, if it was trained with some
  std::unique_ptr<rgm_scope> scope;
  std::optional<HeadReward> head;  // which of the model's own numbers it is
  Reward() = default;
  Reward(Reward&& o) noexcept;
  Reward& operator=(Reward&&) = delete;
  ~Reward();
};

}  // namespace rgm

// The ABI's opaque rgm_train.
struct rgm_train {
  uint64_t seed = 0;
  std::string stage;
  rgm::ProcessGroup* processes = rgm::alone();  // that run the stage together
  bool is_joint = false;  // they all make this call, and with the same batch: what it computes may be dealt
  std::shared_ptr<rgm::Model> policy;
  bool adapters = false;         // the policy has some: then the reference is itself without them
  bool makes_reference = false;  // when it is first asked for: only while the policy is as it was at the start
  std::function<rgm_model()> open_reference;  // where that is not a copy of the policy
  // Roles that follow the policy. One that is given no model is a copy of the policy, made like the reference.
  std::map<std::string, rgm::Follower> followers;
  std::function<rgm_model(rgm::Follower& out)> copy_policy;
  int64_t after_step = 0;                  // the step that the strategy's after_step is told of; 0: it does not run
  std::map<std::string, rgm_model> roles;  // "policy" and what was configured
  std::vector<rgm::Reward> rewards;
  std::vector<rgm::ColumnWish> wishes;  // of the strategy and of its learned reward
  int64_t context = 0;                  // tokens of a row that every model of the stage has room for
  int64_t length = 0;                   // the stage's own bound of a row; 0: none
  bool by_length = false;               // that bounds `context`, and no model does: for messages
  const std::map<std::string, std::unique_ptr<rgm::Source>>* sources =
      nullptr;  // of the stage, by the pipeline's names
  std::string main_source;
  rgm::fs::path folder;          // of the stage
  std::shared_ptr<void> people;  // who was asked, and what they said: host/person.cpp
  std::string interruption;      // what a call that waited says of it: a plug-in in between cannot pass on what it is
  int64_t rollout = 0;           // how many rollouts came before: keys generation
  double progress = 0;           // the share of the stage's steps that are done
  int64_t first_prompt = 0;      // how many held-out examples came before, in an evaluation: keys it, too

  // Walks over the batches that totals are taken over: a step's micro-batches, or all of the held-out data, which is
  // drawn again for that and never in memory at once.
  std::function<void(const std::function<void(const rgm::Batch&)>& see)> each_batch;
  std::map<std::string, double> totals;  // of these, as far as asked for
  std::set<std::string> warned;          // of what is said once
  std::set<std::string> silent;          // labels of rewards that scored none of the answers that they saw last
  // While work is captured: where the totals that it may ask for are written for each step.
  std::optional<std::map<std::string, rgm::Tensor>> total_places;

  struct Metric {
    rgm::Tensor sum, count;
  };
  std::map<std::string, Metric> metrics;  // since they were last read
  // In an evaluation: the answers that it shows, each {prompt, text, reward}, as the strategy has them scored.
  std::optional<nlohmann::json> shown;
  nlohmann::json report = nlohmann::json::object();
  std::list<std::unique_ptr<rgm::Batch>> batches;  // made by the plug-in in this call
  // By role and name.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<rgm_scope>> scopes;
  bool scopes_closed = false;
  rgm_tokenizer tokenizer;

  void begin_step(std::vector<rgm::Batch*> batches);
  void begin_pass(std::function<void(const std::function<void(const rgm::Batch&)>& see)> walk);
  // Where parameters are made: in prepare. From then on a new name is a mistake, as nothing would train or restore it.
  void close_scopes();
  bool together(const std::string& column) const;
  // Of its metrics, {name: [sum, count]}, of each process by rank; waits.
  std::vector<nlohmann::json> sums_of_metrics() const;
  // sum / count of every metric over all processes, and forgets them; waits.
  std::vector<std::pair<std::string, double>> read_metrics();
};

namespace rgm {

// While it lives, all processes make the same calls.
class Joint {
 public:
  explicit Joint(rgm_train& train) : train_(train) { train_.is_joint = true; }
  ~Joint() { train_.is_joint = false; }
  Joint(const Joint&) = delete;
  Joint& operator=(const Joint&) = delete;

 private:
  rgm_train& train_;
};

inline constexpr size_t most_shown = 3;  // answers of an evaluation

// What is behind rgm_train_api; each throws rgm::Error. Implemented in train/session_*.cpp.
rgm_model* role(rgm_train& train,
                const std::string& name);  // NULL when not configured; makes the reference when first asked
// To end a message on a role that is not there: a near one, and all there are.
std::string other_roles(const rgm_train& train, std::string_view name);
rgm_scope* scope(rgm_train& train, const std::string& role, const std::string& name);
double total(rgm_train& train, const std::string& column);
Tensor total_on_device(rgm_train& train, const std::string& column);  // ()
Tensor progress_on_device(rgm_train& train);                          // ()
void add_metric(rgm_train& train, const std::string& name, const Tensor& sum, const Tensor& count);
Batch* generate_batch(rgm_train& train, rgm_model& model, const Batch& prompts, std::span<const rgm_attr> sampling);
Tensor score(rgm_train& train, Batch& completions);
Tensor score_of(rgm_train& train, Batch* completions, const std::string& name);  // empty when none is called so
Tensor reward_loss(rgm_train& train, Batch& batch);
std::unique_ptr<Batch> draw(const rgm_train& train, const std::string& source, int64_t count);  // NULL: no such source
// What a rollout answered, if anything, is the data that it was given, or a batch that was made in this call.
void require_of_this_call(const rgm_train& train, const Batch* answered, const Batch& given,
                          const std::string& strategy);
void set_tokens(const rgm_train& train, Batch& batch, const std::string& column, std::span<const rgm_str> prompts,
                std::span<const rgm_str> answers);

}  // namespace rgm
