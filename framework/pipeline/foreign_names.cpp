// foreign_names.cpp - the table of names that people bring along from other training tools, with what to write here.
#include "pipeline/foreign_names.hpp"

#include <fmt/format.h>

#include "plugins/options.hpp"

namespace rgm {
namespace {

struct Answer {
  std::string_view where;  // what is read
  std::string_view names;  // with spaces between them
  std::string_view answer;
};

constexpr Answer answers[] = {
    {"a stage", "lr learning_rate", "write optimizer: {adamw: {learning_rate: …}}"},
    {"a stage", "weight_decay", "write optimizer: {adamw: {weight_decay: …}}"},
    {"a stage", "loraplus_lr_ratio embedding_lr embedding_learning_rate lr_groups critic_learning_rate",
     "write optimizer: {adamw: {rates: {PATTERN: learning rate}}}"},
    {"a stage", "optim optim_args beta1 beta2", "write optimizer: {adamw: {…}}"},
    {"a stage", "adam_beta1", "write optimizer: {adamw: {beta1: …}}"},
    {"a stage", "adam_beta2", "write optimizer: {adamw: {beta2: …}}"},
    {"a stage", "adam_epsilon", "write optimizer: {adamw: {epsilon: …}}"},
    {"a stage", "num_train_epochs num_epochs max_epochs epoch", "here it is \"epochs\""},
    {"a stage", "max_steps max_iters train_steps num_steps", "here it is \"steps\""},
    {"a stage", "batch_size train_batch_size", "here it is \"batch\", rows a step"},
    {"a stage", "per_device_train_batch_size", "here it is \"micro_batch\", rows at once; \"batch\" is rows a step"},
    {"a stage", "auto_find_batch_size", "write micro_batch: auto, which leaves \"batch\" as it is"},
    {"a stage", "micro_batch_size", "here it is \"micro_batch\", rows at once"},
    {"a stage", "gradient_accumulation_steps gradient_accumulation grad_accum",
     "write micro_batch: rows at once; a step takes batch / micro_batch of them"},
    {"a stage", "warmup num_warmup_steps warmup_steps warmup_iters", "write schedule: {cosine: {warmup: steps}}"},
    {"a stage", "warmup_ratio", "write schedule: {cosine: {warmup: 3%}}"},
    {"a stage", "lr_scheduler lr_scheduler_type", "write schedule: {cosine: {warmup: steps}}, linear, wsd or constant"},
    {"a stage", "lr_decay_iters", "a schedule spans the stage: write schedule: {cosine: {final: …}}"},
    {"a stage", "min_lr lr_scheduler_kwargs", "write schedule: {cosine: {final: …}}"},
    {"a stage", "cosine_min_lr_ratio", "write schedule: {cosine: {final: …}}, a learning rate and no ratio"},
    {"a stage", "max_grad_norm grad_clip gradient_clip_val gradient_clipping", "here it is \"clip\""},
    {"a stage", "eval_steps eval_interval eval_strategy evaluation_strategy evals_per_epoch",
     "write evaluate: {every: steps}, or {epochs: N}"},
    {"a stage", "per_device_eval_batch_size eval_batch_size",
     "evaluations read \"micro_batch\" rows at once, as training does"},
    {"a stage", "save_steps save_interval save_strategy", "write checkpoint: {every: steps}"},
    {"a stage", "save_total_limit", "the two newest checkpoints are kept, and none after the stage: leave it out"},
    {"a stage", "resume_from_checkpoint", "the same `regimen run` resumes: leave it out"},
    {"a stage", "overwrite_output_dir", "write `regimen run FILE --force`"},
    {"a stage", "load_best_model_at_end", "write keep: best"},
    {"a stage", "metric_for_best_model", "write keep: {best: NAME}"},
    {"a stage", "greater_is_better", "write keep: {best: {NAME: highest}}, or lowest"},
    {"a stage", "early_stopping_patience early_stopping patience",
     "write evaluate: {every: steps, patience: evaluations}"},
    {"a stage", "early_stopping_threshold", "any improvement counts: leave it out"},
    {"a stage", "logging_steps log_interval log_every_n_steps", "write log: {every: steps}"},
    {"a stage", "report_to wandb_project use_wandb log_with",
     "metrics.jsonl, TensorBoard's events and report.html are always written: leave it out"},
    {"a stage", "run_name", "the run's \"name\" is at the top of the file"},
    {"a stage", "push_to_hub hub_model_id", "nothing is uploaded: leave it out"},
    {"a stage", "output_dir out_dir", "results go where `regimen run FILE --out DIR` says"},
    {"a stage", "model_name_or_path pretrained_model_name_or_path base_model model_id model_name",
     "write model: {from: DIR}"},
    {"a stage", "model_type", "here it is \"family\", in model: {family: …}"},
    {"a stage", "trust_remote_code", "no code is taken from a model's folder: leave it out"},
    {"a stage", "num_labels id2label", "write model: {from: …, head: {classify: {labels: […]}}}"},
    {"a stage", "init_from", "write model: {from: STAGE or DIR}"},
    {"a stage", "dataset datasets train_file train_dataset load_dataset",
     "write data: {train: {FORMAT: FILE}}, as in {parquet: FILE}"},
    {"a stage", "eval_dataset validation_file", "write data: {validation: {FORMAT: FILE}}, as in {parquet: FILE}"},
    {"a stage", "val_size val_set_size test_size", "write data: {validation: {split: 0.1}}, or a file"},
    {"a stage", "dataset_text_field text_column",
     "write columns: {text: FIELD} in the source: data: {train: {jsonl: FILE, columns: {…}}}"},
    {"a stage", "chat_template template",
     "write it in the source: columns: {text: {messages: messages, template: chatml}}"},
    {"a stage", "assistant_only_loss completion_only_loss train_on_inputs train_on_input train_on_prompt mask_prompt",
     "prompts are only read: write columns: {text: {prompt: FIELD, answer: FIELD}}; of conversations, roles: "
     "[assistant] says what is learned"},
    {"a stage", "packing packed eval_packing sample_packing eval_sample_packing pad_to_sequence_len group_by_length",
     "examples always share rows: leave it out"},
    {"a stage", "dataloader_num_workers", "data is mapped into memory and needs no workers: leave it out"},
    {"a stage", "max_samples max_train_samples", "write data: {train: {text: FILE, rows: …}}"},
    {"a stage", "max_eval_samples", "write data: {validation: {text: FILE, rows: …}}"},
    {"a stage", "mix_strategy interleave_probs",
     "write data: {train: [{text: FILE, share: …}, {jsonl: FILE, share: …}]}"},
    {"a stage", "ref_model ref_model_name_or_path", "here it is \"reference\": {from: STAGE or DIR}"},
    {"a stage", "precompute_ref_log_probs", "a reference that stays as it was is run once per example: leave it out"},
    {"a stage", "teacher_model teacher_model_name_or_path", "here it is \"teacher\": {from: STAGE or DIR}"},
    {"a stage", "sync_ref_model ref_model_sync_steps",
     "here it is \"sync_every\", an option of the strategy: strategy: {ID: {sync_every: steps}}"},
    {"a stage", "ref_model_mixup_alpha",
     "here it is \"sync_rate\", an option of the strategy: strategy: {ID: {sync_every: steps, sync_rate: …}}"},
    {"a stage", "reward_model reward_model_path", "write reward: {from: STAGE or DIR}"},
    {"a stage", "reward_funcs", "write reward: ID, or a list"},
    {"a stage", "reward_weights", "write reward: [{ID: {}, weight: …}]"},
    {"a stage", "use_vllm", "the model answers in the run itself: leave it out"},
    {"a stage", "peft peft_config use_peft finetuning_type", "it is an option of an adapter: adapter: {ID: {…}}"},
    {"a stage", "adapter_name_or_path lora_model_dir", "write adapter: {ID: {}, from: STAGE or DIR}"},
    {"a stage", "lora_r lora_rank", "here it is \"rank\", an option of the adapter: adapter: {ID: {rank: …}}"},
    {"a stage", "lora_alpha", "here it is \"alpha\", an option of the adapter: adapter: {ID: {alpha: …}}"},
    {"a stage", "lora_dropout", "here it is \"dropout\", an option of the adapter: adapter: {ID: {dropout: …}}"},
    {"a stage", "target_modules lora_target_modules lora_target",
     "here it is \"sites\", an option of the adapter: adapter: {ID: {sites: […]}}"},
    {"a stage", "lora_target_linear", "write sites: \"layers.*\", an option of the adapter: adapter: {ID: {sites: …}}"},
    {"a stage",
     "add_tokens special_tokens add_special_tokens additional_special_tokens resize_vocab resize_token_embeddings "
     "new_tokens",
     "write model: {from: …, add_tokens: […]}"},
    {"a stage", "modules_to_save lora_modules_to_save additional_target trainable_token_indices",
     "write trainable: {names: [embedding.weight, head.weight]} beside the adapter"},
    {"a stage", "freeze freeze_trainable_layers unfrozen_parameters",
     "write trainable: {last: layers}, or {names: [patterns]}"},
    {"a stage", "bf16 fp16 mixed_precision bnb_4bit_compute_dtype", "here it is \"precision\": bfloat16 or float32"},
    {"a stage", "dtype torch_dtype", "here it is \"precision\", or \"weights\" for how frozen weights are kept"},
    {"a stage", "qlora load_in_4bit bnb_4bit_quant_type bnb_config quantization_config quantization_bit",
     "write weights: nf4, for frozen weights in four bits"},
    {"a stage", "bnb_4bit_use_double_quant", "scales stay in float32: leave it out"},
    {"a stage", "load_in_8bit", "eight bits are not to be had: write weights: bfloat16, or nf4 for four bits"},
    {"a stage",
     "gradient_checkpointing use_gradient_checkpointing gradient_checkpointing_kwargs activation_checkpointing "
     "enable_activation_checkpointing",
     "here it is \"recompute\""},
    {"a stage", "use_muon muon muon_lr", "write optimizer: {muon: {…}}"},
    {"a stage", "optimizer_state_in_8bit", "write optimizer: {adamw: {moments: bfloat16}}"},
    {"a stage", "torch_compile compile use_liger_kernel attn_implementation flash_attn flash_attention",
     "how products are computed is up to the backend: leave it out"},
    {"a stage", "deepspeed fsdp fsdp_config",
     "each process has a whole model and optimizer, and nothing is split among them: leave it out, and write "
     "processes: "
     "2 at the top of the file to share the rows of each step"},
    {"a stage", "ddp ddp_backend nproc_per_node num_processes world_size local_rank torchrun",
     "write processes: 2 at the top of the file, which share the rows of each step"},
    {"a stage", "ema ema_decay use_ema swa swa_lrs stochastic_weight_avg average_weights polyak_averaging",
     "write keep: {average: 0.999}, the decay of the mean of the weights that is kept"},
    {"keep", "ema ema_decay decay swa", "here it is \"average\", the decay of the mean of the weights that is kept"},
    {"a stage", "neftune_noise_alpha",
     "no noise is added to embeddings; an adapter's and a model's \"dropout\" are there"},
    {"a stage", "temperature top_k top_p min_p repetition_penalty max_new_tokens generation_config generation_kwargs",
     "write it in sample: {prompt: TEXT, …}; for answers that are learned from, it is an option of the strategy"},
    {"a stage",
     "block_size max_length max_seq_length max_seq_len max_prompt_length model_max_length sequence_len sequence_length "
     "cutoff_len",
     "here it is \"length\", the most tokens of a row"},
    {"a stage", "context", "write it in model: {family: …}; \"length\" makes the rows of a stage shorter"},
    {"a stage", "n_layer", "here it is \"layers\", in model: {family: …, layers: …}"},
    {"a stage", "n_head", "here it is \"heads\", in model: {family: …, heads: …}"},
    {"a stage", "n_embd", "here it is \"channels\", in model: {family: …, channels: …}"},
    {"a stage", "layers heads channels family dropout", "write it in model: {family: …}"},
    {"a stage", "seed backend plugins processes collective", "it belongs at the top of the file, not in a stage"},
    {"a stage", "data_seed", "all random numbers come from the \"seed\" at the top of the file"},
    {"a stage", "device", "the backend belongs at the top of the file: backend: ID"},
    {"a stage", "type method algorithm rl stage", "here it is \"strategy\""},

    {"muon", "ns_steps newton_schulz_steps", "here it is \"steps\""},
    {"muon", "adjust_lr_fn", "here it is \"scale\""},
    {"muon", "nesterov_momentum", "here it is \"nesterov\""},
    {"muon", "moments", "Muon's momentum is float32; of AdamW beside it, write adamw: {moments: bfloat16}"},
    {"muon", "ns_coefficients", "the iteration has those of the publication: leave it out"},
    {"muon", "muon_lr", "here it is \"learning_rate\""},
    {"muon",
     "beta1 beta2 betas adam_beta1 adam_beta2 adam_betas adamw_betas epsilon eps adam_epsilon adam_eps adamw_eps",
     "it is of AdamW, which updates what Muon does not: write adamw: {…}"},
    {"muon", "adamw_lr adam_lr", "write adamw: {learning_rate: …}"},
    {"muon", "adamw_weight_decay adamw_wd", "write adamw: {weight_decay: …}"},

    {"evaluate", "early_stopping_threshold", "any improvement counts: leave it out"},
    {"evaluate", "early_stopping_patience early_stopping", "here it is \"patience\""},
    {"evaluate", "steps", "here it is \"every\""},

    {"wsd", "decay_steps num_decay_steps", "here it is \"decay\""},

    {"a pipeline",
     "nproc_per_node nproc num_processes world_size ddp torchrun distributed distributed_type num_gpus gpus devices "
     "n_gpu data_parallel_size dp_size",
     "here it is \"processes\", which share the rows of each step: processes: 2"},
    {"a pipeline", "nnodes num_nodes num_machines machine_rank node_rank master_addr master_port rank local_rank",
     "of several machines a launcher starts the processes: see docs/processes.md"},
    {"a pipeline", "ddp_backend process_group", "here it is \"collective\""},
    {"a pipeline", "fsdp fsdp_config deepspeed",
     "each process has a whole model and optimizer here, and nothing is split among them: processes: 2"},
    {"a pipeline", "version", "here it is \"regimen\""},
    {"a pipeline", "device", "here it is \"backend\""},
    {"a pipeline", "pipeline", "here it is \"stages\""},
    {"a pipeline", "strategy model tokenizer data adapter reward optimizer schedule steps epochs batch",
     "it is a key of a stage: stages: [{name: …, strategy: …, …}]"},
    {"a pipeline", "output_dir", "results go where `regimen run FILE --out DIR` says"},

    {"a model", "vocab_size",
     "the tokenizer sets it, as in tokenizer: {bpe: {vocabulary: …}}; for more rows give \"vocabulary\""},
    {"a model", "tokenizer", "it is a key of the stage, beside \"model\""},
    {"a model", "special_tokens additional_special_tokens add_special_tokens new_tokens resize_token_embeddings",
     "here it is \"add_tokens\""},
    {"a model", "model_name_or_path path", "here it is \"from\""},
    {"a model", "load_in_4bit quantization_config", "it is a key of the stage: weights: nf4"},
    {"a model", "torch_dtype dtype", "it is a key of the stage: \"weights\", or \"precision\""},
    {"a model", "num_labels", "write head: {classify: {labels: […]}}"},
    {"a model", "type model_type", "here it is \"family\""},
    {"a model", "num_key_value_heads n_kv_head", "here it is \"kv_heads\""},
    {"a model", "intermediate_size n_inner", "here it is \"hidden\""},
    {"a model", "num_experts num_local_experts n_routed_experts", "here it is \"experts\""},
    {"a model", "num_experts_per_tok moe_top_k", "here it is \"experts_per_token\""},
    {"a model", "moe_intermediate_size", "here it is \"expert_hidden\""},
    {"a model", "shared_expert_intermediate_size", "here it is \"shared_hidden\""},
    {"a model", "router_aux_loss_coef aux_loss_alpha load_balancing_loss_weight", "here it is \"balance\""},
    {"a model", "d_model", "here it is \"channels\""},
    {"a model", "max_length", "here it is \"context\""},

    {"data", "valid val dev eval test", "here it is \"validation\""},
    {"data", "training", "here it is \"train\""},

    {"a source of data", "file path", "name the format: {text: FILE}, jsonl, json, csv, tsv or parquet"},
    {"a source of data", "txt", "here it is \"text\""},
    {"a source of data", "stage", "here it is \"from\""},
    {"a source of data", "max_samples", "here it is \"rows\", at most the first so many"},
    {"a source of data", "weight probability", "here it is \"share\", of each step"},
    {"a source of data", "dataset_text_field", "write columns: {text: FIELD}"},
    {"a source of data", "chat_template", "write columns: {text: {messages: messages, template: chatml}}"},

    {"sample", "max_tokens max_new_tokens", "here it is \"tokens\""},
    {"sample", "do_sample", "write temperature: 0 for the likeliest tokens"},
    {"sample", "num_return_sequences", "here it is \"count\""},
};

bool has_word(std::string_view words, std::string_view word) {
  return !word.empty() && fmt::format(" {} ", words).find(fmt::format(" {} ", word)) != std::string::npos;
}

}  // namespace

std::string answer_to_foreign_name(std::string_view where, std::string_view name, std::span<const std::string> known) {
  for (const Answer& a : answers)
    if (a.where == where && has_word(a.names, name)) return std::string(a.answer);
  if (where == "a stage") return "";  // whose keys are no options: their `clip` is another one
  const std::string_view here = name_here(name, known);
  return here.empty() ? "" : fmt::format("here it is \"{}\"", here);
}

}  // namespace rgm
