"""LLaVA-NeXT-Video and ViP-LLaVA beyond single answers: published forms, sessions over clips, faults of the files."""

import numpy as np
import pytest
import torch

import llavacli_core as core
from llavacli_core.errors import BrokenModel, InputError, TooLong
from llavacli_core.messages import Image, Message, Video
from llavacli_core.nn import llava
from llavacli_core.options import Sampling
from tests.parity.asking import assert_same, finish
from tests.reference import ANSWER_LENGTH, pictures, rewriting
from tests.reference.cases import BY_NAME, FUNNY, QUESTION, Case, ours
from tests.reference.clips import Clip, drawn

pytestmark = pytest.mark.parity

MIXED = BY_NAME["two clips around a picture"]
PHOTO = BY_NAME["photo"]
LENGTH = 20
SAMPLING = Sampling(max_tokens=LENGTH)

FORMS = {
    "vip, old config": ("vip", PHOTO, [rewriting.old_vip_config]),
    "vip, new config": ("vip", PHOTO, [rewriting.new_config]),
    "vip, as on the Hub": ("vip", PHOTO, [rewriting.hub]),
    "vip, in-memory weight names": ("vip", PHOTO, [rewriting.renamed(rewriting.memory_layout)]),
    "video, as on the Hub": ("video", MIXED, [rewriting.video_preprocessor, rewriting.renamed(rewriting.hub_layout)]),
    "video, new config": ("video", MIXED, [rewriting.new_config]),
    "video, frames like pictures": ("video", MIXED, [rewriting.frames_like_pictures]),
    "video, pictures like frames": ("video", MIXED, [rewriting.pictures_like_frames]),
    "video, one token for both": ("video", MIXED, [rewriting.one_token_for_both]),
    "linear, old config": ("video-linear", MIXED, [rewriting.old_config]),
    "conv, as on the Hub": ("video-conv", MIXED, [rewriting.renamed(rewriting.hub_layout), rewriting.old_config]),
    "conv, in-memory weight names": ("video-conv", MIXED, [rewriting.renamed(rewriting.memory_layout)]),
}


