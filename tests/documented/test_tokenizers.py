"""The callable tokenizer: the reference's rows, padding, truncation, decoding and tokens with a role."""

import json

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

import llavacli_core as core
from llavacli_core.errors import BadOption, TemplateError

pytestmark = pytest.mark.parity

BASES = ["llava-1.5", "next-llama3", "next-qwen", "bert"]
TEXTS = ["What is shown in this image?", "cats", "The circle is red, isn't it?  Yes . No !"]
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "cat",
    "##s",
    "red",
    "is",
    "it",
    ".",
    ",",
    "!",
    "?",
    "'",
    "t",
]


@pytest.fixture(scope="session")
def folder(checkpoint, tmp_path_factory):
    """The folder of a base; `bert` is a WordPiece of a few words."""

    def find(base):
        if base != "bert":
            return checkpoint(base)
        path = tmp_path_factory.getbasetemp() / "bert"
        if not path.exists():
            path.mkdir()
            write_bert(path)
        return path

    return find


def write_bert(path) -> None:
    backend = Tokenizer(WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(cleanup=False)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    backend.add_special_tokens(WORDS[:5])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")},
        clean_up_tokenization_spaces=True,
    ).save_pretrained(path)


@pytest.fixture(params=BASES)
def both(request, folder):
    """Our tokenizer and the reference's."""
    path = folder(request.param)
    return core.AutoTokenizer.from_pretrained(path), transformers.PreTrainedTokenizerFast.from_pretrained(path)


CALLS = {
    "several": {},
    "without special tokens": {"add_special_tokens": False},
    "padded": {"padding": True},
    "tensors": {"padding": True, "return_tensors": "pt"},
    "padded on the left": {"padding": "longest", "padding_side": "left", "return_tensors": "np"},
    "padded on the right": {"padding": True, "padding_side": "right", "return_tensors": "pt"},
    "to a length": {"padding": "max_length", "max_length": 64},
    "to a multiple": {"padding": True, "pad_to_multiple_of": 8},
    "cut": {"truncation": True, "max_length": 5},
    "cut and filled up": {"truncation": True, "max_length": 6, "padding": "max_length", "return_tensors": "pt"},
    "no mask": {"return_attention_mask": False},
    "a length alone": {"max_length": 4},
    "a length that is not cut to": {"max_length": 4, "truncation": False},
    "no types": {"return_token_type_ids": False, "verbose": False},
    "nothing more": {"return_length": False, "return_offsets_mapping": False, "stride": 0, "text_pair": None},
}


@pytest.mark.parametrize("kwargs", CALLS.values(), ids=CALLS)
def test_calls(both, kwargs):
    ours, theirs = (tokenizer(TEXTS, **kwargs) for tokenizer in both)
    assert set(ours) == set(theirs) - {"token_type_ids"}
    for name in ours:
        assert type(ours[name]) is type(theirs[name])
        assert (
            torch.equal(torch.as_tensor(ours[name]), torch.as_tensor(theirs[name]))
            if "return_tensors" in kwargs
            else ours[name] == theirs[name]
        )


def test_one_text(both):
    ours, theirs = (tokenizer(TEXTS[0]) for tokenizer in both)
    assert ours.input_ids == theirs.input_ids
    ours, theirs = (tokenizer(TEXTS[0], return_tensors="pt") for tokenizer in both)
    assert torch.equal(ours.input_ids, theirs.input_ids)
    assert both[0].encode(TEXTS[0]) == both[1].encode(TEXTS[0])


DECODINGS = [
    {},
    {"skip_special_tokens": True},
    {"skip_special_tokens": True, "clean_up_tokenization_spaces": True},
    {"clean_up_tokenization_spaces": False},
]


@pytest.mark.parametrize("kwargs", DECODINGS)
def test_decoding(both, kwargs):
    rows = both[1](TEXTS, padding=True).input_ids
    for ids in (rows, torch.tensor(rows)):
        assert both[0].batch_decode(ids, **kwargs) == both[1].batch_decode(ids, **kwargs)
        assert both[0].decode(ids[0], **kwargs) == both[1].decode(ids[0], **kwargs)
    assert both[0].decode(rows[0][1], **kwargs) == both[1].decode(rows[0][1], **kwargs)


