"""Templates: where they are found, what they render, and how they fail."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.errors import BrokenModel, TemplateError
from llavacli_core.messages import Image, Message, Video
from llavacli_core.prompt.template import Template, builtin, builtin_names, find_template, identify
from tests.reference import dialects

PICTURE = Image(b"")
QUESTION = "What is shown in this image?"
HELLO = [Message("user", "hello")]

SEEN = {  # one picture and a question, as the documents of the checkpoints print it
    "vicuna": f"USER: <image>\n{QUESTION} ASSISTANT:",
    "mistral": f"[INST] <image>\n{QUESTION} [/INST]",
    "vip": f"###Human: <image>\n{QUESTION}###Assistant:",
    "llama3": f"<|start_header_id|>user<|end_header_id|>\n\n<image>\n{QUESTION}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "chatml": f"<|im_start|>user\n<image>\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n",
    "chatml-yi": f"<|im_start|>user\n<image>\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n",
}
LONG = [
    Message("system", "Be brief."),
    Message("user", "Hi"),
    Message("assistant", "Hello."),
    Message("user", ["A ", PICTURE, "B", PICTURE]),
]
LONG_WRITTEN = {
    "vicuna": "Be brief. USER: Hi ASSISTANT: Hello. USER: <image>\n<image>\nA  B ASSISTANT:",
    "mistral": "<<SYS>>\nBe brief.\n<</SYS>>\n\n[INST] Hi [/INST] Hello.</s> [INST] <image>\n<image>\nA B [/INST]",
    "vip": "Be brief.###Human: Hi###Assistant: Hello.###Human: <image>\n<image>\nA B###Assistant:",
    "llama3": "<|start_header_id|>system<|end_header_id|>\n\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n\nHello.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n<image><image>\nA <|eot_id|>\nB<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "chatml": "<|im_start|>system\n\nBe brief.<|im_end|>\n<|im_start|>user\n\nHi<|im_end|>\n"
    "<|im_start|>assistant\n\nHello.<|im_end|>\n<|im_start|>user\n<image><image>\nA \nB<|im_end|>\n"
    "<|im_start|>assistant\n",
    "chatml-yi": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\n<image>\n<image>\nA B<|im_end|>\n"
    "<|im_start|>assistant\n",
}
PUBLISHED = {
    "vicuna": dialects.VICUNA,
    "mistral": dialects.MISTRAL,
    "llama3": dialects.LLAMA3,
    "chatml": dialects.QWEN,
    "chatml-yi": dialects.YI,
}


def own(source):
    return Template(source, "custom", "chat_template.jinja")


def test_the_dialects_there_are():
    assert builtin_names() == ("chatml", "chatml-yi", "llama3", "mistral", "vicuna", "vip")


@pytest.mark.parametrize("name", builtin_names())
def test_dialects_write_the_documented_prompts(name):
    dialect = builtin(name)
    assert dialect.render([Message("user", [QUESTION, PICTURE])], {}) == SEEN[name]
    assert dialect.render(LONG, {}) == LONG_WRITTEN[name]


@pytest.mark.parametrize("name", ["vicuna", "mistral", "chatml-yi"])
def test_dialects_of_video_models_place_videos_after_pictures(name):
    written = builtin(name).render([Message("user", [Video(b""), "Why?", PICTURE])], {})
    assert "<image>\n<video>\nWhy?" in written


texts = st.text(st.sampled_from(" aé\n<s>{%"), max_size=6)
turns = st.lists(st.tuples(st.lists(st.one_of(texts, st.just(PICTURE)), min_size=1, max_size=4), texts), max_size=3)


@pytest.mark.parametrize("name", PUBLISHED)
@given(system=texts, turns=turns, last=texts)
def test_dialects_equal_the_published_templates(name, system, turns, last):
    messages = [Message("system", system)]
    for question, answer in turns:
        messages += [Message("user", question), Message("assistant", answer)]
    messages.append(Message("user", [last, PICTURE]))
    assert builtin(name).render(messages, {}) == own(PUBLISHED[name]).render(messages, {})


@pytest.mark.parametrize("name", PUBLISHED)
def test_dialects_are_recognised(name):
    assert identify(own(PUBLISHED[name])) == name


@pytest.mark.parametrize("source", ["{{ 1 }}", "{{ raise_exception('no') }}", dialects.MISTRAL.replace("</s>", "</S>")])
def test_others_are_custom(source):
    assert identify(own(source)) == "custom"


FILES = {  # in the order of trust
    "chat_template.jinja": "1",
    "chat_template.json": {"chat_template": "2"},
    "processor_config.json": {"chat_template": "3"},
    "tokenizer_config.json": {
        "chat_template": [{"name": "tools", "template": "5"}, {"name": "default", "template": "4"}]
    },
}


@pytest.mark.parametrize("first", range(5))
def test_order_of_trust(tmp_path, first):
    for name, contents in list(FILES.items())[first:]:
        text = contents if isinstance(contents, str) else json.dumps(contents)
        (tmp_path / name).write_text(text)
    found = find_template(tmp_path)
    if first == 4:
        assert found is None
    else:
        assert (found.source, found.origin) == (str(first + 1), list(FILES)[first])


@pytest.mark.parametrize("value", [None, "", {"tools": "x"}, [{"name": "tools", "template": "x"}]])
def test_no_default_template(tmp_path, value):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": value}))
    assert find_template(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("chat_template.jinja", b"\xff\xfe"),
        ("chat_template.json", b"{"),
        ("processor_config.json", b"[]"),
        ("tokenizer_config.json", b'{"chat_template": 7}'),
    ],
)
def test_damaged_files_are_named(tmp_path, name, contents):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(BrokenModel, match=name):
        find_template(tmp_path)


def test_a_file_of_the_users(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{{ messages[0].content[0].text }}!")
    template = Template.from_file(path)
    assert template.render(HELLO, {}) == "hello!"
    assert template.origin == str(path)
    with pytest.raises(TemplateError, match=r"absent\.jinja") as caught:
        Template.from_file(tmp_path / "absent.jinja")
    assert "vicuna" in caught.value.hint


@pytest.mark.parametrize("name", ["nope", "../pyproject", ""])
def test_unknown_dialects_are_refused(name):
    with pytest.raises(TemplateError) as caught:
        builtin(name)
    assert "mistral" in caught.value.hint


CONVENTIONS = [
    "{% for m in messages %}\n  {% if loop.last %}\nx\n  {% endif %}\n{{ m.role }}{{ loop.length }}\n{% endfor %}\n",
    "{% generation %}{% set x = 1 %}in{{ x }}{% endgeneration %}out{{ x }}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{{ {'ä': '<&>', 'b': [1, none]} | tojson }}{{ [1] | tojson(indent=2) }}",
    "{{ bos_token }}|{{ unk_token }}|{{ tools is none }}|{{ documents is none }}|{{ add_generation_prompt }}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "{% macro say(x) %}[{{ x }}]{{ caller() }}{% endmacro %}{% call say('a') %}b{% endcall %}",
    "{{ 'x' * 3 ~ (2 ** 5 + 1) }}{{ dict(a=1) }}{{ dict.fromkeys([1, 2]) }}",
    "{% for m in messages recursive %}{{ loop.index }}{% endfor %}{% for x in nothing %}{% else %}none{% endfor %}",
    "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{{ messages | map(attribute='role') | join(',') }}",
    "{{ messages[0].content[0].text | trim | upper }}{{ strftime_now('%Y') }}{{ missing }}{{ [1, 2] + [3] }}",
]


@pytest.mark.parity
@pytest.mark.parametrize("source", CONVENTIONS)
def test_conventions_are_the_references(source):
    rendering = pytest.importorskip("transformers.utils.chat_template_utils")
    names = {"bos_token": "<s>"}
    chat = [{"role": "user", "content": [{"type": "text", "text": " hello "}]}] * 2
    theirs, _ = rendering.render_jinja_template([chat], chat_template=source, add_generation_prompt=True, **names)
    assert own(source).render([Message("user", " hello ")] * 2, names) == theirs[0]


FAILURES = [
    "{% if %}",
    "{% unknown %}",
    "{{ missing.attribute }}",
    "{{ raise_exception('roles must\nalternate') }}",
    "{{ 1 / 0 }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.append(1) }}",
    "{% set ns = namespace(__class__=1) %}",
    "{% set ns = namespace() %}{% set ns.__init__ = 1 %}",
    "{% include 'other' %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
]


@pytest.mark.parametrize("source", FAILURES)
def test_failures_are_one_line_that_names_the_file(source):
    with pytest.raises(TemplateError, match=r"chat_template\.jinja") as caught:
        own(source).render(HELLO, {})
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_what_a_template_complains_of_is_passed_on():
    with pytest.raises(TemplateError, match="roles must alternate"):
        own("{{ raise_exception('roles must\nalternate') }}").render(HELLO, {})


GROWTH = "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}GROW{% endfor %}"
HOSTILE = {
    "long range": "{{ range(10 ** 9) | list }}",
    "many ranges": "{% for i in range(99999) %}{% set x = range(99999) | list %}{% endfor %}",
    "nested loops": "{% set r = range(9999) | list %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}",
    "branching calls": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "recursive loop": "{% for i in [[1, 2]] recursive %}{{ loop([[1, 2], [1, 2]]) }}{% endfor %}",
    "long repeat": "{{ 'a' * 10 ** 9 }}",
    "long list": "{{ 10 ** 9 * [1] }}",
    "high power": "{{ 10 ** 10 ** 9 }}",
    "doubled by ~": GROWTH.replace("GROW", "{% set ns.s = ns.s ~ ns.s %}"),
    "doubled by +": GROWTH.replace("GROW", "{% set ns.s = ns.s + ns.s %}"),
    "doubled in a block": GROWTH.replace("GROW", "{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}"),
    "much output": "{% set s = 'a' * 99999 %}{% for i in range(99999) %}{{ s }}{% endfor %}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_templates_come_to_an_end(source):
    started = time.monotonic()
    with pytest.raises(TemplateError):
        own(source).render(HELLO, {})
    assert time.monotonic() - started < 20  # seconds; unbounded, these take hours or all memory


def test_a_render_leaves_no_debt():
    costly = own("{% for i in range(9000) %}{% endfor %}{{ messages | length }}")
    assert [costly.render(HELLO, {}) for _ in range(30)] == ["1"] * 30
