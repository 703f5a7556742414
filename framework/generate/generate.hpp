// generate.hpp - text from a model: sampling, and decoding of many rows side by side with a KV cache.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.hpp"

namespace rgm {

inline constexpr double least_temperature = 1e-3;  // above 0, which takes the likeliest token
inline constexpr double least_repetition_penalty = 0.01, most_repetition_penalty = 100;

struct Sampling {
  int64_t answers = 1;  // per prompt
  int64_t max_tokens = 200;
  double temperature = 1;  // 0: the most likely token
  int64_t top_k = 0;       // 0: all
  double top_p = 1;
  double min_p = 0;  // tokens with less than this share of the likeliest one's probability are not drawn; 0: off
  double repetition_penalty = 1;  // of tokens that the model has before it: see repetition.hpp; 1: none
  uint64_t seed = 0;
  int64_t first_prompt = 0;       // how many came before, where the prompts are a part of more
  std::vector<std::string> stop;  // texts that end an answer, and stay in it; end of text always ends it
  bool end_at_end_of_text = true;
  int64_t room = 0;  // of a prompt and its answer together; 0: as much as the model has
};

struct Generated {
  int64_t origin = 0;             // index of its prompt
  std::vector<int32_t> tokens{};  // the answer alone, end of text included where it came
  std::vector<float> logprobs{};  // of these tokens, as a pass over them says: before repetition_penalty, top_k, ...
  bool finished = false;          // ended by itself
};

// One token from log-probabilities, under the temperature already: top_k, top_p, min_p, then by inverse transform of
// the part draw 2^-32 over the tokens in falling order of probability (equal ones by id), so a draw does not depend on
// threads. What backends that draw themselves answer, to the bit: see rgm_sample.
int32_t sample(std::span<const float> logprobs, const Sampling& sampling, uint32_t draw);

// Answers of all prompts, `answers` each, in the order prompt-major. The random numbers of an answer are keyed by seed,
// prompt, answer and position: what is decoded side by side changes nothing but the rounding of a backend whose
// products round by size. Where an answer would leave the context it ends unfinished, and RGM_INVALID where it could
// not begin; with `slide`, the oldest half of the text is forgotten instead and it goes on. `tap` (may be empty) sees
// each token as it comes. `adapters` (may be empty) has the number of the adapter that serves each prompt: all are
// decoded side by side but those with another number of virtual tokens.
std::vector<Generated> generate(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                                const Sampling& sampling, bool slide = false,
                                const std::function<void(int64_t answer, int32_t token)>& tap = {},
                                std::span<const int32_t> adapters = {});

// The tokens that end a text: that of the tokenizer, and those that the model's files name.
std::vector<int32_t> ends_of_text(const Model& model);
// What a generated text says: without the one of `ends` behind it.
std::vector<int32_t> without_end(std::vector<int32_t> tokens, std::span<const int32_t> ends);
// Tokens of a prompt that leave an answer its room in `context`: max_tokens, but never more than half of it. What is
// longer loses its first tokens.
int64_t prompt_room(int64_t context, int64_t max_tokens);
// What is said where `cut` of `prompts` do; `by_length`: a stage's length is what bounds `context`.
std::string said_of_cut(int64_t cut, int64_t prompts, int64_t context, int64_t max_tokens, bool by_length = false);
// RGM_INVALID, with `who` in front, where the model classifies: nobody has taught it which token comes next.
void require_text(const Model& model, std::string_view who);

// What is said of a row without finite log-probabilities.
[[noreturn]] void no_token();

}  // namespace rgm