def test_tokens_with_a_role(both):
    ours, theirs = both
    for name in ("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"):
        assert getattr(ours, name) == getattr(theirs, name), name
        assert getattr(ours, f"{name}_id") == getattr(theirs, f"{name}_id"), name
    assert sorted(ours.all_special_tokens) == sorted(theirs.all_special_tokens)
    assert (len(ours), ours.vocab_size) == (len(theirs), theirs.vocab_size)
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.model_max_length == theirs.model_max_length
    assert ours.padding_side == theirs.padding_side


def test_tokens_and_ids(both):
    ours, theirs = both
    ids = theirs(TEXTS[0]).input_ids
    tokens = theirs.convert_ids_to_tokens(ids)
    assert ours.convert_ids_to_tokens(ids) == tokens
    assert ours.convert_ids_to_tokens(ids, skip_special_tokens=True) == theirs.convert_ids_to_tokens(
        ids, skip_special_tokens=True
    )
    assert ours.convert_tokens_to_ids(tokens) == ids
    assert ours.convert_ids_to_tokens(ids[0]) == tokens[0]
    assert ours.convert_tokens_to_ids("no such token") == theirs.convert_tokens_to_ids("no such token")
    assert ours.tokenize(TEXTS[0]) == theirs.tokenize(TEXTS[0])


def test_what_is_set_is_used_and_saved(folder, tmp_path):
    ours = core.GPT2TokenizerFast.from_pretrained(folder("llava-1.5"))
    ours.pad_token = ours.eos_token
    ours.padding_side = "right"
    assert ours.pad_token_id == ours.eos_token_id
    assert ours(TEXTS, padding=True).input_ids[1][-1] == ours.eos_token_id
    ours.save_pretrained(tmp_path)
    again, theirs = (
        each.from_pretrained(tmp_path) for each in (core.AutoTokenizer, transformers.PreTrainedTokenizerFast)
    )
    assert again(TEXTS, padding=True).data == ours(TEXTS, padding=True).data
    assert theirs(TEXTS, padding=True).input_ids == ours(TEXTS, padding=True).input_ids
    with pytest.raises(BadOption, match="came from"):
        again.save_pretrained(tmp_path)


