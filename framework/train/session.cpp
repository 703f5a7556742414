// session.cpp - the running stage: models by role, scopes of parameters, totals over a step, metrics.
#include "train/session.hpp"

#include <cmath>

#include "base/json.hpp"
#include "base/philox.hpp"
#include "base/text.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"

namespace rgm {

Reward::Reward(Reward&& o) noexcept
    : id(std::move(o.id)),
      name(std::move(o.name)),
      label(std::move(o.label)),
      table(std::exchange(o.table, nullptr)),
      config(std::move(o.config)),
      self(std::exchange(o.self, nullptr)),
      weight(o.weight),
      model(std::move(o.model)),
      adapters(std::move(o.adapters)),
      scope(std::move(o.scope)),
      head(std::move(o.head)) {}
Reward::~Reward() {
  if (self) table->destroy(self);
}

void fill_info(const Model& model, rgm_tokenizer* tokenizer, rgm_model_info& out) {
  const ModelConfig& c = model.config();
  rgm_model_info info{};
  info.struct_size = out.struct_size;
  info.dtype = model.dtype();
  info.family = c.family->id;
  info.layers = c.layers;
  info.channels = c.channels;
  info.heads = c.heads;
  info.kv_heads = c.kv_heads;
  info.head_dim = c.head_dim;
  info.vocabulary = c.vocabulary;
  info.context = c.context;
  info.labels = c.outputs;
  info.tokenizer = tokenizer;
  std::copy_n(reinterpret_cast<const char*>(&info), std::min<size_t>(out.struct_size, sizeof info),
              reinterpret_cast<char*>(&out));
}

namespace {

Tensor start_value(const rgm_init& init, const Shape& shape, rgm_dtype dtype) {
  switch (init.kind) {
    case RGM_FILL: return ops::full(shape, init.a, dtype);
    case RGM_UNIFORM_IN: return ops::cast(ops::affine(ops::random(shape, RGM_UNIFORM), init.b - init.a, init.a), dtype);
    case RGM_NORMAL_OF: return ops::cast(ops::affine(ops::random(shape, RGM_NORMAL), init.b, init.a), dtype);
    case RGM_VALUE: {
      require(init.value != nullptr, "a parameter is to start from a value, but none was given");
      Tensor copy = empty(shape, dtype);
      assign(copy, readable(Tensor::share(init.value)));
      return copy;
    }
    default: invalid("a parameter is to start in the way {}, which is not known", init.kind);
  }
}

// So that a parameter starts the same whatever else is made before it.
uint64_t hash_of(std::string_view name) {
  uint64_t h = 0;
  for (const char c : name) h = mix(h, static_cast<unsigned char>(c));
  return h;
}

}  // namespace

Tensor file_parameter(rgm_scope& scope, const std::string& name, const rgm_view& like, const rgm_init& init) {
  const std::string full_name = scope.prefix + name;
  if (const auto at = invalid_utf8(full_name))
    invalid("the parameter {}…: its name is not UTF-8 from there on, and could not be saved", full_name.substr(0, *at));
  require(like.rank >= 0 && like.rank <= 8, "parameter {}: a tensor has 0 to 8 axes, {} were asked for", full_name,
          like.rank);
  for (int32_t i = 0; i < like.rank; ++i)
    require(like.shape[i] >= 0, "parameter {}: {} is not a shape", full_name, Shape(like).text());
  require(!init.trained || like.dtype == RGM_F32, "parameter {}: what is trained is float32, {} was asked for",
          full_name, name_of(like.dtype));
  const Shape shape(like);
  shape.count();  // throws where it is too large
  if (const Parameter* found = scope.parameters->find(full_name)) {
    require(found->value.shape() == shape, "parameter {} has the shape {}, {} was asked for", full_name,
            found->value.shape().text(), shape.text());
    found->value.get()->storage->filed = true;
    return found->value;
  }
  require(
      !scope.closed,
      "parameter {} is asked for too late: parameters are made in prepare, open or attach, so that they are trained "
      "and restored",
      full_name);
  const NoGradient still;
  const RandomScope random({scope.seed, hash_of(full_name), 0, 0});
  Tensor value;
  if (scope.saved)
    if (const auto saved = scope.saved->find(full_name); saved != scope.saved->end()) {
      scope.unfit = full_name;
      require(saved->second.shape() == shape, "parameter {} was saved with the shape {}, but {} is wanted", full_name,
              saved->second.shape().text(), shape.text());
      require(is_float(saved->second.dtype()) == is_float(like.dtype), "parameter {} was saved as {}, but {} is wanted",
              full_name, name_of(saved->second.dtype()), name_of(like.dtype));
      scope.unfit.clear();
      value = ops::cast(saved->second, like.dtype);
      scope.saved->erase(saved);
    }
  if (!value) value = start_value(init, shape, like.dtype);
  value.get()->storage->filed = true;
  const bool trained = init.trained && scope.trained;
  Parameter& filed = scope.parameters->add(full_name, value, trained, init.trained == 0);
  filed.scales = init.kind == RGM_FILL && init.a != 0;
  return filed.value;
}

rgm_model* role(rgm_train& train, const std::string& name) {
  if (const auto found = train.roles.find(name); found != train.roles.end()) return &found->second;
  const auto follower = train.followers.find(name);
  const bool follows = follower != train.followers.end();
  if (!train.makes_reference || (name != "reference" && !follows)) return nullptr;
  if (follows) {
    rgm_model copy = train.copy_policy(follower->second);
    copy.length = train.length;
    return &train.roles.emplace(name, copy).first->second;
  }
  // With adapters off it is the policy as it was, unless its base is trained as well.
  const bool shares = train.adapters && train.policy->parameters().trained_count() == 0;
  rgm_model reference = train.open_reference ? train.open_reference() : rgm_model{train.policy, shares, true};
  if (!train.open_reference && !shares) reference.model = train.policy->frozen_copy();
  reference.length = train.length;
  return &train.roles.emplace(name, reference).first->second;
}

std::string other_roles(const rgm_train& train, std::string_view name) {
  std::vector<std::string> all;
  for (const auto& [role, model] : train.roles) all.push_back(role);
  return fmt::format("{} (there are: {})", did_you_mean(name, all), join(all));
}

rgm_scope* scope(rgm_train& train, const std::string& role_name, const std::string& name) {
  const rgm_model* model = role(train, role_name);
  if (!model)
    invalid("a scope of the model \"{}\" was asked for, but the stage has none{}", role_name,
            other_roles(train, role_name));
  Filed* const own = model->own_filed.get();
  auto& made = train.scopes[{role_name, name}];
  if (!made)
    made = std::make_unique<rgm_scope>(rgm_scope{own ? &own->parameters : &model->model->extra(),
                                                 own ? &own->saved : &model->model->saved_extra(), name + ".",
                                                 mix(train.seed, 0x5C0E), !model->frozen, train.scopes_closed});
  return made.get();
}

// A step that is run again is told its progress as it is told its totals; no column has this name.
static constexpr const char* progress_total = ".progress";

double total(rgm_train& train, const std::string& column) {
  if (const auto found = train.totals.find(column); found != train.totals.end()) return found->second;
  if (column == progress_total) return train.totals[column] = train.progress;
  double sum = 0;
  const bool together = train.together(column);  // groups never split, so each batch counts its own
  if (train.each_batch) train.each_batch([&](const Batch& batch) { sum += total(batch, column, together); });
  if (sum == 0) sum = 1;  // so that the mean of nothing is 0, and no step is not a number for want of a token to learn
  train.totals.emplace(column, sum);
  return sum;
}

Tensor total_on_device(rgm_train& train, const std::string& column) {
  if (!train.total_places) return ops::full({}, total(train, column));
  const auto place = train.total_places->find(column);
  require(place != train.total_places->end(), "\"{}\" was not asked for in the step before", column);
  return place->second;
}

Tensor progress_on_device(rgm_train& train) { return total_on_device(train, progress_total); }

namespace {

// A number as it is now: what it is a part of, or a parameter, may be another one by the time that it is read.
Tensor kept(const Tensor& x) {
  Tensor number = ops::reshape(ops::detach(x), {});
  const Storage& storage = *number.get()->storage;
  if (!storage.filed && storage.bytes <= bytes_of(number.dtype())) return number;
  Tensor own = empty({}, number.dtype());
  assign(own, number);
  return own;
}

}  // namespace

void add_metric(rgm_train& train, const std::string& name, const Tensor& sum, const Tensor& count) {
  const NoGradient still;
  auto& metric = train.metrics[name];
  const Tensor n = count ? kept(count) : ops::full({}, 1), s = kept(sum);
  metric.sum = metric.sum ? metric.sum + s : s;
  metric.count = metric.count ? metric.count + n : n;
}

}  // namespace rgm

