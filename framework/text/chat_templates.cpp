// chat_templates.cpp - the chat templates that are known by name, for tokenizers that come without one.
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

struct Named {
  std::string_view name, source;
};
// chatml: OpenAI's; llama3: Meta's model card; alpaca: Taori et al. 2023, without its first sentence.
constexpr Named named[] = {
    {"alpaca",
     "{%- for message in messages %}\n"
     "{%- if message.role == 'system' %}{{ (message.content or '') | trim }}\n\n"
     "{% elif message.role == 'user' %}{{ '### Instruction:\n' + (message.content or '') | trim + '\n\n' }}\n"
     "{%- elif message.role == 'assistant' %}"
     "{{ '### Response:\n' + (message.content or '') | trim + eos_token | default('\n\n', true) }}\n"
     "{%- else %}{{ raise_exception('alpaca has no role ' + message.role) }}{% endif %}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}\n"},
    {"chatml",
     "{%- for message in messages %}\n"
     "{{- '<|im_start|>' + message.role + '\n' + (message.content or '') | trim + '<|im_end|>\n' }}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}\n"},
    {"llama3",
     "{{- bos_token }}\n"
     "{%- for message in messages %}\n"
     "{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + (message.content or '') | trim + "
     "'<|eot_id|>' }}\n"
     "{%- endfor %}\n"
     "{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}\n"},
};

}  // namespace

std::vector<std::string> chat_template_names() {
  std::vector<std::string> out;
  for (const Named& one : named) out.emplace_back(one.name);
  return out;
}

std::string named_chat_template(std::string_view name) {
  const auto* const found = std::ranges::find(named, name, &Named::name);
  require(found != std::end(named), "chat template \"{}\" is not known; there are {}", name,
          join(chat_template_names()));
  return std::string(found->source);
}

}  // namespace rgm
