"""Image processors: the pixels of the reference's Pillow classes, parameter by parameter, form by form."""

from io import BytesIO

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given as given_by_hypothesis
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image

import llavacli_core as core
from llavacli_core.errors import BadOption, UnsupportedModel
from tests.reference import pictures

pytestmark = pytest.mark.parity

KINDS = ["CLIP", "Siglip", "ViT", "DeiT", "Beit", "Llava", "LlavaNext"]
SMALL = {
    "CLIP": {"size": {"shortest_edge": 28}, "crop_size": 28},
    "Siglip": {"size": {"height": 28, "width": 42}},
    "ViT": {"size": 30},
    "DeiT": {"size": (36, 32), "crop_size": {"height": 28, "width": 30}},
    "Beit": {"size": {"height": 32, "width": 32}},
    "Llava": {"size": {"shortest_edge": 28}, "crop_size": 28},
    "LlavaNext": {
        "size": {"shortest_edge": 28},
        "crop_size": 28,
        "image_grid_pinpoints": [[28, 56], [56, 28], [56, 56]],
    },
}


def picture(width=61, height=43) -> Image.Image:
    return Image.open(BytesIO(pictures.sized(width, height))).convert("RGB")


def both(kind: str, **kwargs):
    """Our processor of a kind and the reference's."""
    name = f"{kind}ImageProcessor"
    return getattr(core, name)(**kwargs), getattr(transformers, f"{name}Pil")(**kwargs)


def assert_same(ours, theirs) -> None:
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(np.asarray(ours[name]), np.asarray(values), rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults(kind):
    ours, theirs = both(kind)
    assert_same(ours(picture(), return_tensors="np"), theirs(picture(), return_tensors="np"))
    for name in ("size", "crop_size", "resample", "do_center_crop", "do_resize", "do_rescale", "do_normalize"):
        value, given = getattr(theirs, name), getattr(ours, name)
        same = given == dict(value) if isinstance(given, dict) else (given or None) == (value or None)
        assert same, name
    assert ours.model_input_names == theirs.model_input_names


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [13, 43, 90])
def test_sizes_of_pictures(kind, width):
    ours, theirs = both(kind, **SMALL[kind])
    given = picture(width)
    expected = theirs(given, return_tensors="pt")
    got = ours(given, return_tensors="pt")
    assert_same(got, expected)
    assert got.pixel_values.dtype == expected.pixel_values.dtype == torch.float32


PARAMETERS = {
    "nearest": {"resample": 0},
    "lanczos": {"resample": Image.Resampling.LANCZOS},
    "not resized": {"do_resize": False},
    "not cropped": {"do_center_crop": False, "size": {"height": 28, "width": 28}},
    "a crop beyond": {"do_center_crop": True, "crop_size": {"height": 51, "width": 70}, "do_resize": False},
    "not rescaled": {"do_rescale": False},
    "another factor": {"rescale_factor": 1 / 128},
    "not normalized": {"do_normalize": False},
    "neither": {"do_normalize": False, "do_rescale": False},
    "one mean for all": {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]},
}


@pytest.mark.parametrize("kind", ["CLIP", "Siglip", "DeiT", "Llava"])
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_for_one_call_or_for_good(kind, parameters):
    ours, theirs = both(kind, **SMALL[kind])
    expected = theirs(picture(), return_tensors="np", **parameters)
    assert_same(ours.preprocess(picture(), return_tensors="np", **parameters), expected)
    changed, _ = both(kind, **{**SMALL[kind], **parameters})
    assert_same(changed(picture(), return_tensors="np"), expected)


@pytest.mark.parametrize(("width", "height"), [(61, 43), (20, 50), (33, 33)])
def test_padding_to_a_square(width, height):
    ours, theirs = both("Llava", do_pad=True, **SMALL["Llava"])
    given = picture(width, height)
    assert_same(ours(given, return_tensors="np"), theirs(given, return_tensors="np"))


