"""Training pictures and texts are exactly what the product makes of the same picture and conversation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from demo.architecture import PATCH, TILE, config, preprocessor
from demo.drawing import draw
from demo.hub_folder import hub_tensors, plain_weights
from demo.lessons import Teacher
from demo.network import Student
from demo.pictures import IGNORED, NOBODY, UNCLEAR, Batch, batch, layout, patch_targets
from demo.tokenizer import BOS, EOS, PAD, build, segments
from llavacli_core.families.preprocessor import read_image_config
from llavacli_core.families.readers import llava_next
from llavacli_core.media.tiles import prepare
from llavacli_core.nn.llava import Llava


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build(scenes=200)


@pytest.fixture(scope="module", params=(3, 4, 9))
def pictures(request: pytest.FixtureRequest) -> Batch:
    return batch(request.param, scenes=3)


def test_tiles_are_the_products_own(pictures: Batch) -> None:
    model = llava_next(config(600))
    for drawn, tiles in zip(pictures.scenes, pictures.tiles, strict=True):
        prepared = prepare(draw(drawn), read_image_config(preprocessor(), model))
        assert prepared.grid == pictures.grid
        levels = tiles.transpose(0, 3, 1, 2).astype(np.float32) / 255
        np.testing.assert_allclose((levels - 0.5) / 0.5, prepared.pixels, atol=1e-6)


def test_layout_is_the_connectors_own(pictures: Batch) -> None:
    model = Llava(llava_next(config(600)))
    tokens = pictures.grid.tiles * (TILE // PATCH) ** 2
    size = len(model.connector.newline)
    torch.nn.init.constant_(model.connector.newline, -1)
    numbers = torch.arange(tokens).float()[:, None].expand(-1, size).reshape(pictures.grid.tiles, -1, size)
    packed = model.connector.pack(numbers, pictures.grid)[:, 0]
    assert packed.int().tolist() == layout(pictures.grid, TILE // PATCH).tolist()


def test_patches_know_their_shape(pictures: Batch) -> None:
    targets = patch_targets(pictures)
    assert pictures.owners.max() <= UNCLEAR
    for index, drawn in enumerate(pictures.scenes):
        seen = set(np.unique(pictures.owners[index, 0])) - {NOBODY, UNCLEAR}
        assert seen <= set(range(1, len(drawn.shapes) + 1))
        assert len(seen) >= len(drawn.shapes) - 1  # a small one on a long canvas may cover no patch well
        assert (targets[index, 0][pictures.owners[index, 0] == NOBODY, 0] == 0).all()
        assert (targets[index, 1:, :, 3:] == IGNORED).all()


def test_pieces_encode_as_the_whole_prompt_does(tokenizer: Tokenizer, pictures: Batch) -> None:
    teacher, rng = Teacher(tokenizer), np.random.default_rng(0)
    lesson = teacher.lesson(pictures, rng, tiles="all")
    for turns, text, labels in zip(lesson.turns, lesson.text, lesson.labels, strict=True):
        asked, answered = segments(turns)
        whole = "".join(question + answer for question, answer in zip(asked, answered, strict=True))
        ids = [token for token in text.tolist() if token != PAD]
        expected = tokenizer.encode("USER: <image>" + whole).ids
        assert [*teacher.prefix, 3, *ids] == expected[: len(ids) + len(teacher.prefix) + 1]
        assert expected[0] == BOS
        learnt = [label for label in labels.tolist() if label != IGNORED]
        assert tokenizer.decode(learnt, skip_special_tokens=False).startswith(answered[0].strip())
        assert learnt.count(EOS) >= 4


def test_student_computes_what_the_product_computes(tokenizer: Tokenizer, pictures: Batch) -> None:
    torch.manual_seed(0)
    settled = llava_next(config(tokenizer.get_vocab_size()))
    student = Student(settled)
    lesson = Teacher(tokenizer).lesson(pictures, np.random.default_rng(0), tiles="all")
    with torch.no_grad():
        states = student.tower(lesson.tiles.flatten(0, 1))
        ours = student.answer(states, len(lesson.tiles), lesson.layout, lesson.prefix, lesson.text)
        product = Llava(settled)
        product.load_state_dict(plain_weights(student))
        image = torch.full((len(lesson.text), len(lesson.layout)), settled.image_token_id)
        pixels = (lesson.tiles.flatten(0, 1).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        logits, _ = product(
            torch.cat((lesson.prefix, image, lesson.text), 1), pixels, [pictures.grid] * len(lesson.text)
        )
    torch.testing.assert_close(ours, logits[:, -lesson.text.shape[1] - 1 : -1], atol=1e-4, rtol=1e-4)


def test_stacked_matrices_leave_apart(tokenizer: Tokenizer) -> None:
    student = Student(llava_next(config(tokenizer.get_vocab_size())))
    tensors = hub_tensors(student)
    stacked = plain_weights(student)["decoder.blocks.2.attention.qkv.weight"]
    parts = [tensors[f"language_model.model.layers.2.self_attn.{name}_proj.weight"] for name in "qkv"]
    assert torch.equal(torch.cat(parts), stacked)