CONVERSATIONS = [
    [{"role": "user", "content": [{"type": "text", "text": "How many cats?"}]}],
    [
        {"role": "user", "content": [{"type": "text", "text": "How many cats are there?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Two."}]},
        {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
    ],
]


@pytest.mark.parametrize("base", ["llava-1.5", "next-qwen"])
@pytest.mark.parametrize("conversation", [*CONVERSATIONS, CONVERSATIONS])
def test_conversations(base, conversation, folder):
    ours = core.AutoTokenizer.from_pretrained(folder(base))
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(folder(base))
    for kwargs in ({"tokenize": False}, {"add_generation_prompt": True, "tokenize": False}, {"return_dict": False}):
        expected = theirs.apply_chat_template(conversation, **kwargs)
        assert ours.apply_chat_template(conversation, **kwargs) == expected
    kwargs = {"padding": True, "return_tensors": "pt", "add_generation_prompt": True}
    expected = theirs.apply_chat_template(conversation, **kwargs)
    got = ours.apply_chat_template(conversation, **kwargs)
    assert torch.equal(got.input_ids, expected.input_ids)
    assert torch.equal(got.attention_mask, expected.attention_mask)


def test_a_template_of_ones_own(folder):
    ours = core.AutoTokenizer.from_pretrained(folder("bert"))
    with pytest.raises(TemplateError, match="no chat template"):
        ours.apply_chat_template(CONVERSATIONS[0])
    given = "{% for message in messages %}{{ message.content[0].text }}|{% endfor %}"
    assert ours.apply_chat_template(CONVERSATIONS[1], chat_template=given, tokenize=False).count("|") == 3


def test_without_a_pad_token(folder, tmp_path):
    ours = core.AutoTokenizer.from_pretrained(folder("llava-1.5"))
    ours.pad_token = None
    with pytest.raises(BadOption, match="pad token"):
        ours(TEXTS, padding=True)
    with pytest.raises(BadOption, match="different lengths"):
        ours(TEXTS, return_tensors="pt")
    with pytest.raises(BadOption, match="max_length"):
        ours(TEXTS, padding="max_length")
    with pytest.raises(AttributeError):
        ours.colour_token  # noqa: B018


def test_what_a_file_says(folder, tmp_path):
    ours = core.AutoTokenizer.from_pretrained(folder("bert"))
    ours.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left", "model_max_length": 4}))
    again = core.BertTokenizer.from_pretrained(tmp_path)
    assert again(["cats", "a cat is red"], truncation=True, padding=True).input_ids == [[2, 6, 7, 3], [2, 5, 6, 3]]


def test_a_vocabulary_in_parts_is_saved_whole(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    ours = core.BertTokenizer.from_pretrained(tmp_path)
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    assert ours("A cat is red.").input_ids == theirs("A cat is red.").input_ids
    ours.save_pretrained(tmp_path / "saved")
    assert core.AutoTokenizer.from_pretrained(tmp_path / "saved")("A cat.").input_ids == ours("A cat.").input_ids


def test_types_of_tokens(both):
    kwargs = {"padding": True, "return_token_type_ids": True, "return_tensors": "pt"}
    ours, theirs = (tokenizer(TEXTS, **kwargs) for tokenizer in both)
    assert list(ours) == list(theirs)
    assert torch.equal(ours.token_type_ids, theirs.token_type_ids)


WRONG = {
    "nothing": lambda tokenizer: tokenizer(),
    "a number": lambda tokenizer: tokenizer(5),
    "a padding": lambda tokenizer: tokenizer(TEXTS, padding="much"),
    "a side": lambda tokenizer: tokenizer(TEXTS, padding=True, padding_side="top"),
    "tensors": lambda tokenizer: tokenizer(TEXTS, padding=True, return_tensors="jax"),
    "a ragged batch": lambda tokenizer: tokenizer(TEXTS, return_tensors="pt"),
    "a text to decode": lambda tokenizer: tokenizer.decode("cats"),
    "a role": lambda tokenizer: tokenizer.add_special_tokens({"hat_token": "<hat>"}),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_errors_are_caught_as_the_references_are(call, folder):
    path = folder("llava-1.5")
    for tokenizer in (core.AutoTokenizer, transformers.PreTrainedTokenizerFast):
        with pytest.raises((ValueError, TypeError)):
            call(tokenizer.from_pretrained(path))


def test_what_a_call_does_not_give(folder):
    ours = core.AutoTokenizer.from_pretrained(folder("llava-1.5"))
    with pytest.raises(BadOption, match="return_offsets_mapping"):
        ours("cats", return_offsets_mapping=True)
    with pytest.raises(TypeError, match="colour"):
        ours("cats", colour="red")


def test_tokens_that_are_added(both, tmp_path):
    text = "two cats<hat>and a zebra <crown> on <brim>it"
    for tokenizer in both:
        assert tokenizer.add_tokens(["<hat>", "zebra"]) == 2
        assert tokenizer.add_tokens("<hat>") == 0
        assert tokenizer.add_special_tokens({"pad_token": "<brim>", "additional_special_tokens": ["<crown>"]}) == 2
        tokenizer.save_pretrained(tmp_path / type(tokenizer).__name__)
    ours, theirs = both
    assert len(ours) == len(theirs)
    assert (ours.pad_token, ours.pad_token_id) == (theirs.pad_token, theirs.pad_token_id)
    ids = theirs(text).input_ids
    again = core.AutoTokenizer.from_pretrained(tmp_path / type(ours).__name__)
    there = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path / type(ours).__name__)
    for tokenizer in (ours, again, there):
        assert tokenizer(text).input_ids == ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)
        assert len(tokenizer) == len(theirs)
        assert tokenizer.pad_token == "<brim>"


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ '[INST] ' + m['content'] }}{% endfor %}",
        "{% for m in messages %}{% if m['content'] is string %}{{ m['content'] | trim }}{% endif %}{% endfor %}",
    ],
)
def test_templates_of_words_alone(template, both):
    turns = [{"role": "user", "content": " Hi "}, {"role": "tool", "content": "42 is it"}]
    for kwargs in ({}, {"continue_final_message": True}):
        ours, theirs = (
            each.apply_chat_template(turns, chat_template=template, tokenize=False, **kwargs) for each in both
        )
        assert ours == theirs
    ids = both[0].apply_chat_template(turns, chat_template=template, add_special_tokens=False, return_dict=False)
    assert ids == both[1].apply_chat_template(turns, chat_template=template, return_dict=False)


