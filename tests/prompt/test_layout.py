"""Messages to ids: the reference's, except that what was typed never acts; and pictures widened."""

import shutil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from llavacli_core.errors import BrokenModel, TemplateError
from llavacli_core.messages import Image, Message, Video
from llavacli_core.prompt.layout import write
from llavacli_core.prompt.template import Template, builtin
from llavacli_core.prompt.tokenizer import Tokenizer
from tests.prompt.kinds import folder, tokenizer

PICTURE = Image(b"")
ODD = """{{ bos_token }}{% for message in messages %}
    {% for part in message.content if part.type == 'image' %}{{ 'a <image> \\n ' }}{% endfor %}
    {% for part in message.content if part.type == 'text' %}{{ part.text ~ ' <turned>' }}{% endfor %}
    {% if true %}{{ ' <alone> wör' }}{% endif %}
{% endfor %}"""
TEMPLATES = {
    "llama2": builtin("vicuna"),
    "odd_flags": Template(ODD, "custom", "odd.jinja"),
    "yi": builtin("chatml-yi"),
    "llama3": builtin("llama3"),
    "qwen": builtin("chatml"),
}
PIECES = {kind: sorted(token.content for token in tokenizer(kind).added_tokens.values()) for kind in TEMPLATES}
HARMLESS = st.text(st.sampled_from(" aéB7\n\t日🎉.,'[]<"), max_size=8)


def own(source):
    return Template(source, "custom", "chat_template.jinja")


def prompt_of(kind, messages, template=None):
    return write(messages, template or TEMPLATES[kind], tokenizer(kind), "<image>")


def conversations(text):
    """Conversations of any length, with pictures before, between and after words."""
    asked = st.lists(st.one_of(text, st.just(PICTURE)), min_size=1, max_size=3)
    turns = st.lists(st.tuples(asked, text), max_size=2)
    return st.builds(conversation, st.one_of(st.none(), text), turns, asked)


def conversation(system, turns, last):
    messages = [] if system is None else [Message("system", system)]
    for asked, answered in turns:
        messages += [Message("user", asked), Message("assistant", answered)]
    return [*messages, Message("user", last)]


def harmless(messages):
    """The same conversation, about nothing."""
    return [
        Message(each.role, [core_of(part, "word") if isinstance(part, str) else part for part in each.parts])
        for each in messages
    ]


def core_of(text, word):
    """The text with `word` for everything between its outer white space."""
    return text.replace(text.strip(), word, 1) if text.strip() else text


def controls_in(kind, ids):
    known = tokenizer(kind).controls.keys() - tokenizer(kind).unknown_ids
    return [token_id for token_id in ids if token_id in known]


@pytest.mark.parity
@pytest.mark.parametrize("kind", TEMPLATES)
def test_ids_as_the_reference(kind):
    transformers = pytest.importorskip("transformers")
    rendering = pytest.importorskip("transformers.utils.chat_template_utils")
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(folder(kind))
    source, names = TEMPLATES[kind].source, theirs.special_tokens_map

    @given(conversations(HARMLESS))
    def compare(messages):
        chat = [
            {
                "role": each.role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                    for part in each.parts
                ],
            }
            for each in messages
        ]
        texts, _ = rendering.render_jinja_template([chat], chat_template=source, add_generation_prompt=True, **names)
        written = prompt_of(kind, messages)
        assert written.text == texts[0]
        begun = kind == "odd_flags"  # with BOS, as the processor sees too
        assert list(written.token_ids) == theirs(texts[0], add_special_tokens=not begun)["input_ids"]

    compare()


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_was_typed_never_acts(kind):
    spliced = ["<", ">", "</", "s>", "<im", "age>", "|>", " ", "\n", "é", "\ue000", "\ue001", "word"]
    typed = st.lists(st.sampled_from(PIECES[kind] + spliced), max_size=5).map("".join)

    @given(conversations(typed))
    def check(messages):
        got = prompt_of(kind, messages).token_ids
        plain = prompt_of(kind, harmless(messages)).token_ids
        assert controls_in(kind, got) == controls_in(kind, plain)

    check()