@pytest.mark.parametrize(("base", "case", "form"), FORMS.values(), ids=FORMS)
def test_the_form_does_not_matter(base, case, form, checkpoint, engine, answer, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint", *form)
    assert_same(engine(folder), case, answer(base, case.name), ANSWER_LENGTH)


@pytest.mark.parametrize(("base", "dialect"), [("vip", "vip"), ("video", "vicuna"), ("video-mistral", "mistral")])
def test_a_dialect_by_name_stands_in_for_the_template(base, dialect, checkpoint, answer, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint", rewriting.take_template)
    engine = core.load(str(folder), device="cpu", dtype="float32", template=dialect)
    assert engine.info.template == dialect
    case = BY_NAME["picture in the second turn"] if base == "vip" else BY_NAME["a clip in the second turn"]
    assert_same(engine, case, answer(base, case.name), ANSWER_LENGTH)


def test_scaled_positions_make_room(engine):
    plain, scaled = engine("video").info.max_positions, engine("video-linear").info.max_positions
    assert scaled == 2.5 * plain


@pytest.mark.parametrize("base", ["video", "video-max"])
def test_video_features(base, engine, reference):
    frames = Clip(9, width=97, height=45).seen
    pixels = reference(base).processor.pixels(frames)
    with torch.inference_mode():
        expected = reference(base).model.model.get_video_features(pixels).pooler_output
        features = engine(base).network.video_features(pixels[0])
    torch.testing.assert_close(features, expected[0], atol=1e-4, rtol=1e-4)


def test_many_frames_go_through_the_tower_in_batches(engine, monkeypatch):
    network, sizes = engine("video").network, []
    pixels = torch.linspace(-1, 1, 9 * 3 * 56 * 56).view(9, 3, 56, 56)
    at_once, states = network.video_features(pixels), network.vision.hidden_states
    monkeypatch.setattr(llava, "TILES_AT_ONCE", 4)
    monkeypatch.setattr(network.vision, "hidden_states", lambda *given: sizes.append(len(given[0])) or states(*given))
    torch.testing.assert_close(network.video_features(pixels), at_once, atol=1e-5, rtol=1e-5)
    assert sizes == [4, 4, 1]


def test_loss_and_gradients(checkpoint, reference):
    from llavacli_core.checkpoint.files import describe
    from llavacli_core.checkpoint.load import load_network
    from llavacli_core.options import Placement

    folder, model = checkpoint("video-conv"), reference("video-conv").model
    network = load_network(folder, describe(folder), Placement(device="cpu", dtype="float32"))
    inputs = reference("video-conv").inputs(BY_NAME["7 frames"])
    ids = inputs["input_ids"]
    labels = torch.where(ids == model.config.video_token_id, -100, ids)
    model.zero_grad()
    expected = model(**inputs, labels=labels).loss
    expected.backward()
    network.requires_grad_()
    _, loss = network(ids, labels=labels, videos=[inputs["pixel_values_videos"][0]])
    loss.backward()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    theirs = model.model.vision_resampler.pool.weight.grad
    torch.testing.assert_close(network.connector.pool.weight.grad, theirs, atol=1e-5, rtol=1e-3)


class TestSessions:
    """Conversations over clips keep their cache, and say what a fresh run says, and what the reference says."""

    TURNS = (
        (Clip(6, seed=1), FUNNY),
        ("And what colour is it?",),
        (pictures.photo(3), Clip(6, seed=1), Clip(5, seed=2), "Compare them."),
        (Clip(12, seed=1, frames=6), QUESTION),
    )

    @pytest.mark.parametrize("base", ["video", "video-max"])
    def test_each_turn_is_as_a_fresh_run(self, base, engine, reference):
        session, turns, known = engine(base).session(), [], 0
        for parts in self.TURNS:
            done = finish(session.generate([ours(part) for part in parts], SAMPLING))
            turns.append(("user", parts))
            case = Case("history", tuple(turns))
            fresh = assert_same(engine(base), case, reference(base).answer(case, LENGTH), LENGTH)
            assert done.token_ids == fresh.token_ids
            assert done.videos == fresh.videos
            assert done.usage.cached_tokens >= known - 4  # words may join up with what follows them
            assert fresh.usage.cached_tokens == 0
            known = done.usage.prompt_tokens
            turns.append(("assistant", (done.text,)))

    def test_a_clip_is_encoded_once(self, engine, monkeypatch):
        network, seen = engine("video").network, []
        encode = network.video_features
        monkeypatch.setattr(network, "video_features", lambda pixels: seen.append(len(pixels)) or encode(pixels))
        session, clip = engine("video").session(), drawn(6, 60, 44, 0)
        finish(session.generate([Video(clip), FUNNY], SAMPLING))
        finish(session.generate("And where?", SAMPLING))
        finish(session.generate([Video(clip), Video(clip, frames=3), "Which is longer?"], SAMPLING))
        assert seen == [6, 3]

    def test_other_frames_of_a_clip_are_another(self, engine):
        """Even where they take as many tokens."""
        session, clip = engine("video").session(), drawn(6, 60, 44, 0)
        finish(session.generate([Video(clip, frames=3), FUNNY], SAMPLING))
        session.messages[0] = Message("user", [Video(clip[1:], frames=3), FUNNY])
        done = finish(session.generate("And where?", SAMPLING))
        fresh = finish(engine("video").generate(session.messages[:-1], SAMPLING))
        assert done.token_ids == fresh.token_ids


class TestWhatIsSeen:
    """What a record says of a clip."""

    def test_frames_and_tokens(self, engine):
        request = engine("video").processor.prepare([Message("user", [Video(drawn(97, 31, 57, 0), frames=8), FUNNY])])
        (seen,) = request.videos
        assert seen.frames == tuple(number * 97 // 8 for number in range(8))
        assert (seen.width, seen.height, seen.tokens) == (31, 57, 8 * 4)
        assert request.image_tokens == 32
        assert request.images == ()

    def test_spans_follow_the_prompt(self, engine):
        messages = [Message("user", [Video(drawn(5, 60, 44, 0)), Image(pictures.photo()), "Both?"])]
        pictures_first, in_order = (engine(base).processor.prepare(messages) for base in ("video", "video-max"))
        assert [span.kind for span in pictures_first.spans] == ["image", "video"]
        assert [span.kind for span in in_order.spans] == ["video", "image"]
        for request in (pictures_first, in_order):
            assert [span.length for span, _ in request.placed] == [each.seen.tokens for _, each in request.placed]

    def test_too_many_frames_say_what_to_do(self, engine):
        network, many = engine("video"), Video(np.zeros((1100, 8, 8, 3), np.uint8), frames=1100)
        with pytest.raises(TooLong, match="videos'") as caught:
            finish(network.generate([Message("user", [many, FUNNY])], SAMPLING))
        assert "--frames" in caught.value.hint


class TestRefusals:
    """What cannot be is said plainly."""

    def test_a_family_without_videos(self, engine):
        with pytest.raises(InputError, match="takes no videos"):
            engine("next-vicuna").processor.prepare([Message("user", [Video(drawn(3, 60, 44, 0)), FUNNY])])

    def test_tokens_that_nothing_tells_apart(self, checkpoint, tmp_path):
        folder = rewriting.copied(checkpoint("video"), tmp_path / "checkpoint", rewriting.one_token_for_both)
        same = {"video_token": "<image>"}
        rewriting.edited(folder, "tokenizer_config.json", lambda values: values.update(extra_special_tokens=same))
        with pytest.raises(BrokenModel, match="the same token"):
            core.load_processor(str(folder))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("spatial_pool_mode", "median"),
            ("spatial_pool_stride", 0),
            ("spatial_pool_stride", 7),
            ("video_token_index", -3),
            ("spatial_pool_out_channels", 33),
        ],
    )
    def test_values_out_of_place(self, key, value, checkpoint, tmp_path):
        folder = rewriting.copied(checkpoint("video-conv"), tmp_path / "checkpoint")
        rewriting.edited(folder, "config.json", lambda values: values.update({key: value}))
        with pytest.raises(BrokenModel, match=key.replace("index", "id")):
            core.load_processor(str(folder))

    def test_a_convolution_over_several_layers(self, checkpoint, tmp_path):
        folder = rewriting.copied(checkpoint("video-conv"), tmp_path / "checkpoint")
        rewriting.edited(folder, "config.json", lambda values: values.update(vision_feature_layer=[-1, -2]))
        with pytest.raises(BrokenModel, match="spatial_pool_mode"):
            core.load_processor(str(folder))


def test_the_documented_prompts(engine):
    """ViP-LLaVA's, as the reference's document prints them for one and for several turns."""
    question, answered = "What’s shown in this image?", "This image shows a red stop sign."
    seen = Message("user", [Image(pictures.photo()), question])
    prepare = engine("vip").processor.prepare
    assert prepare([seen]).prompt_text == f"###Human: <image>\n{question}###Assistant:"
    turns = [seen, Message("assistant", answered), Message("user", "Describe the image in more details.")]
    assert prepare(turns).prompt_text == (
        f"###Human: <image>\n{question}###Assistant: {answered}"
        "###Human: Describe the image in more details.###Assistant:"
    )
