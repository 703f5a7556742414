#!/usr/bin/env python3
"""Records what transformers makes of conversations with templates that use what chat templates use, into chat.json.

    build/peers/bin/python tests/parity/record_chat.py
"""
import json
import pathlib

import transformers

HERE = pathlib.Path(__file__).resolve().parent

CONVERSATIONS = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": "  Be brief.\n"}, {"role": "user", "content": "What's 2 + 2?"},
     {"role": "assistant", "content": "4"}, {"role": "user", "content": "Sure? \"Quite\" <sure> & ünïcode 日本"}],
    [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "<note>look</note>\n\nDone. "},
     {"role": "user", "content": "c"}, {"role": "assistant", "content": "<note>x</note>y"}],
    [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image"}]},
     {"role": "assistant", "content": "", "tool_calls": [
         {"name": "add", "arguments": {"numbers": [1, 2.5, None, True], "unit": "m/s", "deep": {"a": {}, "b": []}}}]},
     {"role": "tool", "content": "3.5"}],
]

TEMPLATES = {
    "marks": """{% for message in messages %}
[{{ message['role'] }}] {{ message.content | trim }}
{% endfor %}
{% if add_generation_prompt %}
[assistant]{{ ' ' }}
{%- endif %}
""",
    "spaces": """
  {# a comment #}
  {%- for message in messages -%}
      {{- bos_token if loop.first else '' -}}
      <{{ loop.index0 }}/{{ loop.length }}>   {{ message.role }}
      {% if loop.last %} last{% else %} more{% endif +%}
  {%+ endfor %}

  end {{ eos_token }}

""",
    "branches": """{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = none %}
    {%- set rest = messages %}
{%- endif %}
{%- if system is not none and system | length > 3 %}{{ 'S:' + system + '\\n' }}{% elif tools is defined %}T{% else %}-{% endif %}
{%- for m in rest if m.role != 'tool' %}
    {%- if m.content is string %}
{{ loop.index }}{{ 'u' if m.role == 'user' else 'a' }}:{{ m.content }}
    {%- elif m.content is iterable %}
        {%- for part in m.content %}
            {%- if part.type == 'text' %}{{ part.text }}{% else %}<{{ part['type'] }}>{% endif %}
        {%- endfor %}
    {%- endif %}
{%- else %}nothing
{%- endfor %}""",
    "namespace": """{%- set ns = namespace(last=-1, seen=[], words=0) %}
{%- for m in messages[::-1] %}
    {%- set i = (messages | length - 1) - loop.index0 %}
    {%- if ns.last < 0 and m.role == 'user' and not (m.content is string and m.content.startswith('zz')) %}
        {%- set ns.last = i %}
    {%- endif %}
    {%- set ns.seen = ns.seen + [m.role] %}
{%- endfor %}
{{- ns.last }} {{ ns.seen | join('>') }} {{ ns.seen | unique | list | length }}
{%- for m in messages %}
    {%- set content = m.content if m.content is string else '' %}
    {%- set note = '' %}
    {%- if '</note>' in content %}
        {%- set note = content.split('</note>')[0].rstrip('\\n').split('<note>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</note>')[-1].lstrip('\\n') %}
    {%- endif %}
    {%- if loop.index0 > ns.last or note and not loop.last %}({{ note }}){% endif %}
{{ content }}
{%- endfor %}""",
    "tools": """{%- macro show(call, indent=2) %}
{"name": "{{ call.name }}", "arguments": {{ call.arguments | tojson }}}
{{ call.arguments | tojson(indent=indent) }}
{%- endmacro %}
{%- for m in messages %}
    {%- if m.tool_calls is defined and m.tool_calls %}
        {%- for call in m.tool_calls %}{{ show(call) }}{{ show(call, indent=4) }}
            {%- for key, value in call.arguments.items() %} {{ key }}={{ value }};{% endfor %}
            {%- for key, value in call.arguments | dictsort %}{{ key }},{% endfor %}
        {%- endfor %}
    {%- elif m.role == 'tool' %}<{{ m.content | float + 1 }}|{{ m.content | int }}>
    {%- endif %}
{%- endfor %}
{{- messages | selectattr('role', 'equalto', 'user') | list | length }}
{{- messages | rejectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list }}
{{- messages | map(attribute='role') | map('upper') | join(', ') }}""",
    "numbers": """{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1.5 * 2 }} {{ 3 - -2 }} {{ 1 < 2 <= 2 < 3 }}
{{ 'ab' * 3 }} {{ 1 ~ 'x' ~ true ~ none }} {{ [1, 'a', none, [], {}] }} {{ {'a': 1, 'b': [true]} }} {{ (1, 2) | length }}
{{ range(3) | list }} {{ range(5, 0, -2) | list }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abc'[-1] }} {{ '日本語'[1] }}
{{ not 0 }} {{ 0 or 'x' }} {{ 1 and 'y' }} {{ 'b' in 'abc' }} {{ 'k' not in {'k': 1} }} {{ 2 in [1, 2] }}
{{ 5 is odd }} {{ 4 is divisibleby 2 }} {{ x is undefined }} {{ x | default('d') }} {{ '' | default('e', true) }} {{ 3 is number and 'a' is string }}
{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',', 1) }} {{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }} {{ 'Hello wOrld' | title }} {{ 'hello' | capitalize }}
{{ 'aXbX'.replace('X', '-') }} {{ 'abc'.endswith('c') }} {{ 'abc'.startswith(('x', 'a')) }} {{ "it's" }} {{ 'tab\\there' }} {{ '<&>' | e }}
{% set a, b = (1, 2) %}{{ b }}{{ a }} {% set block %} in {{ a }} {% endset %}[{{ block | trim }}] {{ [3, 1, 2] | sort | first }} {{ [3, 1] | sum }} {{ [1, 2] | last }}
{{ 'one\\ntwo\\n\\nthree' | indent(2) }} {{ [1, 2, 3] | reverse | list }} {{ 3.0 }} {{ 1e3 if false else 10.25 }} {{ -3 | abs }} {{ "say \\"hi\\"" }}""",
    "loops": """{% for i in range(6) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{{ loop.cycle('a', 'b') }}{{ loop.revindex }}{% endfor %}
{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '^' }}{{ loop.nextitem.role if not loop.last else '$' }}{% endfor %}
{% raw %}{{ not this }}{% endraw %}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}""",
}

REFUSALS = {
    "refuses": """{{ raise_exception('roles must alternate') }}""",
}


def main():
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(HERE / "tokenizer_bpe.json"), bos_token="<s>", eos_token="</s>")
    out = {"conversations": CONVERSATIONS, "templates": TEMPLATES, "texts": {}, "refused": {}}
    for name, template in TEMPLATES.items():
        out["texts"][name] = [[tokenizer.apply_chat_template(c, chat_template=template, tokenize=False,
                                                             add_generation_prompt=answer)
                               for answer in (False, True)] for c in CONVERSATIONS]
    for name, template in REFUSALS.items():
        try:
            tokenizer.apply_chat_template(CONVERSATIONS[0], chat_template=template, tokenize=False)
        except Exception as error:
            out["refused"][template] = str(error)
    (HERE / "chat.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