def test_contents_in_one_piece_are_parts_too(folder):
    ours = core.AutoTokenizer.from_pretrained(folder("llava-1.5"))
    template = "{% for m in messages %}{% for p in m['content'] %}{{ p['text'] }};{% endfor %}{% endfor %}"
    turns = [{"role": "user", "content": "Hi"}, {"role": "user", "content": [{"type": "text", "text": "you"}]}]
    assert ours.apply_chat_template(turns, chat_template=template, tokenize=False) == "Hi;you;"


@pytest.mark.parametrize("wrong", [{"continue_final_message": True, "add_generation_prompt": True}])
def test_what_excludes_each_other(wrong, folder):
    ours = core.AutoTokenizer.from_pretrained(folder("llava-1.5"))
    with pytest.raises(BadOption, match="exclude"):
        ours.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, **wrong)
    with pytest.raises(BadOption, match="leaves out"):
        ours.apply_chat_template(
            [{"role": "user", "content": "Hi"}], chat_template="X", tokenize=False, continue_final_message=True
        )


def test_ids_one_by_one(both):
    ours, theirs = both
    ids = ours("cats is red").input_ids
    for form in (list(torch.tensor(ids)), list(np.array(ids)), torch.tensor(ids), tuple(ids)):
        assert ours.decode(form) == theirs.decode(form)
    assert ours.batch_decode([]) == theirs.batch_decode([]) == []


def test_rows_in_any_form_are_filled_up(both):
    ours, theirs = both
    calls = [ours("cats"), ours("cats is red")]
    rows = [list(call.input_ids) for call in calls]
    expected = theirs.pad({"input_ids": rows}, return_tensors="pt").input_ids
    plain = [{"input_ids": row} for row in rows]
    for form in (rows, {"input_ids": rows}, plain, calls, [torch.tensor(row) for row in rows]):
        assert torch.equal(ours.pad(form, return_tensors="pt").input_ids, expected)


def test_masks_and_other_columns_that_were_there_stay(both):
    rows = [{"input_ids": [5, 6, 7], "attention_mask": [0, 1, 1], "labels": [1, 2]}]
    rows.append({"input_ids": [5, 6], "attention_mask": [1, 1], "labels": [3, 4]})
    for side in ("left", "right"):
        got, expected = (each.pad(rows, padding_side=side, return_tensors="pt") for each in both)
        assert set(got) == set(expected)
        assert all(torch.equal(got[name], expected[name]) for name in got), side
    assert dict(both[0].pad(rows[0])) == {name: [row] for name, row in rows[0].items()}  # transformers: flat


def test_more_of_the_vocabulary(both):
    ours, theirs = both
    tokens = ours.tokenize("cats is red")
    assert ours.convert_tokens_to_string(tokens) == theirs.convert_tokens_to_string(tokens)
    assert ours.get_added_vocab() == theirs.get_added_vocab()
    assert ours.vocab == theirs.get_vocab()
    assert ours.is_fast
