"""Every placeholder becomes the tokens of its picture or video."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.errors import PromptError
from llavacli_core.prompt.layout import Span, widen

IMAGE, VIDEO = 3, 4
ids = st.lists(st.integers(0, 4), max_size=12)


@given(ids, st.data())
def test_widening(narrow, data):
    images, videos = (
        data.draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
        for count in (narrow.count(IMAGE), narrow.count(VIDEO))
    )
    layout = widen(narrow, IMAGE, images, VIDEO, videos)
    left = {IMAGE: iter(images), VIDEO: iter(videos)}
    assert list(layout.token_ids) == [
        each for token in narrow for each in [token] * (next(left[token]) if token in left else 1)
    ]
    places = [token for token in narrow if token in left]
    assert [span.kind for span in layout.spans] == [{IMAGE: "image", VIDEO: "video"}[token] for token in places]
    for span, token in zip(layout.spans, places, strict=True):
        assert set(layout.token_ids[span.start : span.start + span.length]) == {token}
    for kind, counts in (("image", images), ("video", videos)):
        assert [span.length for span in layout.spans if span.kind == kind] == counts


def test_widening_knows_its_places():
    assert widen((1, 3, 2, 3), IMAGE, [2, 1]).spans == (Span(1, 2), Span(4, 1))
    assert widen((4, 3), IMAGE, [2], VIDEO, [3]).spans == (Span(0, 3, "video"), Span(3, 2, "image"))


@pytest.mark.parametrize(("images", "videos", "what"), [([7], [1], "2 places for images"), ([7, 7], [], "videos")])
def test_counts_must_agree(images, videos, what):
    with pytest.raises(PromptError, match=what):
        widen((3, 4, 3), IMAGE, images, VIDEO, videos)


def test_without_videos_their_token_is_one_like_others():
    assert widen((4, 3), IMAGE, [2]).token_ids == (4, 3, 3)
