"""Chat templates as checkpoints bring them, one per published dialect, written independently of `templates/`.

They lean on what the reference's renderer grants: `trim_blocks` and `lstrip_blocks` (the indented lines below),
`generation` tags and `raise_exception`.
"""

VICUNA = r"""{% for message in messages %}
    {% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}
    {# pictures first, whatever the order of the parts #}
    {% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}
    {% for part in message['content'] | selectattr('type', 'equalto', 'text') %}
        {% if message['role'] == 'assistant' %}{% generation %}{{ part['text'] + ' ' }}{% endgeneration %}
        {% else %}{{ part['text'] + ' ' }}{% endif %}
    {% endfor %}
{% endfor %}
{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
"""

MISTRAL = r"""{% for message in messages %}
    {% set parts = message['content'] %}
    {% if message['role'] == 'system' %}{{ '<<SYS>>\n' + parts[0]['text'] + '\n<</SYS>>\n\n' -}}
    {% elif message['role'] == 'user' %}{{ '[INST] ' -}}
        {% for part in parts | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}
        {% for part in parts | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}
        {% if true %}{{ ' [/INST]' }}{% endif %}
    {% elif message['role'] == 'assistant' %}{{ ' ' + parts[0]['text'] + '</s> ' -}}
    {% else %}{{ raise_exception('only user and assistant may speak') }}{% endif %}
{% endfor %}
"""

LLAMA3 = r"""{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
    {%- for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}
    {% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + part['text'] + '<|eot_id|>' }}
    {%- endfor %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}
"""

QWEN = r"""{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}
    {%- for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}
    {% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + part['text'] }}{% endfor %}
    {% if true %}{{ '<|im_end|>' + '\n' }}{% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
"""

YI = r"""{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}
    {%- for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}
    {% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}
    {% if true %}{{ '<|im_end|>' + '\n' }}{% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
"""

VIP = r"""{% for message in messages %}
    {% if message['role'] == 'system' %}{{ message['content'][0]['text'] -}}
    {% elif message['role'] == 'user' %}{{ '###Human: ' -}}
        {% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}
        {% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}
    {% else %}{{ '###Assistant: ' + message['content'][0]['text'] -}}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '###Assistant:' }}{% endif %}
"""

# No published dialect keeps the order of pictures and videos, but a template may.
IN_ORDER = r"""{% for message in messages %}{{ message['role'].upper() + ': ' }}
    {%- for part in message['content'] %}
        {%- if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% else %}{{ '<' + part['type'] + '>\n' }}{% endif %}
    {%- endfor %}
{% endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
"""


def with_videos(dialect: str) -> str:
    """The same dialect as LLaVA-NeXT-Video speaks it: a message's videos come behind its pictures."""
    loop = next(line for line in dialect.splitlines() if "'image'" in line)
    return dialect.replace(loop, loop + "\n" + loop.replace("image", "video"))
