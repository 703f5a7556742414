// trained_model.cpp - opens a model and its adapters: those of every row, or those that rows name.
#include "cli/trained_model.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "artefact/safetensors.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "host/adapter_instance.hpp"
#include "host/host.hpp"
#include "pipeline/open_adapter.hpp"
#include "pipeline/open_model.hpp"

namespace rgm::cli {
namespace {

struct Named {
  std::string name, folder;
};

// "reviews=runs/p/reviews"; what is a folder as it stands, or has a slash before the sign, has no name.
Named named(const std::string& given) {
  const size_t at = given.find('=');
  if (at == given.npos || at == 0 || given.find('/') < at || fs::exists(given)) return {"", given};
  return {given.substr(0, at), given.substr(at + 1)};
}

void check(const char* option, const std::string& type, const std::vector<std::string>& types) {
  require(std::ranges::find(types, type) != types.end(), "{} is {}, expected one of {}", option, type, join(types));
}

bool has_head(const fs::path& adapter) { return saved_head(SafeTensors(adapter / adapter_tensors_file)) != nullptr; }

}  // namespace

void add_types(boost::program_options::options_description& options, Types& types) {
  const auto type = [](std::string& to) {
    return boost::program_options::value(&to)->default_value("float32")->value_name("TYPE");
  };
  options.add_options()("weights", type(types.weights),
                        "bfloat16: takes half the memory, and loads faster; nf4: four bits a weight")(
      "precision", type(types.precision), "bfloat16: computes in it, if the backend can");
}

TrainedModel::TrainedModel(const std::string& folder, const std::vector<std::string>& adapters,
                           const std::string& backend, const Types& types, Use use)
    : registry_(host_table()) {
  check("--weights", types.weights, weight_types);
  check("--precision", types.precision, {"float32", "bfloat16"});
  const bool half = types.precision == "bfloat16";
  ModelPlace place = model_place(folder);
  folder_ = place.model;
  std::vector<Named> of_rows;
  for (const std::string& given : adapters) {
    if (Named one = named(given); !one.name.empty())
      of_rows.push_back(std::move(one));
    else
      for (fs::path& found : adapter_folders(given)) place.adapters.push_back(std::move(found));
  }
  require(of_rows.empty() || place.adapters.empty(),
          "an adapter for every row ({}) and one for rows that name it (\"{}\") cannot be combined: give each a name, "
          "or use a model without adapters of its own",
          place.adapters.empty() ? "" : place.adapters[0].string(), of_rows.empty() ? "" : of_rows[0].name);
  std::optional<Choice> choice;
  if (!backend.empty()) choice = choose_backend(backend, registry_);
  open_device(choice, registry_);
  if (half) require_bfloat16("--precision bfloat16", "leave it out");
  const rgm_kernels& kernels = current_device().kernels();
  const bool packs = use == Use::text && RGM_HAS(&kernels, pack);
  const bool stays = packs || (use == Use::copying && place.adapters.empty());
  model_ = Model::open(place.model, types.weights != "float32" ? narrow_weights(types.weights)
                                    : stays                    ? NarrowWeights::as_saved()
                                                               : NarrowWeights());
  if (!place.adapters.empty()) adapters_ = std::make_unique<Adapters>(model_, 0);
  for (const fs::path& adapter : place.adapters) take_saved_head(adapter, *model_), take_saved_chat(adapter, *model_);
  freeze(*model_);
  if (half) model_->use_bfloat16();
  for (const fs::path& adapter : place.adapters) add_saved_adapter(*adapters_, adapter, *model_, registry_);
  if (!of_rows.empty()) rows_ = std::make_unique<RowAdapters>(model_);
  for (const Named& one : of_rows) {
    auto set = std::make_unique<Adapters>(model_, 0);
    for (const fs::path& adapter : adapter_folders(one.folder)) {
      require(!has_head(adapter),
              "{}: comes with a classifier's head, but rows of one batch share the model's head: evaluate it alone, "
              "with --adapter {}",
              adapter.string(), one.folder);
      add_saved_adapter(*set, adapter, *model_, registry_);
    }
    rows_->add(one.name, std::move(set));
  }
  if (packs) model_->pack();
}

ChatTemplate chat_template_for(const std::string& given, const std::string& model, const Tokenizer& tokenizer) {
  if (given.ends_with(".jinja")) return {read_file(given), given, tokenizer};
  if (!given.empty()) return {named_chat_template(given), "chat template " + given, tokenizer};
  if (auto own = chat_template_of(tokenizer)) return *own;
  invalid(
      "{}: the tokenizer has no chat template: give the one that the model was trained with, as in --template chatml; "
      "there are {}, or a file.jinja",
      model, join(chat_template_names()));
}

std::string adapter_of(const Row& row, const std::string& where) {
  const auto found = row.find("adapter");
  if (found == row.end() || found->is_null()) return "";
  require(found->is_string(), "{}: \"adapter\" is {}, expected a name", where, found->dump());
  return found->get<std::string>();
}

void show(std::string_view command, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    failure("{}: the text could not be written: {}", command, std::strerror(errno));
}

}  // namespace rgm::cli