void rgm_train::begin_step(std::vector<rgm::Batch*> of_step) {
  begin_pass([batches = std::move(of_step)](const auto& see) {
    for (const rgm::Batch* batch : batches) see(*batch);
  });
}
void rgm_train::begin_pass(std::function<void(const std::function<void(const rgm::Batch&)>&)> walk) {
  each_batch = std::move(walk);
  totals.clear();
}

void rgm_train::close_scopes() {
  scopes_closed = true;
  for (auto& [name, scope] : scopes) scope->closed = true;
}

bool rgm_train::together(const std::string& column) const {
  return std::any_of(wishes.begin(), wishes.end(), [&](const rgm::ColumnWish& wish) {
    return wish.name == column && (wish.flags & RGM_TOGETHER) != 0;
  });
}

std::vector<nlohmann::json> rgm_train::sums_of_metrics() const {
  nlohmann::json own = nlohmann::json::object();
  for (const auto& [name, metric] : metrics) own[name] = {rgm::item(metric.sum), rgm::item(metric.count)};
  if (processes->size() == 1) return {own};
  std::vector<nlohmann::json> out;
  const std::string text = own.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (const std::string& one : processes->gather(text)) out.push_back(rgm::parse_json(one, "metrics"));
  return out;
}

std::vector<std::pair<std::string, double>> rgm_train::read_metrics() {
  std::map<std::string, std::pair<double, double>> sums;
  const auto number = [](const nlohmann::json& x) { return x.is_number() ? x.get<double>() : NAN; };
  for (const nlohmann::json& one : sums_of_metrics())
    for (const auto& [name, metric] : one.items()) {
      auto& [sum, count] = sums[name];
      sum += number(metric.at(0)), count += number(metric.at(1));
    }
  metrics.clear();
  std::vector<std::pair<std::string, double>> out;
  for (const auto& [name, metric] : sums)
    if (metric.second != 0) out.emplace_back(name, metric.first / metric.second);  // the mean of nothing is not told
  return out;
}
