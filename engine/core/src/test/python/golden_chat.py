"""Writes engine/core/src/test/resources/chat/cases.json: conversations as Jinja renders them with the settings of
transformers. Run from the top of the repository; needs jinja2 3.1.

    python engine/core/src/test/python/golden_chat.py
"""

import json
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

TARGET = Path("engine/core/src/test/resources/chat/cases.json")

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
STRICT = """\
{%- if messages[0]['role'] == 'system' -%}
    {%- set system = messages[0].content %}{% set rest = messages[1:] -%}
{%- else -%}
    {%- set system = false %}{% set rest = messages -%}
{%- endif -%}
{% for m in rest %}
    {% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('roles must take turns') }}
    {% endif %}
    {%- if m.role == 'user' and loop.first and system is string and not system == '' %}
        {{- bos_token ~ '<<' ~ system.strip() ~ '>>' }}
    {%- elif m.role == 'assistant' %}
        {%- set content = m.content.split('</think>')[-1].lstrip('\\n') %}
        {{- ' ' + content + eos_token }}
    {%- endif %}
{% endfor %}
"""
ALL = """\
{# a comment
   of two lines #}
{% set ns = namespace(n=0, found=none) %}
  {% for m in messages if m.role != 'system' %}
  [{{ loop.index }}/{{ loop.length }}] {{ m['role'] | upper }}: {{ m.content | trim | tojson }} {{ 'last' if loop.last else 'more' }}
    {%- set ns.n = ns.n + m.content|length %}
  {% else %}
  none
  {% endfor %}
{{ ns.n }} {{ ns.n * 2 - 3 % 2 }} {{ -1 }} {{ 7 / 2 }} {{ [1, 'a', none, true] }} {{ {'k': 1}.items() | length }}
{%- for k, v in {'x': 1, 'y': 2}.items() %} {{ k ~ v }}{% endfor %}
{{ 'b' in 'abc' and 'q' not in ['p'] }} {{ missing is defined }} {{ missing | default('d') }} {{ "a,b,c".split(',')[1:] | join('-') }}
{{ 'abc'[::-1] }} {{ messages[-1]['role'] }} {{ range(3) | list }}{{ (1, 2)[1] }} {{ not 1 == 2 }} {{ 'it' 's' }} {{ ns.found is none }}
{% if 1 > 2 or 'x' is number %}x{% elif 'abc'.startswith('ab') and 3 <= 3 %}y{% endif %}
{{ '{{ %}' }} {{- ' "' + "'" }} {{ messages[0].get('name') }} {{ {'a': {'b': 'c'}}.a.b }} {{ missing }}
end
"""
CONVERSATIONS = [
    [("user", " Hi! ")],
    [
        ("system", " Be brief. "),
        ("user", "What is 1+1?\n"),
        ("assistant", "<think>\neasy\n</think>\n\nIt is 2."),
        ("user", 'é "quoted" \U0001f600'),
    ],
    [("assistant", "a"), ("user", "b")],
]


def main():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    cases = []
    for template in [CHATML, LLAMA3, STRICT, ALL]:
        for conversation in CONVERSATIONS:
            for answer in [False, True]:
                messages = [{"role": role, "content": content} for role, content in conversation]
                try:
                    expected = environment.from_string(template).render(
                        messages=messages, add_generation_prompt=answer, bos_token="<s>", eos_token="</s>"
                    )
                except jinja2.exceptions.TemplateError:
                    expected = None
                cases.append({"template": template, "messages": messages, "answer": answer, "expected": expected})
    TARGET.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
