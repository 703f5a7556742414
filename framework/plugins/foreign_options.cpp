// foreign_options.cpp - names of options and sizes in other training tools, with what they are called here.
#include <algorithm>

#include "plugins/options.hpp"

namespace rgm {
namespace {

// One name can stand for several of ours: what counts is which of them the component or map has.
constexpr std::pair<std::string_view, std::string_view> elsewhere[] = {
    {"lora_r", "rank"},
    {"r", "rank"},
    {"lora_rank", "rank"},
    {"lora_alpha", "alpha"},
    {"lora_dropout", "dropout"},
    {"use_rslora", "rslora"},
    {"peft_use_rslora", "rslora"},
    {"use_dora", "dora"},
    {"peft_use_dora", "dora"},
    {"init_lora_weights", "init"},
    {"target_modules", "sites"},
    {"lora_target", "sites"},
    {"lora_target_modules", "sites"},
    {"num_virtual_tokens", "length"},
    {"prompt_tuning_init", "init"},
    {"prompt_tuning_init_text", "text"},
    {"prefix_projection", "projection"},
    {"encoder_hidden_size", "hidden"},
    {"bottleneck_size", "size"},
    {"non_linearity", "activation"},

    {"lr", "learning_rate"},
    {"adam_beta1", "beta1"},
    {"adam_beta2", "beta2"},
    {"adam_epsilon", "epsilon"},
    {"eps", "epsilon"},
    {"warmup_steps", "warmup"},
    {"num_warmup_steps", "warmup"},
    {"warmup_iters", "warmup"},
    {"warmup_ratio", "warmup"},
    {"min_lr", "final"},
    {"eval_steps", "every"},
    {"save_steps", "every"},
    {"logging_steps", "every"},

    {"vocab_size", "vocabulary"},
    {"n_layer", "layers"},
    {"num_hidden_layers", "layers"},
    {"n_head", "heads"},
    {"num_attention_heads", "heads"},
    {"n_embd", "channels"},
    {"hidden_size", "channels"},
    {"block_size", "context"},
    {"max_position_embeddings", "context"},
    {"n_positions", "context"},
    {"tie_word_embeddings", "tied"},

    {"max_new_tokens", "max_tokens"},
    {"max_completion_length", "max_tokens"},
    {"response_length", "max_tokens"},
    {"repeat_penalty", "repetition_penalty"},
    {"stop_strings", "stop"},
    {"stop_sequences", "stop"},
    {"num_generations", "answers"},
    {"num_return_sequences", "answers"},
    {"rloo_k", "answers"},
    {"num_return_sequences", "n"},
    {"n_samples", "n"},

    {"sync_ref_model", "sync_every"},
    {"ref_model_sync_steps", "sync_every"},
    {"ref_model_mixup_alpha", "sync_rate"},
    {"loss_type", "loss"},
    {"loss_type", "average"},
    {"pref_loss", "loss"},
    {"pref_beta", "beta"},
    {"rl_beta", "beta"},
    {"beta", "js_weight"},
    {"lmbda", "on_policy"},
    {"pref_ftx", "sft"},
    {"rpo_alpha", "sft"},
    {"cpo_alpha", "sft"},
    {"simpo_gamma", "gamma"},
    {"label_smoothing_factor", "label_smoothing"},
    {"dpo_label_smoothing", "label_smoothing"},
    {"desirable_weight", "weight_desirable"},
    {"undesirable_weight", "weight_undesirable"},
    {"kto_desirable_weight", "weight_desirable"},
    {"kto_undesirable_weight", "weight_undesirable"},
    {"center_rewards_coefficient", "center"},

    {"kl_coef", "kl"},
    {"kl_coef", "beta"},
    {"init_kl_coef", "kl"},
    {"epsilon", "clip"},
    {"cliprange", "clip"},
    {"epsilon_high", "clip_high"},
    {"cliprange_value", "value_clip"},
    {"vf_coef", "value_weight"},
    {"lam", "lambda"},
    {"num_iterations", "epochs"},
    {"num_ppo_epochs", "epochs"},
    {"ppo_epochs", "epochs"},
    {"num_mini_batches", "minibatches"},
    {"missing_eos_penalty", "missing_end_penalty"},
    {"scale_rewards", "scale"},
    {"normalize_advantages", "whiten"},
    {"importance_sampling_level", "ratio"},
    {"mask_truncated_completions", "unfinished"},
};

// What stands in a stage beside its plug-ins, by our names and those of other tools.
constexpr std::pair<std::string_view, std::string_view> of_the_stage[] = {
    {"batch", "batch"},
    {"batch_size", "batch"},
    {"train_batch_size", "batch"},
    {"micro_batch", "micro_batch"},
    {"per_device_train_batch_size", "micro_batch"},
    {"steps", "steps"},
    {"max_steps", "steps"},
    {"epochs", "epochs"},
    {"num_train_epochs", "epochs"},
    {"length", "length"},
    {"max_length", "length"},
    {"max_seq_length", "length"},
    {"max_prompt_length", "length"},
    {"max_grad_norm", "clip"},
    {"optimizer", "optimizer"},
    {"learning_rate", "optimizer"},
    {"lr", "optimizer"},
    {"weight_decay", "optimizer"},
    {"schedule", "schedule"},
    {"lr_scheduler_type", "schedule"},
    {"warmup_ratio", "schedule"},
    {"evaluate", "evaluate"},
    {"eval_steps", "evaluate"},
    {"checkpoint", "checkpoint"},
    {"save_steps", "checkpoint"},
    {"precision", "precision"},
    {"bf16", "precision"},
    {"weights", "weights"},
    {"load_in_4bit", "weights"},
    {"reward", "reward"},
    {"reward_funcs", "reward"},
    {"reward_weights", "reward"},
    {"reference", "reference"},
    {"ref_model", "reference"},
};

}  // namespace

std::string_view key_of_stage(std::string_view name) {
  const auto found = std::ranges::find(of_the_stage, name, &std::pair<std::string_view, std::string_view>::first);
  return found == std::end(of_the_stage) ? std::string_view() : found->second;
}

std::string_view name_here(std::string_view name, std::span<const std::string> known) {
  for (const auto& [theirs, ours] : elsewhere)
    if (theirs == name && std::ranges::count(known, ours)) return ours;
  return {};
}

}  // namespace rgm
