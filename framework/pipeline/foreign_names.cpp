// foreign_names.cpp - the table of names that people bring along from other training tools, with what to write here.
#include "pipeline/foreign_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plugins/options.hpp"

namespace rgm {
namespace {

struct Answer {
  std::string_view where;  // what is read; empty: anywhere
  std::string_view name, answer;
};

constexpr std::string_view in_adapter = "it is an option of an adapter: adapter: {ID: {…}}";
constexpr std::string_view in_optimizer = "write optimizer: {adamw: {…}}";
constexpr std::string_view in_rates = "write optimizer: {adamw: {rates: {PATTERN: learning rate}}}";
constexpr std::string_view in_strategy_sync =
    "here it is \"sync_every\", an option of the strategy: strategy: {ID: {sync_every: steps}}";
constexpr std::string_view in_model = "write it in model: {family: …}";
constexpr std::string_view in_tokens = "write model: {from: …, add_tokens: […]}";
constexpr std::string_view in_trained = "write trainable: {names: [embedding.weight, head.weight]} beside the adapter";
constexpr std::string_view in_length = "here it is \"length\", the most tokens of a row";
constexpr std::string_view at_top = "it belongs at the top of the file, not in a stage";
constexpr std::string_view in_stage = "it is a key of a stage: stages: [{name: …, strategy: …, …}]";

constexpr Answer answers[] = {

    {"a stage", "lr", "write optimizer: {adamw: {learning_rate: …}}"},
    {"a stage", "learning_rate", "write optimizer: {adamw: {learning_rate: …}}"},
    {"a stage", "weight_decay", "write optimizer: {adamw: {weight_decay: …}}"},
    {"a stage", "optim", "write optimizer: {adamw: {…}}"},
    {"a stage", "loraplus_lr_ratio", in_rates},
    {"a stage", "embedding_lr", in_rates},
    {"a stage", "embedding_learning_rate", in_rates},
    {"a stage", "lr_groups", in_rates},
    {"a stage", "critic_learning_rate", in_rates},
    {"a stage", "beta1", in_optimizer},
    {"a stage", "beta2", in_optimizer},
    {"a stage", "adam_beta1", "write optimizer: {adamw: {beta1: …}}"},
    {"a stage", "adam_beta2", "write optimizer: {adamw: {beta2: …}}"},
    {"a stage", "adam_epsilon", "write optimizer: {adamw: {epsilon: …}}"},
    {"a stage", "num_train_epochs", "here it is \"epochs\""},
    {"a stage", "num_epochs", "here it is \"epochs\""},
    {"a stage", "max_epochs", "here it is \"epochs\""},
    {"a stage", "max_steps", "here it is \"steps\""},
    {"a stage", "max_iters", "here it is \"steps\""},
    {"a stage", "train_steps", "here it is \"steps\""},
    {"a stage", "num_steps", "here it is \"steps\""},
    {"a stage", "batch_size", "here it is \"batch\", rows a step"},
    {"a stage", "train_batch_size", "here it is \"batch\", rows a step"},
    {"a stage", "per_device_train_batch_size", "here it is \"micro_batch\", rows at once; \"batch\" is rows a step"},
    {"a stage", "micro_batch_size", "here it is \"micro_batch\", rows at once"},
    {"a stage", "gradient_accumulation_steps",
     "write micro_batch: rows at once; a step takes batch / micro_batch of them"},
    {"a stage", "grad_accum", "write micro_batch: rows at once; a step takes batch / micro_batch of them"},
    {"a stage", "warmup", "write schedule: {cosine: {warmup: steps}}"},
    {"a stage", "warmup_steps", "write schedule: {cosine: {warmup: steps}}"},
    {"a stage", "warmup_iters", "write schedule: {cosine: {warmup: steps}}"},
    {"a stage", "warmup_ratio", "write schedule: {cosine: {warmup: 3%}}"},
    {"a stage", "lr_scheduler", "write schedule: {cosine: {warmup: steps}}, linear, wsd or constant"},
    {"a stage", "lr_scheduler_type", "write schedule: {cosine: {warmup: steps}}, linear, wsd or constant"},
    {"wsd", "decay_steps", "here it is \"decay\""},
    {"wsd", "num_decay_steps", "here it is \"decay\""},
    {"a stage", "lr_decay_iters", "a schedule spans the stage: write schedule: {cosine: {final: …}}"},
    {"a stage", "min_lr", "write schedule: {cosine: {final: …}}"},
    {"a stage", "max_grad_norm", "here it is \"clip\""},
    {"a stage", "grad_clip", "here it is \"clip\""},
    {"a stage", "gradient_clip_val", "here it is \"clip\""},
    {"a stage", "eval_steps", "write evaluate: {every: steps}"},
    {"a stage", "eval_interval", "write evaluate: {every: steps}"},
    {"a stage", "save_steps", "write checkpoint: {every: steps}"},
    {"a stage", "save_interval", "write checkpoint: {every: steps}"},
    {"a stage", "load_best_model_at_end", "write keep: best"},
    {"a stage", "metric_for_best_model", "write keep: {best: NAME}"},
    {"a stage", "greater_is_better", "write keep: {best: {NAME: highest}}, or lowest"},
    {"a stage", "early_stopping_patience", "write evaluate: {every: steps, patience: evaluations}"},
    {"a stage", "early_stopping", "write evaluate: {every: steps, patience: evaluations}"},
    {"a stage", "patience", "write evaluate: {every: steps, patience: evaluations}"},
    {"evaluate", "early_stopping_patience", "here it is \"patience\""},
    {"evaluate", "early_stopping", "here it is \"patience\""},
    {"evaluate", "steps", "here it is \"every\""},
    {"a stage", "logging_steps", "write log: {every: steps}"},
    {"a stage", "log_interval", "write log: {every: steps}"},
    {"a stage", "output_dir", "results go where `regimen run FILE --out DIR` says"},
    {"a stage", "out_dir", "results go where `regimen run FILE --out DIR` says"},
    {"a stage", "model_name_or_path", "write model: {from: DIR}"},
    {"a stage", "pretrained_model_name_or_path", "write model: {from: DIR}"},
    {"a stage", "base_model", "write model: {from: DIR}"},
    {"a stage", "init_from", "write model: {from: STAGE or DIR}"},
    {"a stage", "dataset", "write data: {train: {text: FILE}}"},
    {"a stage", "datasets", "write data: {train: {text: FILE}}"},
    {"a stage", "train_file", "write data: {train: {text: FILE}}"},
    {"a stage", "max_samples", "write data: {train: {text: FILE, rows: …}}"},
    {"a stage", "max_train_samples", "write data: {train: {text: FILE, rows: …}}"},
    {"a stage", "max_eval_samples", "write data: {validation: {text: FILE, rows: …}}"},
    {"a stage", "mix_strategy", "write data: {train: [{text: FILE, share: …}, {jsonl: FILE, share: …}]}"},
    {"a stage", "interleave_probs", "write data: {train: [{text: FILE, share: …}, {jsonl: FILE, share: …}]}"},
    {"a stage", "validation_file", "write data: {validation: {text: FILE}}"},
    {"a stage", "ref_model", "here it is \"reference\": {from: STAGE or DIR}"},
    {"a stage", "sync_ref_model", in_strategy_sync},
    {"a stage", "ref_model_sync_steps", in_strategy_sync},
    {"a stage", "ref_model_mixup_alpha",
     "here it is \"sync_rate\", an option of the strategy: strategy: {ID: {sync_every: steps, sync_rate: …}}"},
    {"a stage", "reward_model", "write reward: {from: STAGE or DIR}"},
    {"a stage", "peft", in_adapter},
    {"a stage", "peft_config", in_adapter},
    {"a stage", "lora_r", "here it is \"rank\", an option of the adapter: adapter: {ID: {rank: …}}"},
    {"a stage", "lora_rank", "here it is \"rank\", an option of the adapter: adapter: {ID: {rank: …}}"},
    {"a stage", "lora_alpha", "here it is \"alpha\", an option of the adapter: adapter: {ID: {alpha: …}}"},
    {"a stage", "lora_dropout", "here it is \"dropout\", an option of the adapter: adapter: {ID: {dropout: …}}"},
    {"a stage", "target_modules", "here it is \"sites\", an option of the adapter: adapter: {ID: {sites: […]}}"},
    {"a stage", "lora_target", "here it is \"sites\", an option of the adapter: adapter: {ID: {sites: […]}}"},
    {"a stage", "add_tokens", in_tokens},
    {"a stage", "special_tokens", in_tokens},
    {"a stage", "add_special_tokens", in_tokens},
    {"a stage", "additional_special_tokens", in_tokens},
    {"a stage", "resize_vocab", in_tokens},
    {"a stage", "modules_to_save", in_trained},
    {"a stage", "lora_modules_to_save", in_trained},
    {"a stage", "additional_target", in_trained},
    {"a stage", "trainable_token_indices", in_trained},
    {"a stage", "bf16", "here it is \"precision\""},
    {"a stage", "fp16", "here it is \"precision\""},
    {"a stage", "dtype", "here it is \"precision\", or \"weights\" for how frozen weights are kept"},
    {"a stage", "load_in_8bit", "here it is \"weights\", how frozen weights are kept"},
    {"a stage", "load_in_4bit", "here it is \"weights\", how frozen weights are kept"},
    {"a stage", "gradient_checkpointing", "here it is \"recompute\""},
    {"a stage", "block_size", in_length},
    {"a stage", "max_length", in_length},
    {"a stage", "max_seq_length", in_length},
    {"a stage", "max_seq_len", in_length},
    {"a stage", "model_max_length", in_length},
    {"a stage", "sequence_len", in_length},
    {"a stage", "sequence_length", in_length},
    {"a stage", "cutoff_len", in_length},
    {"a stage", "context", "write it in model: {family: …}; \"length\" makes the rows of a stage shorter"},
    {"a stage", "n_layer", "here it is \"layers\", in model: {family: …, layers: …}"},
    {"a stage", "n_head", "here it is \"heads\", in model: {family: …, heads: …}"},
    {"a stage", "n_embd", "here it is \"channels\", in model: {family: …, channels: …}"},
    {"a stage", "layers", in_model},
    {"a stage", "heads", in_model},
    {"a stage", "channels", in_model},
    {"a stage", "family", in_model},
    {"a stage", "dropout", in_model},
    {"a stage", "seed", at_top},
    {"a stage", "backend", at_top},
    {"a stage", "plugins", at_top},
    {"a stage", "device", "the backend belongs at the top of the file: backend: ID"},
    {"a stage", "type", "here it is \"strategy\""},
    {"a stage", "method", "here it is \"strategy\""},
    {"a stage", "algorithm", "here it is \"strategy\""},

    {"a pipeline", "version", "here it is \"regimen\""},
    {"a pipeline", "device", "here it is \"backend\""},
    {"a pipeline", "pipeline", "here it is \"stages\""},
    {"a pipeline", "strategy", in_stage},
    {"a pipeline", "model", in_stage},
    {"a pipeline", "tokenizer", in_stage},
    {"a pipeline", "data", in_stage},
    {"a pipeline", "adapter", in_stage},
    {"a pipeline", "reward", in_stage},
    {"a pipeline", "optimizer", in_stage},
    {"a pipeline", "schedule", in_stage},
    {"a pipeline", "steps", in_stage},
    {"a pipeline", "epochs", in_stage},
    {"a pipeline", "batch", in_stage},
    {"a pipeline", "output_dir", "results go where `regimen run FILE --out DIR` says"},

    {"a model", "vocab_size",
     "the tokenizer sets it, as in tokenizer: {bpe: {vocabulary: …}}; for more rows give \"vocabulary\""},
    {"a model", "tokenizer", "it is a key of the stage, beside \"model\""},
    {"a model", "special_tokens", "here it is \"add_tokens\""},
    {"a model", "additional_special_tokens", "here it is \"add_tokens\""},
    {"a model", "add_special_tokens", "here it is \"add_tokens\""},
    {"a model", "new_tokens", "here it is \"add_tokens\""},
    {"a model", "type", "here it is \"family\""},
    {"a model", "model_type", "here it is \"family\""},
    {"a model", "num_key_value_heads", "here it is \"kv_heads\""},
    {"a model", "n_kv_head", "here it is \"kv_heads\""},
    {"a model", "intermediate_size", "here it is \"hidden\""},
    {"a model", "n_inner", "here it is \"hidden\""},
    {"a model", "d_model", "here it is \"channels\""},
    {"a model", "max_length", "here it is \"context\""},

    {"data", "valid", "here it is \"validation\""},
    {"data", "val", "here it is \"validation\""},
    {"data", "dev", "here it is \"validation\""},
    {"data", "eval", "here it is \"validation\""},
    {"data", "test", "here it is \"validation\""},
    {"data", "training", "here it is \"train\""},

    {"a source of data", "file", "name the format: {text: FILE}, jsonl, json, csv or tsv"},
    {"a source of data", "path", "name the format: {text: FILE}, jsonl, json, csv or tsv"},
    {"a source of data", "txt", "here it is \"text\""},
    {"a source of data", "stage", "here it is \"from\""},
    {"a source of data", "max_samples", "here it is \"rows\", at most the first so many"},
    {"a source of data", "weight", "here it is \"share\", of each step"},
    {"a source of data", "probability", "here it is \"share\", of each step"},

    {"sample", "max_tokens", "here it is \"tokens\""},
    {"sample", "max_new_tokens", "here it is \"tokens\""},
};

}  // namespace

std::string answer_to_foreign_name(std::string_view where, std::string_view name, std::span<const std::string> known) {
  for (const Answer& a : answers)
    if (a.name == name && (a.where.empty() || a.where == where)) return std::string(a.answer);
  const std::string here(name_here(name));
  return std::count(known.begin(), known.end(), here) ? fmt::format("here it is \"{}\"", here) : "";
}

}  // namespace rgm