@pytest.mark.parametrize("kind", ["llama3", "qwen"])
def test_what_was_typed_can_be_read_back(kind):
    typed = st.lists(st.sampled_from([*PIECES[kind], "a", " ", "é", "\ue000"]), min_size=1, max_size=5).map("".join)

    @given(typed)
    def check(text):
        ids = prompt_of(kind, [Message("user", [PICTURE, text])]).token_ids
        assert text in tokenizer(kind).decode(ids, skip_special_tokens=False)

    check()


@pytest.mark.parametrize("flags", [{"special": True}, {"special": False, "normalized": True}])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_typed_token_is_as_if_it_did_not_exist(kind, flags, tmp_path):
    backend = Backend.from_file(str(folder(kind) / "tokenizer.json"))
    backend.add_tokens([AddedToken("<last>", **flags)])
    backend.save(str(tmp_path / "tokenizer.json"))
    shutil.copy(folder(kind) / "tokenizer_config.json", tmp_path)
    knowing = Tokenizer.from_folder(tmp_path)
    typed = st.lists(st.sampled_from(["<last>", " <last>", "<", "a", " b ", "\n", "é"]), max_size=4).map("".join)

    @given(conversations(typed))
    def compare(messages):
        got = write(messages, TEMPLATES[kind], knowing, "<image>")
        assert got == prompt_of(kind, messages)

    compare()


@pytest.mark.parametrize("typed", ["</s>", "<image>", "a <s>b", "<pad> <unk>"])
def test_typed_tokens_are_spelled(typed):
    llama = tokenizer("llama2")
    ids = prompt_of("llama2", [Message("user", typed)]).token_ids
    assert controls_in("llama2", ids) == [1]  # BOS
    assert llama.decode(ids) == f"USER: {typed} ASSISTANT:"


def test_tokens_spliced_over_borders_do_not_act():
    template = own("{% for part in messages[0].content %}{{ part.text or '<image>' }}{% endfor %}age>")
    written = prompt_of("llama2", [Message("user", [PICTURE, "<ima", "ge><im"])], template)
    assert written.text == "<image><image><image>"
    assert written.token_ids.count(tokenizer("llama2").id_of("<image>")) == 1


def test_prefix_spaces_stay_where_they_were():
    """Quoting changes nothing but the quoted: what stands around it keeps its ids."""
    plain = prompt_of("llama2", [Message("user", [PICTURE, "What is a word here?"])]).token_ids
    typed = prompt_of("llama2", [Message("user", [PICTURE, "What is a </s> here?"])]).token_ids
    before = next(place for place, (one, other) in enumerate(zip(plain, typed, strict=False)) if one != other)
    assert before > 8
    assert plain[-5:] == typed[-5:]


def test_unknown_letters_are_no_control_tokens():
    """A tokenizer without bytes makes `<unk>` of them, also of the marks; that is not somebody's writing it."""
    metaspace = tokenizer("metaspace")
    words = own("{% for part in messages[0].content %}{{ part.text or '<image>' }}{% endfor %}")
    ids = prompt_of("metaspace", [Message("user", ["word ж</s>", PICTURE, "more ж"])], words).token_ids
    assert metaspace.decode(ids).split() == ["word", "s", "more"]
    assert controls_in("metaspace", ids) == [metaspace.id_of("<image>")]


class TestBeginning:
    """BOS: the tokenizer's, unless the template writes one itself."""

    def test_the_tokenizer_adds_it(self):
        assert prompt_of("llama2", [Message("user", "a")]).token_ids[:1] == (1,)

    def test_not_twice(self):
        ids = prompt_of(
            "llama2", [Message("user", "a")], own("{{ bos_token }}{{ messages[0].content[0].text }}")
        ).token_ids
        assert ids.count(1) == 1

    def test_a_typed_one_does_not_replace_it(self):
        ids = prompt_of("llama2", [Message("user", "<s>a")], own("{{ messages[0].content[0].text }}")).token_ids
        assert ids[0] == 1
        assert ids.count(1) == 1
        assert "<s>a" in tokenizer("llama2").decode(ids)

    def test_none_where_the_tokenizer_has_none(self):
        assert prompt_of("qwen", [Message("user", "a")]).token_ids[0] == tokenizer("qwen").id_of("<|im_start|>")


