"""Text as it comes is, joined, the text of all ids decoded at once."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llavacli_core.prompt.cleanup import clean_up, settled
from llavacli_core.prompt.detokenizer import Detokenizer
from tests.prompt.kinds import KINDS, tokenizer
from tests.reference.corpus import CORPUS

STREAMED = [kind for kind in KINDS if kind != "suffixed"]


def pieces(kind, ids):
    detokenizer = Detokenizer(tokenizer(kind))
    return [*map(detokenizer.push, ids), detokenizer.finish()]


def bytes_of(kind):
    """Ids of tokens that stand for single bytes, or at least for little."""
    found = [token_id for token_id in range(tokenizer(kind).vocab_size) if is_short(tokenizer(kind).token_of(token_id))]
    assert found
    return found


def is_short(token):
    return len(token) == 1 or token.startswith("<0x")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_pieces_join_to_the_whole(kind, data):
    vocabulary = tokenizer(kind).vocab_size
    any_id = st.one_of(st.integers(0, vocabulary + 3), st.sampled_from(bytes_of(kind)))
    ids = data.draw(st.lists(any_id, max_size=40))
    assert "".join(pieces(kind, ids)) == tokenizer(kind).decode(ids)


@pytest.mark.parametrize("kind", ["llama2", "qwen"])
@given(data=st.data())
def test_broken_utf8_joins_to_the_whole(kind, data):
    ids = data.draw(st.lists(st.sampled_from(bytes_of(kind)), max_size=12))
    assert "".join(pieces(kind, ids)) == tokenizer(kind).decode(ids)


@pytest.mark.parametrize("kind", ["llama2", "yi", "llama3", "qwen"])
@given(text=st.text(max_size=30).filter(lambda text: "\ufffd" not in text))
def test_no_character_is_split(kind, text):
    got = pieces(kind, tokenizer(kind).encode(text, add_special_tokens=False))
    assert all("\ufffd" not in piece for piece in got)


@pytest.mark.parametrize("kind", STREAMED)
def test_text_comes_before_the_end(kind):
    ids = tokenizer(kind).encode("a b a b a b", add_special_tokens=False)
    *early, last = pieces(kind, ids)
    assert "".join(early).startswith("a b a")
    assert len(last) <= 2


def test_a_character_waits_for_its_last_byte():
    ids = [tokenizer("llama2").id_of(f"<0x{byte:02X}>") for byte in "é".encode()]
    after = tokenizer("llama2").encode("a", add_special_tokens=False)
    assert pieces("llama2", [*ids, *after]) == ["", "", "é a", ""]


def test_special_tokens_and_strange_ids_show_nothing():
    llama = tokenizer("llama2")
    assert pieces("llama2", [llama.id_of("<s>"), llama.vocab_size + 7, llama.id_of("▁a"), llama.id_of("</s>")]) == [
        "", "", "a", "", "",
    ]  # fmt: skip


@example("a n '", " t")  # the quotation mark draws in its spaces, and then there is a contraction
@example("a '", " b")
@given(st.text(alphabet=" .,'ntsx", max_size=14), st.text(alphabet=" .,'ntsx", max_size=8))
def test_what_is_settled_is_cleaned_up_alone(begun, more):
    cut = settled(begun)
    assert clean_up(begun[:cut]) + clean_up(begun[cut:] + more) == clean_up(begun + more)


def test_clean_up_draws_punctuation_to_its_word():
    assert clean_up("it 's n't so , you ' re !") == "it'sn't so, you're!"


@pytest.mark.parametrize("line", CORPUS)
def test_the_corpus_comes_back(line):
    assert "".join(pieces("qwen", tokenizer("qwen").encode(line))) == line
