"""Video processors: each frame as the reference's Pillow CLIP processor has it."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import llavacli_core as core
from llavacli_core.errors import BadOption

SMALL = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
CLIP = np.random.default_rng(7).integers(0, 256, (7, 30, 41, 3), np.uint8)  # [F, H, W, 3]


@pytest.fixture(scope="module")
def processor():
    return core.LlavaNextVideoVideoProcessor(**SMALL)


@pytest.mark.parity
def test_frames_are_pictures(processor):
    theirs = transformers.CLIPImageProcessorPil(**SMALL)
    expected = theirs(list(CLIP), return_tensors="pt").pixel_values
    got = processor(CLIP, return_tensors="pt").pixel_values_videos
    assert got.shape == (1, 7, 3, 28, 28)
    torch.testing.assert_close(got[0], expected, rtol=1e-6, atol=1e-6)


FORMS = {
    "a list of arrays": list(CLIP),
    "a list of pictures": [Image.fromarray(frame) for frame in CLIP],
    "a tensor": torch.from_numpy(CLIP),
    "channels first": CLIP.transpose(0, 3, 1, 2),
    "a list of one": [CLIP],
    "lists of lists": [[list(CLIP)]],
    "a batch": CLIP[None],
}


@pytest.mark.parametrize("video", FORMS.values(), ids=FORMS)
def test_forms_of_videos(processor, video):
    expected = processor(CLIP, return_tensors="np").pixel_values_videos
    np.testing.assert_array_equal(processor(video, return_tensors="np").pixel_values_videos, expected)


def test_several_videos(processor):
    got = processor([CLIP, CLIP[::-1]], return_tensors="np").pixel_values_videos
    assert got.shape == (2, 7, 3, 28, 28)
    np.testing.assert_array_equal(got[0], got[1][::-1])
    uneven = processor([CLIP, CLIP[:3]]).pixel_values_videos
    assert [len(video) for video in uneven] == [7, 3]


def test_choosing_frames_of_arrays(processor):
    whole = processor(CLIP, return_tensors="np").pixel_values_videos[0]
    three = processor(CLIP, num_frames=3, do_sample_frames=True, return_tensors="np").pixel_values_videos[0]
    np.testing.assert_array_equal(three, whole[[0, 2, 4]])
    assert len(processor(CLIP, num_frames=3).pixel_values_videos[0]) == 7  # as it is, unless sampling is asked for


def test_the_first_name_of_the_class(processor):
    first = core.LlavaNextVideoImageProcessor(**SMALL)
    expected = processor.preprocess(CLIP, return_tensors="np").pixel_values_videos
    np.testing.assert_array_equal(first.preprocess(images=CLIP, return_tensors="np").pixel_values_videos, expected)


def test_saved_and_read(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    again = core.LlavaNextVideoVideoProcessor.from_pretrained(tmp_path)
    assert again.to_dict() == processor.to_dict()
    assert again.to_dict()["video_processor_type"] == "LlavaNextVideoVideoProcessor"


def test_what_is_no_video(processor):
    with pytest.raises(BadOption):
        processor(np.zeros((3, 3)))
