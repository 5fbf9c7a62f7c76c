"""What a run takes: its constants are those of the code that they speak of, and it grows with what is asked."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.checkpoint import footprint as counted
from llavacli_core.checkpoint import host
from llavacli_core.checkpoint.footprint import Form, Work, footprint, weigh
from llavacli_core.checkpoint.parts import parts_of
from llavacli_core.checkpoint.spread import needs_of, roomy
from llavacli_core.families.registry import family_of
from llavacli_core.nn import product
from llavacli_core.schemes import scheme_for
from tests.reference.captioners import PAIRS
from tests.reference.checkpoints import config as reference_config
from tests.reference.checkpoints import fast_tokenizer
from tests.reference.models import BASES


def read(config):
    values = json.loads(config.to_json_string())
    return family_of(values).read(values)


LLAVA = read(reference_config(BASES[0], fast_tokenizer(BASES[0])))
CAPTIONER = read(PAIRS[0].config())
FORMS = [
    Form(device=device, dtype=dtype, scheme=scheme_for(quantize, device))
    for device in ("cpu", "cuda")
    for dtype in ("float32", "bfloat16")
    for quantize in (None, "8bit", "4bit")
]


def test_where_16_bits_are_multiplied_as_32():
    if host.processor_flags():
        assert host.widens() == product.widens(torch.zeros(1, dtype=torch.bfloat16), 1000)


@pytest.mark.parametrize(("field", "fact"), [("amx", "has_amx"), ("reordered", "reorders")])
def test_what_this_processor_does_in_bfloat16(field, fact):
    told = getattr(host, fact)()
    if host.processor_flags():
        assert told == getattr(product, fact)(torch.bfloat16)
    forms = [
        counted.form_of(*each, None, "sdpa") for each in (("cpu", "bfloat16"), ("cpu", "float32"), ("cuda", "bfloat16"))
    ]
    assert [getattr(form, field) for form in forms] == [told, False, False]


def test_the_largest_decoder_matrix_on_disk_is_there_twice_while_it_settles():
    parts = [part for part in parts_of(LLAVA) if part.name.startswith("decoder.")]
    largest = max(rows * cols for part in parts for rows, cols in part.weights.matrices)
    on_disk = Form(device="cpu", dtype="float32")
    assert counted._settling(LLAVA, on_disk) == 4 * largest
    for copied in (replace(on_disk, dtype="bfloat16"), replace(on_disk, device="cuda")):  # as it was loaded
        assert counted._settling(LLAVA, copied) == 0


def test_a_tied_embedding_on_disk_settles_as_a_head_does():
    tied = replace(LLAVA, decoder=replace(LLAVA.decoder, tie_word_embeddings=True))
    (embedding,) = (part for part in parts_of(tied) if part.name == "decoder.embedding")
    on_disk = Form(device="cpu", dtype="float32")
    assert counted._settling(tied, on_disk) >= weigh(embedding, on_disk)
    assert counted._settling(tied, replace(on_disk, reordered=True)) < weigh(embedding, on_disk)


def test_the_largest_matrix_is_there_twice_while_it_is_put_in_order():
    largest = max(rows * cols for part in parts_of(LLAVA) for rows, cols in part.weights.matrices)
    plain = Form(device="cpu", dtype="bfloat16")
    few, many = Work(answer=counted.FIRST_WORDS), Work(answer=counted.FIRST_WORDS + 1)
    cached = footprint(LLAVA, plain, many).cache - footprint(LLAVA, plain, few).cache
    for form, twice in ((plain, 0), (replace(plain, reordered=True), 2 * largest)):
        before, after = (counted._settling(LLAVA, each) for each in (plain, form))
        assert after - before == twice
        assert footprint(LLAVA, form, few) == footprint(LLAVA, plain, few)
        assert footprint(LLAVA, form, many).total <= footprint(LLAVA, form, few).total + twice + cached


def test_a_head_on_disk_is_not_read_before_the_prompt_is():
    work = Work(prompt=100_000)
    mapped, copied = Form(device="cpu", dtype="float32"), Form(device="cpu", dtype="bfloat16")
    (head,) = (part for part in parts_of(LLAVA) if part.name == "decoder.head")
    alive = [
        found.weights + found.activations - counted._prefilling(LLAVA, form, work)
        for form in (mapped, copied)
        for found in (footprint(LLAVA, form, work),)
    ]
    everything = sum(part.weights.parameters for part in parts_of(LLAVA))
    unread = [4 * everything - alive[0], 2 * everything - alive[1]]
    assert unread == [weigh(head, mapped), 0]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("config", [LLAVA, CAPTIONER], ids=["llava", "captioner"])
def test_more_is_never_less(config, form):
    @given(st.integers(0, 2000), st.integers(0, 500), st.integers(0, 40), st.integers(1, 8), st.sampled_from(range(4)))
    def check(prompt, answer, tiles, rows, which):
        work = Work(prompt=prompt, answer=answer, tiles=tiles, rows=rows)
        name = ("prompt", "answer", "tiles", "rows")[which]
        less, more = (footprint(config, form, each) for each in (work, replace(work, **{name: vars(work)[name] + 1})))
        assert less.total <= more.total
        assert min(vars(more).values()) >= 0
        assert more.mapped <= more.weights
        assert more.least <= more.total

    check()


def test_weights_stay_on_disk_only_where_they_are_wanted_as_they_are():
    form = Form(device="cpu", dtype="float32")
    assert LLAVA.dtype == "float32"
    mapped = footprint(LLAVA, form, Work())
    assert mapped.mapped == mapped.weights
    assert footprint(LLAVA, replace(form, dtype="bfloat16"), Work()).mapped == 0
    assert footprint(LLAVA, replace(form, device="cuda"), Work()).mapped == 0
    quantized = footprint(LLAVA, replace(form, scheme=scheme_for("8bit", "cpu")), Work())
    assert 0 < quantized.mapped < quantized.weights < mapped.weights + 2**20


def test_all_weights_count_where_they_are_copied():
    everything = sum(part.weights.parameters for part in parts_of(LLAVA))
    assert footprint(LLAVA, Form(device="cuda", dtype="bfloat16"), Work()).weights == 2 * everything


@pytest.mark.parametrize("base", [*BASES, None], ids=lambda base: base.name if base else "captioner")
def test_a_layout_has_room_for_what_is_counted(base):
    """For any prompt about one picture, cut by any of the pinpoints: what doctor counts beside weights and cache."""
    config = read(reference_config(base, fast_tokenizer(base))) if base else CAPTIONER
    most = roomy(config)
    for form in FORMS:
        if form.device == "cpu":  # there, weights that are not yet read make room
            continue
        needs = needs_of(config, form, {f"{part.name}.weight": weigh(part, form) for part in parts_of(config)})
        for tiles in range(1, most.tiles + 1):
            for prompt in (most.prompt // 2, most.prompt):
                seen = min(prompt, tiles * most.image_tokens // most.tiles)
                work = replace(most, prompt=prompt, tiles=tiles, image_tokens=seen)
                assert footprint(config, form, work).activations <= needs.working
