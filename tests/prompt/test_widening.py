"""Every placeholder becomes the tokens of its picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.errors import PromptError
from llavacli_core.prompt.layout import Span, widen

ids = st.lists(st.integers(0, 3), max_size=12)  # 3 is the placeholder


@given(ids, st.data())
def test_widening(narrow, data):
    counts = data.draw(st.lists(st.integers(1, 5), min_size=narrow.count(3), max_size=narrow.count(3)))
    layout = widen(narrow, 3, counts)
    left = iter(counts)
    assert list(layout.token_ids) == [each for token in narrow for each in [token] * (next(left) if token == 3 else 1)]
    assert [span.length for span in layout.spans] == counts
    for span in layout.spans:
        assert set(layout.token_ids[span.start : span.start + span.length]) == {3}


def test_widening_knows_its_places():
    assert widen((1, 3, 2, 3), 3, [2, 1]).spans == (Span(1, 2), Span(4, 1))
    with pytest.raises(PromptError, match="2 places"):
        widen((3, 3), 3, [7])
