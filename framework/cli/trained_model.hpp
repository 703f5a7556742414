// trained_model.hpp - a model from its folder with its adapters, opened on a device and frozen: what the commands that
// use a model begin with.
#pragma once
#include <boost/program_options.hpp>

#include "data/row.hpp"
#include "host/row_adapters.hpp"
#include "model/model.hpp"
#include "pipeline/device.hpp"
#include "plugins/registry.hpp"
#include "text/chat.hpp"

namespace rgm::cli {

// What a command asks of its model. For text alone, weights are laid out for decoding, and those that are saved in
// bfloat16 stay in it where the backend has such a layout: their values are the same.
// So they do for copying, where no adapter is to change them.
enum class Use { anything, text, copying };

// Options of those commands.
struct Types {
  std::string weights = "float32";    // or bfloat16: how its matrices are kept
  std::string precision = "float32";  // or bfloat16: what it computes in
};
void add_types(boost::program_options::options_description& options, Types& types);

class TrainedModel {
 public:
  // Stages' folders or the model/ and adapter/ in them; an empty backend: the best that is usable. Adapters that are
  // written NAME=DIR serve the rows that name them; others, together, every row.
  TrainedModel(const std::string& model, const std::vector<std::string>& adapters, const std::string& backend,
               const Types& types = {}, Use use = Use::anything);
  Adapters* adapters() { return adapters_.get(); }           // of every row; NULL: it has none
  const RowAdapters* by_row() const { return rows_.get(); }  // NULL: rows name none
  const fs::path& folder() const { return folder_; }         // of the model itself
  const Model& operator*() const { return *model_; }
  const Model* operator->() const { return model_.get(); }

 private:
  Registry registry_;
  DeviceScope scope_;
  fs::path folder_;
  std::shared_ptr<Model> model_;
  std::unique_ptr<Adapters> adapters_;
  std::unique_ptr<RowAdapters> rows_;
};

// How the model is spoken to: by the template of this name or file.jinja, or, where none is given, the tokenizer's own.
// RGM_INVALID, naming the option --template, where there is none.
ChatTemplate chat_template_for(const std::string& given, const std::string& model, const Tokenizer& tokenizer);

// The name in a row's column "adapter"; empty where there is none.
std::string adapter_of(const Row& row, const std::string& where);

// What a model writes, on standard output at once; a failure names the command.
void show(std::string_view command, const std::string& text);

}  // namespace rgm::cli