@given_by_hypothesis(
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    side=st.integers(4, 20),
    resample=st.sampled_from([0, 1, 2, 3]),
    crop=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_in_any_size(width, height, side, resample, crop):
    grids = [[side, 2 * side], [2 * side, side], [3 * side, 2 * side + 3]]  # the last is no multiple of a tile
    square = {"height": side, "width": side}
    kwargs = {"size": square, "crop_size": square, "resample": resample, "do_center_crop": crop}
    shown = picture(width, height)
    for kind, more in (("CLIP", {}), ("LlavaNext", {"image_grid_pinpoints": grids})):
        ours, theirs = both(kind, **kwargs, **more)
        assert_same(ours(shown, return_tensors="np"), theirs(shown, return_tensors="np"))


TILED = {
    "two grids": {"image_grid_pinpoints": [[28, 84], [84, 28]]},
    "size as a square": {"size": {"height": 28, "width": 28}},
    "not cropped": {"do_center_crop": False, "size": {"height": 28, "width": 28}},
    "not resized": {"do_resize": False},
    "raw": {"do_normalize": False, "do_rescale": False},
}


@pytest.mark.parametrize("parameters", TILED.values(), ids=TILED)
def test_tiles(parameters):
    ours, theirs = both("LlavaNext", **SMALL["LlavaNext"])
    given = [picture(61, 43), picture(20, 90), picture(9, 9)]
    assert_same(ours(given, return_tensors="np", **parameters), theirs(given, return_tensors="np", **parameters))


def test_tiles_without_padding():
    grids = [[28, 28], [28, 56], [56, 56]]
    ours, theirs = both("LlavaNext", **SMALL["LlavaNext"] | {"image_grid_pinpoints": grids})
    given = [picture(61, 21), picture(40, 43)]
    got, expected = ours(given, do_pad=False), theirs(given, do_pad=False)
    for mine, other in zip(got.pixel_values, expected.pixel_values, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)
    assert got.pixel_values[0].shape != got.pixel_values[1].shape
    assert [tuple(size) for size in got.image_sizes] == [tuple(size) for size in expected.image_sizes]


LEVELS = np.asarray(picture())
FORMS = {
    "levels, channels last": LEVELS,
    "levels, channels first": LEVELS.transpose(2, 0, 1),
    "levels as integers": LEVELS.astype(np.int64),
    "levels as floats": LEVELS.astype(np.float32),
    "a tensor": torch.from_numpy(LEVELS.transpose(2, 0, 1).copy()),
    "a stack": np.stack([LEVELS, LEVELS[::-1]]),
    "a list": [LEVELS, picture(31, 30)],
    "lists of lists": [[picture(), picture(30, 50)], [picture(50, 30)]],
    "a tuple": (picture(), picture(30, 50)),
}


@pytest.mark.parametrize("kind", ["CLIP", "LlavaNext"])
@pytest.mark.parametrize("given", FORMS.values(), ids=FORMS)
def test_forms_of_pictures(kind, given):
    ours, theirs = both(kind, **SMALL[kind])
    if isinstance(given, list) and kind == "CLIP" and isinstance(given[0], np.ndarray):
        given = [given[0], np.asarray(given[1])]  # the reference takes no mixed lists
    elif isinstance(given, list) and isinstance(given[0], np.ndarray):
        given = [np.asarray(each) for each in given]
    assert_same(ours(given, return_tensors="np"), theirs(given, return_tensors="np"))


FRACTIONS = (LEVELS / 255).astype(np.float32)


@pytest.mark.parametrize("parameters", [{}, {"do_resize": False}, {"do_resize": False, "do_center_crop": False},
    {"do_resize": False, "crop_size": {"height": 90, "width": 31}}])  # fmt: skip
@pytest.mark.parametrize("rescale", [False, True])
def test_fractions(parameters, rescale):
    ours, theirs = both("CLIP", **SMALL["CLIP"])
    kwargs = {"return_tensors": "np", "do_rescale": rescale, **parameters}
    assert_same(ours(FRACTIONS, **kwargs), theirs(FRACTIONS, **kwargs))


def test_fractions_in_tiles():
    ours, theirs = both("LlavaNext", **SMALL["LlavaNext"])
    kwargs = {"return_tensors": "np", "do_rescale": False}
    assert_same(ours(FRACTIONS, **kwargs), theirs(FRACTIONS, **kwargs))


def test_where_channels_are():
    ours, theirs = both("CLIP", **SMALL["CLIP"])
    narrow = LEVELS[:, :3]  # [43, 3, 3]
    given = {"input_data_format": "channels_last", "return_tensors": "np"}
    assert_same(ours(narrow, **given), theirs(narrow, **given))
    last = ours(LEVELS, data_format="channels_last", return_tensors="np").pixel_values
    np.testing.assert_array_equal(last, ours(LEVELS, return_tensors="np").pixel_values.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_modes(mode):
    ours, theirs = both("CLIP", **SMALL["CLIP"])
    given = picture().convert(mode)
    assert_same(ours(given, return_tensors="np"), theirs(given, return_tensors="np"))


def test_paths_and_grey_arrays(tmp_path):
    ours, _ = both("CLIP", **SMALL["CLIP"])
    picture().save(tmp_path / "a.png")
    np.testing.assert_array_equal(ours(tmp_path / "a.png").pixel_values, ours(picture()).pixel_values)
    grey = LEVELS[..., 0]
    np.testing.assert_array_equal(ours(grey).pixel_values, ours(np.stack([grey] * 3, -1)).pixel_values)


def test_moving_a_batch():
    ours, _ = both("LlavaNext", **SMALL["LlavaNext"])
    batch = ours(picture(), return_tensors="pt").to("cpu", torch.float16)
    assert batch["pixel_values"].dtype == torch.float16
    assert batch.image_sizes.dtype == torch.int64
    assert set({**batch}) == {"pixel_values", "image_sizes"}
    with pytest.raises(AttributeError):
        batch.input_ids  # noqa: B018


WRONG = {
    "a size of one edge": {"size": {"height": 3}},
    "pictures that differ": {"do_center_crop": False, "return_tensors": "pt"},
    "a framework": {"return_tensors": "tf"},
}


@pytest.mark.parametrize("parameters", WRONG.values(), ids=WRONG)
def test_wrong_parameters(parameters):
    with pytest.raises(BadOption):
        core.CLIPImageProcessor(size={"shortest_edge": 8})([picture(), picture(9, 9)], **parameters)


@pytest.mark.parametrize(
    "given", [3, np.zeros((2, 2)) + 300, np.zeros((5, 5, 5)), np.linspace(-1, 2, 75).reshape(5, 5, 3)]
)
def test_wrong_pictures(given):
    with pytest.raises(BadOption):
        core.CLIPImageProcessor()(given)


def test_unknown_parameters():
    with pytest.raises(TypeError, match="colour"):
        core.CLIPImageProcessor()(picture(), colour="red")


@pytest.mark.parametrize("kind", KINDS)
def test_saved_processors_are_read_by_both(kind, tmp_path):
    ours, theirs = both(kind, **SMALL[kind], image_mean=[0.1, 0.2, 0.3])
    ours.save_pretrained(tmp_path / "ours")
    read = getattr(transformers, f"{kind}ImageProcessorPil").from_pretrained(tmp_path / "ours")
    assert_same(ours(picture(), return_tensors="np"), read(picture(), return_tensors="np"))
    theirs.save_pretrained(tmp_path / "theirs")
    again = core.AutoImageProcessor.from_pretrained(tmp_path / "theirs", do_rescale=False)
    assert type(again) is type(ours)
    assert again.do_rescale is False
    assert_same(again(picture(), return_tensors="np", do_rescale=True), theirs(picture(), return_tensors="np"))


def test_a_file_that_names_no_class(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"do_resize": true, "size": 30}')
    (tmp_path / "config.json").write_text('{"model_type": "vision-encoder-decoder", "encoder": {"model_type": "vit"}}')
    assert type(core.AutoImageProcessor.from_pretrained(tmp_path)) is core.ViTImageProcessor
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "DPTImageProcessor"}')
    with pytest.raises(UnsupportedModel, match="DPT"):
        core.AutoImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(BadOption, match="preprocessor_config"):
        core.AutoImageProcessor.from_pretrained(tmp_path)