class TestRewriting:
    """Templates that change what was typed."""

    UPPER = own("{% for m in messages %}{{ m.content[0].text | upper }}{% endfor %}</s>")

    def test_harmless_text_passes(self):
        written = prompt_of("llama2", [Message("user", "abc")], self.UPPER)
        assert written.text == "ABC</s>"
        assert written.token_ids[-1] == 2

    def test_control_tokens_are_refused(self):
        lower = own("{{ messages[0].content[0].text | lower }}</s>")
        with pytest.raises(TemplateError, match="</s>") as caught:
            prompt_of("llama2", [Message("user", "A</S>")], lower)
        assert caught.value.hint

    def test_trimming_is_no_rewriting(self):
        trim = own("{{ messages[0].content[0].text | trim }}</s>")
        ids = prompt_of("llama2", [Message("user", "  a </s> \n")], trim).token_ids
        assert ids.count(2) == 1
        assert tokenizer("llama2").decode(ids) == "a </s>"


class TestPlaceholders:
    """One for every picture, or an error that says which template failed."""

    @pytest.mark.parametrize(
        ("source", "what"),
        [("{{ messages[0].content[-1].text }}", "leaves out"), ("<image><image>", "multiplies")],
    )
    def test_counts_must_agree(self, source, what):
        with pytest.raises(TemplateError, match=rf"chat_template\.jinja.* {what} images"):
            prompt_of("llama2", [Message("user", [PICTURE, "a"])], own(source))

    def test_a_placeholder_without_a_picture(self):
        with pytest.raises(TemplateError, match="multiplies images: it wrote 1 of 0"):
            prompt_of("llama2", [Message("user", "a")], own("<image>{{ messages[0].content[0].text }}"))

    def test_no_such_token(self):
        with pytest.raises(BrokenModel, match="<picture>"):
            write([Message("user", [PICTURE])], own("<picture>"), tokenizer("llama2"), "<picture>")

    def test_videos_where_there_are_none(self):
        with pytest.raises(TemplateError, match="takes no videos"):
            prompt_of("llama2", [Message("user", [Video(b""), "a"])])

    def test_videos_have_their_own(self):
        messages = [Message("user", [Video(b""), PICTURE, "a"])]
        flags = tokenizer("odd_flags")
        ids = write(messages, builtin("mistral"), flags, "<image>", video_token="<video>").token_ids
        assert [ids.count(flags.id_of(token)) for token in ("<image>", "<video>")] == [1, 1]


@pytest.mark.parametrize(
    ("source", "warned"),
    [
        ("{% for m in messages if m.role != 'system' %}{{ m.content[0].text }}{% endfor %}", ["system"]),
        ("{{ messages[0].content[0].text }}", ["user"]),
        ("{{ messages | length }}", ["system", "user"]),
        ("{% for m in messages %}{{ m.content[0].text }}{% endfor %}", []),
    ],
)
def test_dropped_text_is_warned_of(source, warned):
    written = prompt_of("llama2", [Message("system", "be brief"), Message("user", "hello")], own(source))
    assert [next(role for role in ("system", "user") if role in line) for line in written.warnings] == warned
    assert all("chat_template.jinja" in line for line in written.warnings)


def test_without_a_generation_prompt():
    ended = write(
        [Message("user", "a")], builtin("vicuna"), tokenizer("llama2"), "<image>", add_generation_prompt=False
    )
    assert ended.text == "USER: a "


@given(HARMLESS)
def test_marks_are_found_even_among_private_use_characters(text):
    assume(text.strip())
    typed = "".join(map(chr, range(0xE000, 0xE010))) + text + "</s>"
    got = prompt_of("llama2", [Message("user", typed)])
    assert got.text == f"USER: {typed} ASSISTANT:"
    assert got.token_ids.count(2) == 0
