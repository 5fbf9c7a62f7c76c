"""Processors: the reference's prompts, ids, masks and pixels, for one conversation and for several."""

import json
from base64 import b64encode
from io import BytesIO

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import llavacli_core as core
from llavacli_core.errors import BadOption, PromptError, UnsupportedModel
from tests.reference import pictures, rewriting
from tests.reference.clips import Clip
from tests.reference.video import VideoProcessor

pytestmark = pytest.mark.parity

BASES = ["llava-1.5", "llava-interleave", "next-vicuna", "next-mistral", "next-siglip", "vip"]


def picture(width: int, height: int) -> Image.Image:
    return Image.open(BytesIO(pictures.sized(width, height))).convert("RGB")


CAT, DOG, SIGN = picture(61, 43), picture(30, 90), picture(120, 30)


@pytest.fixture(params=BASES)
def both(request, checkpoint):
    """Our processor and the reference's."""
    folder = checkpoint(request.param)
    return core.AutoProcessor.from_pretrained(folder), transformers.AutoProcessor.from_pretrained(folder, backend="pil")


def user(*parts) -> dict:
    """A turn: strings are text, pictures pictures, and None the place of one that is handed over apart."""
    content = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image"} | ({} if part is None else {"image": part})
        for part in parts
    ]
    return {"role": "user", "content": content}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


ONE = [user(CAT, "What is this?")]
TWO = [user(DOG, SIGN, "Compare them."), assistant("The first is taller."), user("Sure?")]
VECTORS = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}


