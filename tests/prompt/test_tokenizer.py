"""The tokenizer of a folder: the reference's ids, tokens and text, and errors that name the file."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.errors import BrokenModel, PromptError
from llavacli_core.prompt.tokenizer import Tokenizer
from tests.prompt.kinds import KINDS, NAMES, folder, tokenizer
from tests.reference.corpus import CORPUS

BARE = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
MORE = {"content": "<more>", **BARE, "special": True}
FORMS = {
    "bare": {},
    "decoder": {
        "tokenizer_config.json": {
            **NAMES["llama2"],
            "tokenizer_class": "LlamaTokenizer",
            "add_bos_token": False,  # beside a tokenizer.json this is not looked at
            "image_token": "<image>",
            "sep_token": "<role>",
            "extra_special_tokens": {"video_token": "<video>"},
            "added_tokens_decoder": {
                "424": {"content": "<role>", **BARE, "special": False},  # special all the same: it has a role
                "423": {"content": "<later>", **BARE, "special": False},
                "99": {"content": "<sooner>", **BARE, "lstrip": True, "special": True},
                "2": {"content": "</s>", **BARE, "normalized": True, "special": True},
            },
        },
        "special_tokens_map.json": {"eos_token": "<ignored>"},
        "added_tokens.json": {"<ignored too>": 500},
    },
    "legacy": {
        "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "pad_token": None},
        "special_tokens_map.json": {
            "eos_token": {"content": "</s>", **BARE},
            "unk_token": "<unk>",
            "pad_token": {"content": "<filler>", **BARE},
            "additional_special_tokens": ["<image>", "<extra>"],
        },
        "added_tokens.json": {"<plain>": 431, "<filler>": 430},
    },
    "legacy, with what tokenizer.json has as well": {
        "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"},
        "added_tokens.json": {"<s>": 1, "</s>": 2, "<unk>": 0, "<plain>": 431},
    },
    "resaved": {
        "tokenizer_config.json": {
            **NAMES["llama2"],
            "tokenizer_class": "TokenizersBackend",
            "backend": "tokenizers",
            "image_token": "<image>",
            "model_specific_special_tokens": {"image_token": "<image>"},
        },
    },
    "unnamed": {
        "tokenizer_config.json": {
            "additional_special_tokens": ["<one>", "<more>"],
            "added_tokens_decoder": {"90": MORE},
        }
    },
}


@pytest.fixture(params=FORMS)
def formed(request, tmp_path):
    """A Llama-2 folder whose JSON files have one of the published forms."""
    shutil.copy(folder("llama2") / "tokenizer.json", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    for name, contents in FORMS[request.param].items():
        (tmp_path / name).write_text(json.dumps(contents))
    return tmp_path


@pytest.mark.parity
def test_forms_as_the_reference(formed):
    transformers = pytest.importorskip("transformers")
    theirs, ours = transformers.AutoTokenizer.from_pretrained(formed), Tokenizer.from_folder(formed)
    assert ours.special_tokens == theirs.special_tokens_map
    listed = {token_id: repr(token) for token_id, token in theirs.added_tokens_decoder.items()}
    assert {token_id: repr(token) for token_id, token in ours.added_tokens.items()} == listed
    text = "a <sooner> b</s> c <later><video><image>\n<filler><plain><role><extra><one><more>"
    for special in (True, False):
        ids = theirs(text, add_special_tokens=special)["input_ids"]
        assert ours.encode(text, add_special_tokens=special) == ids
        assert ours.decode(ids, skip_special_tokens=special) == theirs.decode(ids, skip_special_tokens=special)


@pytest.mark.parity
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_as_the_reference(kind):
    transformers = pytest.importorskip("transformers")
    theirs, ours = transformers.PreTrainedTokenizerFast.from_pretrained(folder(kind)), tokenizer(kind)

    @given(st.lists(st.integers(0, ours.vocab_size - 1), max_size=30))
    def decoded(ids):
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)

    decoded()
    for line in CORPUS:
        assert ours.encode(line) == theirs(line)["input_ids"]
    assert ours.vocab_size == len(theirs)


def test_truncation_and_padding_are_off(tmp_path):
    backend = KINDS["qwen"]()
    backend.enable_truncation(3)
    backend.enable_padding(length=8)
    backend.save(str(tmp_path / "tokenizer.json"))
    line = CORPUS[0]
    assert Tokenizer.from_folder(tmp_path).encode(line) == tokenizer("qwen").encode(line)


def test_ids_and_tokens():
    llama = tokenizer("llama2")
    assert llama.id_of("</s>") == 2
    assert llama.token_of(2) == "</s>"
    assert llama.id_of("no such token") is None
    assert llama.token_of(llama.vocab_size) is None
    assert llama.encode("a", add_special_tokens=False) == llama.encode("a")[1:]


def test_words_are_told_from_control_tokens():
    yi = {token.content for token in tokenizer("yi").controls.values()}
    assert {"<|im_start|>", "<|im_end|>", "<image>"} <= yi
    assert yi.isdisjoint({"0", ",", "\n"})  # added, but plain text spells them too


def test_without_tokenizer_json(tmp_path):
    with pytest.raises(BrokenModel, match=r"no tokenizer\.json") as caught:
        Tokenizer.from_folder(tmp_path)
    assert "save_pretrained" in caught.value.hint


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("contents", [b"", b'{"added_tokens": ', b"[1]", b"\xff\xfe{"])
def test_damaged_files_are_named(tmp_path, name, contents):
    shutil.copy(folder("llama2") / "tokenizer.json", tmp_path)
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(BrokenModel, match=name):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"added_tokens_decoder": {"x": MORE}},
        {"added_tokens_decoder": {"7": {"special": True}}},
        {"added_tokens_decoder": ["<image>"]},
        {"bos_token": {"no content": 1}},
        {"bos_token": 1},
    ],
)
def test_damaged_special_tokens(tmp_path, config):
    shutil.copy(folder("llama2") / "tokenizer.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BrokenModel, match=r"tokenizer_config\.json"):
        Tokenizer.from_folder(tmp_path)


def test_half_a_character_is_refused():
    with pytest.raises(PromptError, match="surrogate"):
        tokenizer("qwen").encode("a\ud83d")