def assert_same(ours, theirs) -> None:
    assert set(ours) == set(theirs) - {"token_type_ids"}
    for name in ours:
        torch.testing.assert_close(
            ours[name], theirs[name], rtol=1e-6, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("side", ["left", "right"])
def test_two_conversations_with_three_pictures(both, side):
    kwargs = VECTORS | {"padding": True, "padding_side": side}
    theirs = both[1].apply_chat_template([ONE, TWO], **kwargs)
    ours = both[0].apply_chat_template([ONE, TWO], **kwargs)
    assert_same(ours, theirs)
    assert ours.attention_mask[:, 0].tolist() == ([0, 1] if side == "left" else [1, 1])


@pytest.mark.parametrize("conversation", [ONE, TWO, [user("Hello?")]], ids=["one", "two", "none"])
def test_one_conversation(both, conversation):
    ours, theirs = (each.apply_chat_template(conversation, **VECTORS) for each in both)
    assert_same(ours, theirs)
    ids = both[0].apply_chat_template(conversation, tokenize=True)
    assert ids == both[1].apply_chat_template(conversation, tokenize=True)


@pytest.mark.parametrize("kwargs", [{}, {"add_generation_prompt": True}])
def test_prompts(both, kwargs):
    ours, theirs = both
    for conversation in (ONE, TWO, [ONE, TWO]):
        expected = theirs.apply_chat_template(conversation, **kwargs)
        assert ours.apply_chat_template(conversation, **kwargs) == expected


def test_a_prompt_and_its_pictures(both):
    ours, theirs = both
    prompt = theirs.apply_chat_template([user(None, None, "Compare.")], add_generation_prompt=True)
    assert_same(ours([CAT, DOG], prompt, return_tensors="pt"), theirs([CAT, DOG], prompt, return_tensors="pt"))
    kwargs = {"text": [prompt, "Hello"], "images": [[CAT, SIGN], []], "padding": True, "return_tensors": "pt"}
    assert_same(ours(**kwargs), theirs(**kwargs))


def test_words_or_pictures_alone(both):
    ours, theirs = both
    assert ours(text="Hello").input_ids == theirs(text="Hello").input_ids
    assert_same(
        ours(text=["Hello", "a cat"], padding=True, return_tensors="pt"),
        theirs(text=["Hello", "a cat"], padding=True, return_tensors="pt"),
    )
    assert_same(ours(images=CAT, return_tensors="pt"), theirs(images=CAT, return_tensors="pt"))


def test_parameters_for_the_parts(both):
    ours, theirs = both
    kwargs = {"images_kwargs": {"do_normalize": False}, "text_kwargs": {"padding": "max_length", "max_length": 4000}}
    for call in (kwargs, {"do_normalize": False, "padding": "max_length", "max_length": 4000}):
        got = ours(images=CAT, text="A <image> here", return_tensors="pt", **call)
        assert_same(got, theirs(images=CAT, text="A <image> here", return_tensors="pt", **call))
    assert_same(
        ours.apply_chat_template(ONE, **VECTORS, processor_kwargs=kwargs),
        theirs.apply_chat_template(ONE, **VECTORS, processor_kwargs=kwargs),
    )


def test_attributes(both):
    ours, theirs = both
    for name in (
        "patch_size",
        "vision_feature_select_strategy",
        "num_additional_image_tokens",
        "image_token",
        "image_token_id",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.chat_template == theirs.chat_template
    assert type(ours).__name__ == type(theirs).__name__
    assert [name for name in ours.model_input_names if name != "token_type_ids"] == [
        name for name in theirs.model_input_names if name != "token_type_ids"
    ]
    ids = theirs.tokenizer("Two cats.").input_ids
    assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)
    assert ours.batch_decode([ids]) == theirs.batch_decode([ids])
    assert ours.post_process_image_text_to_text([ids]) == theirs.post_process_image_text_to_text([ids])


def test_saved_processors_are_read_by_both(both, tmp_path):
    ours, _ = both
    ours.save_pretrained(tmp_path)
    again = type(ours).from_pretrained(tmp_path)
    theirs = transformers.AutoProcessor.from_pretrained(tmp_path, backend="pil")
    expected = ours.apply_chat_template(TWO, **VECTORS)
    assert_same(again.apply_chat_template(TWO, **VECTORS), expected)
    assert_same(expected, theirs.apply_chat_template(TWO, **VECTORS))


def test_made_of_parts(checkpoint):
    whole = core.AutoProcessor.from_pretrained(checkpoint("next-mistral"))
    made = core.LlavaNextProcessor(
        image_processor=whole.image_processor,
        tokenizer=whole.tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    assert_same(made.apply_chat_template(ONE, **VECTORS), whole.apply_chat_template(ONE, **VECTORS))
    made.patch_size = None
    with pytest.raises(BadOption, match="patch_size"):
        made.apply_chat_template(ONE, **VECTORS)


def test_pictures_by_path(checkpoint, tmp_path):
    CAT.save(tmp_path / "cat.png")
    ours = core.AutoProcessor.from_pretrained(checkpoint("llava-1.5"))
    expected = ours.apply_chat_template(ONE, **VECTORS)
    for name in ("path", "url", "image"):
        part = {"type": "image", name: str(tmp_path / "cat.png")}
        conversation = [{"role": "user", "content": [part, {"type": "text", "text": "What is this?"}]}]
        assert_same(ours.apply_chat_template(conversation, **VECTORS), expected)


def test_cutting(checkpoint):
    ours = core.AutoProcessor.from_pretrained(checkpoint("llava-1.5"))
    prompt = "A <image> and very many words after it"
    whole = ours(CAT, prompt, return_tensors="pt").input_ids
    tokens = whole.shape[1]
    cut = ours(CAT, prompt, truncation=True, max_length=tokens - 3, return_tensors="pt").input_ids
    assert torch.equal(cut, whole[:, :-3])
    with pytest.raises(BadOption, match="without cutting a picture"):
        ours(CAT, prompt, truncation=True, max_length=5)


def test_pictures_without_a_place_and_places_without_a_picture(checkpoint):
    ours = core.AutoProcessor.from_pretrained(checkpoint("llava-1.5"))
    with pytest.raises(PromptError):
        ours([CAT, DOG], "One <image>")
    with pytest.raises(PromptError):
        ours(CAT, "Two <image> <image>")
    with pytest.raises(PromptError):
        ours.apply_chat_template([user(None, "What?")], **VECTORS)
    with pytest.raises(BadOption, match="videos"):
        ours(text="x", videos=np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(BadOption, match="conversation"):
        ours.apply_chat_template("What is this?")
    with pytest.raises(TypeError, match="colour"):
        ours(CAT, "One <image>", colour="red")


MISTAKES = {
    "nothing": lambda processor: processor(),
    "too few pictures": lambda processor: processor(CAT, "Two <image> <image>"),
    "too many pictures": lambda processor: processor([CAT, DOG], "One <image>"),
    "a picture without a place": lambda processor: processor(CAT, "None"),
    "a place without a picture": lambda processor: processor(text="One <image>"),
    "a number for a picture": lambda processor: processor(5, "One <image>"),
    "a path to nothing": lambda processor: processor("nowhere.png", "One <image>"),
    "a number for a text": lambda processor: processor(CAT, 5),
    "a conversation without its picture": lambda processor: processor.apply_chat_template([user(None)], **VECTORS),
    "a ragged batch": lambda processor: processor(text=["One", "One and two"], return_tensors="pt"),
    "a cut through a picture": lambda processor: processor(CAT, "<image>", truncation=True, max_length=3),
    "a size": lambda processor: processor.image_processor(CAT, size={"length": 3}),
}


@pytest.mark.parametrize("call", MISTAKES.values(), ids=MISTAKES)
def test_errors_are_caught_as_the_references_are(call, checkpoint):
    folder = checkpoint("llava-1.5")
    with pytest.raises((ValueError, TypeError)) as theirs:
        call(transformers.AutoProcessor.from_pretrained(folder, backend="pil"))
    with pytest.raises(ValueError if issubclass(theirs.type, ValueError) else TypeError):
        call(core.AutoProcessor.from_pretrained(folder))


def test_keywords_of_the_tokenizer(both):
    ours, theirs = both
    words = {"return_token_type_ids": False, "verbose": False, "return_length": False, "text_pair": None}
    assert_same(ours(CAT, "A <image>", **words, return_tensors="pt"), theirs(CAT, "A <image>", return_tensors="pt"))
    assert ours(text="two cats", max_length=2).input_ids == theirs(text="two cats", max_length=2).input_ids
    with pytest.raises(BadOption, match="return_offsets_mapping"):
        ours(text="two cats", return_offsets_mapping=True)


def test_what_is_typed_is_no_placeholder(checkpoint):
    ours = core.AutoProcessor.from_pretrained(checkpoint("llava-1.5"))
    got = ours.apply_chat_template([user(CAT, "What does <image> mean?")], **VECTORS)
    assert (got.input_ids == ours.image_token_id).sum() == 16


WRONG = {
    "a string": "What is this?",
    "no content": [{"role": "user"}],
    "nothing": [{"role": "user", "content": None}],
    "a sound": [{"role": "user", "content": [{"type": "audio"}]}],
    "no words": [{"role": "user", "content": [{"type": "text"}]}],
    "a number": [{"role": "user", "content": [{"type": "image", "image": 5}]}],
    "another role": [{"role": "tool", "content": "x"}],
}


@pytest.mark.parametrize("conversation", WRONG.values(), ids=WRONG)
def test_wrong_conversations(conversation, checkpoint):
    with pytest.raises(BadOption):
        core.AutoProcessor.from_pretrained(checkpoint("llava-1.5")).apply_chat_template(conversation, **VECTORS)


@pytest.mark.parametrize("base", ["llava-1.5", "video"])
def test_pictures_in_any_form(base, checkpoint):
    ours = core.AutoProcessor.from_pretrained(checkpoint(base))
    expected = ours.apply_chat_template(ONE, **VECTORS)
    file = BytesIO()
    CAT.save(file, "PNG")
    levels = np.asarray(CAT)
    for part in (levels, torch.tensor(levels), file.getvalue()):
        assert_same(ours.apply_chat_template([user(part, "What is this?")], **VECTORS), expected)
    part = {"type": "image", "base64": b64encode(file.getvalue()).decode()}
    conversation = [{"role": "user", "content": [part, {"type": "text", "text": "What is this?"}]}]
    assert_same(ours.apply_chat_template(conversation, **VECTORS), expected)


def test_what_no_processor_is_known_for(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(UnsupportedModel, match="t5"):
        core.AutoProcessor.from_pretrained(tmp_path)


# Videos: the reference's own processor cannot be made without torchvision, hence `VideoProcessor`.


def shown(kind: str, value) -> dict:
    return {"type": kind, kind: value}


@pytest.mark.parametrize("base", ["video", "video-max"])
def test_videos_and_pictures(base, checkpoint):
    ours = core.AutoProcessor.from_pretrained(checkpoint(base))
    theirs = VideoProcessor(checkpoint(base))
    clip = Clip(7, frames=4)
    parts = [shown("image", CAT), shown("video", clip.source), {"type": "text", "text": "Why?"}]
    seen = [shown("image", CAT), shown("video", clip.seen), {"type": "text", "text": "Why?"}]
    got = ours.apply_chat_template([{"role": "user", "content": parts}], num_frames=4, **VECTORS)
    assert_same(got, theirs.apply_chat_template([{"role": "user", "content": seen}], tokenize=True))
    assert got.pixel_values_videos.shape[:2] == (1, 4)


def test_a_batch_of_a_picture_and_a_video(checkpoint):
    ours = core.LlavaNextVideoProcessor.from_pretrained(checkpoint("video"))
    frames = list(Clip(5).source)
    prompts = ["USER: <image>\nWhat? ASSISTANT:", "USER: <video>\nWhy? ASSISTANT:"]
    got = ours(text=prompts, images=CAT, videos=frames, padding=True, padding_side="left")
    alone = [ours(text=prompts[0], images=CAT), ours(text=prompts[1], videos=frames)]
    for row, mask, one in zip(got.input_ids, got.attention_mask, alone, strict=True):
        assert torch.equal(row[mask.bool()], one.input_ids[0])
        assert mask.tolist() == sorted(mask.tolist())
    torch.testing.assert_close(got.pixel_values, alone[0].pixel_values)
    torch.testing.assert_close(got.pixel_values_videos, alone[1].pixel_values_videos)
    assert (got.input_ids == ours.video_token_id).sum() == 5 * 4
    assert ours.model_input_names == [
        *("pixel_values_videos", "pixel_values", "image_sizes"),
        *("input_ids", "attention_mask"),
    ]


def test_videos_from_files(checkpoint, tmp_path):
    ours = core.AutoProcessor.from_pretrained(checkpoint("video"))
    clip = Clip(12, frames=3, encoded=True)
    (tmp_path / "clip.mp4").write_bytes(clip.source)
    part = {"type": "video", "path": str(tmp_path / "clip.mp4")}
    conversation = [{"role": "user", "content": [part, {"type": "text", "text": "Why?"}]}]
    got = ours.apply_chat_template(conversation, num_frames=3, **VECTORS)
    expected = ours(text=ours.apply_chat_template(conversation, add_generation_prompt=True), videos=[clip.seen])
    assert_same(got, expected)


def test_saved_with_a_video_processor(checkpoint, tmp_path):
    ours = core.AutoProcessor.from_pretrained(checkpoint("video"))
    ours.save_pretrained(tmp_path)
    again = core.AutoProcessor.from_pretrained(tmp_path)
    assert again.video_processor.to_dict() == ours.video_processor.to_dict()
    assert again.to_dict() == ours.to_dict()


# Captioners


@pytest.fixture
def captioner(checkpoint, tmp_path):
    """A folder with a ViT image processor and a tokenizer, as of an encoder-decoder."""
    transformers.PreTrainedTokenizerFast.from_pretrained(checkpoint("next-qwen")).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("processor_class", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    transformers.ViTImageProcessorPil(size={"height": 30, "width": 30}).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vision-encoder-decoder", "encoder": {"model_type": "vit"}}')
    return tmp_path


def test_captioners(captioner):
    ours = core.AutoProcessor.from_pretrained(captioner)
    theirs = transformers.TrOCRProcessor(
        transformers.ViTImageProcessorPil.from_pretrained(captioner),
        transformers.PreTrainedTokenizerFast.from_pretrained(captioner),
    )
    assert type(ours) is core.TrOCRProcessor
    assert_same(ours(CAT, return_tensors="pt"), theirs(CAT, return_tensors="pt"))
    both = {"images": [CAT, DOG], "text": ["a cat", "a very tall dog"], "padding": True, "return_tensors": "pt"}
    assert_same(ours(**both), theirs(**both))
    assert ours(text="a cat").input_ids == theirs(text="a cat").input_ids
    assert ours.model_input_names == theirs.model_input_names
    for processor in (ours, theirs):
        with pytest.raises(ValueError, match=r"nothing|either"):
            processor()


FORMS = {
    "as on the Hub": rewriting.hub,
    "no processor_config.json": rewriting.without_processor,
    "no num_additional_image_tokens": rewriting.without_additional_tokens,
    "chat_template.json": rewriting.template_in_json,
    "named templates": rewriting.named_templates,
    "legacy preprocessor": rewriting.legacy_preprocessor,
}
VIDEO_FORMS = {
    "video_preprocessor_config.json": rewriting.video_preprocessor,
    "frames like pictures": rewriting.frames_like_pictures,
    "pictures like frames": rewriting.pictures_like_frames,
    "one token for both": rewriting.one_token_for_both,
}
PUBLISHED = [(base, form) for base in ("llava-1.5", "llava-interleave", "next-mistral") for form in FORMS]
PUBLISHED.remove(("llava-interleave", "legacy preprocessor"))  # SigLIP is younger than that form
PUBLISHED += [("video", form) for form in VIDEO_FORMS]


@pytest.mark.parametrize(("base", "form"), PUBLISHED)
def test_published_forms_as_the_engine_reads_them(base, form, checkpoint, tmp_path):
    """The engine's own prompts, which are held to the reference's elsewhere, from the same files."""
    folder = rewriting.copied(checkpoint(base), tmp_path / "copy", (FORMS | VIDEO_FORMS)[form])
    conversation = [
        {"role": "user", "content": [shown("image", CAT), shown("image", DOG), {"type": "text", "text": "?"}]}
    ]
    parts = [core.Image(CAT), core.Image(DOG), "?"]
    if base == "video":
        clip = Clip(5).source
        conversation[0]["content"].insert(1, shown("video", clip))
        parts.insert(1, core.Video(clip))
    request = core.load_processor(folder).prepare([core.Message("user", parts)])
    got = core.AutoProcessor.from_pretrained(folder).apply_chat_template(conversation, **VECTORS)
    assert tuple(got.input_ids[0].tolist()) == request.token_ids
    for pixels, picture in zip(got.pixel_values, request.pictures, strict=True):
        expected = picture.tiles.pixels
        given = pixels[None] if pixels.ndim == 3 else pixels[: len(expected)]
        np.testing.assert_array_equal(given.numpy(), expected)
    for pixels, video in zip(got.get("pixel_values_videos", ()), request.clips, strict=True):
        np.testing.assert_array_equal(pixels.numpy(), video.pixels)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"continue_final_message": True},
        {"chat_template": "{{ my_var }}{{ tools }}", "my_var": "hey", "tools": None},
        {"chat_template": "{% for m in messages %}{{ m['content'][0]['text'] }}{{ m.name }}{% endfor %}"},
    ],
    ids=["goes on", "variables", "keys of its own"],
)
def test_what_templates_are_told(both, kwargs):
    ours, theirs = both
    turns = [{**user("Hi"), "name": "Ada"}, {**assistant(" It is a "), "name": "Bob"}]
    for conversation in (turns, [turns, turns]):
        assert ours.apply_chat_template(conversation, **kwargs) == theirs.apply_chat_template(conversation, **kwargs)


def test_special_tokens_that_nobody_wants(both):
    for special in (True, False):
        ours, theirs = (
            each.apply_chat_template(ONE, **VECTORS, processor_kwargs={"add_special_tokens": special}) for each in both
        )
        assert_same(ours, theirs)


def test_cutting_on_the_left_keeps_what_is_put_before_texts(both):
    for processor in both:
        processor.tokenizer.truncation_side = "left"
    ours, theirs = (each(text="one two three four five", truncation=True, max_length=5) for each in both)
    assert ours.input_ids == theirs.input_ids


def test_keywords_of_a_tokenizer_are_handed_on(checkpoint):
    given = {"chat_template": "X", "pad_token": "</s>", "truncation_side": "left", "model_max_length": 17}
    folder = checkpoint("llava-1.5")
    ours = core.AutoProcessor.from_pretrained(folder, **given)
    theirs = transformers.AutoProcessor.from_pretrained(folder, backend="pil", **given)
    for name, value in given.items():
        assert getattr(ours.tokenizer, name) == getattr(theirs.tokenizer, name) == value, name
    assert ours.apply_chat_template(ONE) == "X"
    with pytest.raises(BadOption, match="add_eos_token"):
        core.AutoProcessor.from_pretrained(folder, add_eos_token=True)
