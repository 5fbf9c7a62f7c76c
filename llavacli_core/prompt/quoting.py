"""Control tokens that were typed are kept as text.

Where one was, the prompt is encoded by a twin of the tokenizer, over the same model, in which the control tokens that
the template wrote go by other names (private-use characters) and all others are unknown. A typed `</s>` or `<image>` is
ordinary text to it, while the library treats prefix spaces and normalisation around each token as ever.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tokenizers import AddedToken, Encoding
from tokenizers import Tokenizer as Backend

from llavacli_core.errors import TemplateError
from llavacli_core.prompt.marks import Marked, Reach, unused
from llavacli_core.prompt.tokenizer import Tokenizer


@dataclass(frozen=True)
class Acting:
    """A control token that acts in a text, and where in it."""

    token_id: int
    reach: Reach


def acting(tokenizer: Tokenizer, text: str, encoding: Encoding) -> list[Acting]:
    """The control tokens that act in a text, in order; `encoding` is what the tokenizer made of it."""
    found = []
    tokens = zip(encoding.ids, encoding.offsets, encoding.special_tokens_mask, strict=True)
    for token_id, (start, stop), added_around in tokens:
        token = tokenizer.controls.get(token_id)
        if token is None or added_around:
            continue
        # letters outside the vocabulary become `<unk>` too, without its being written
        if token_id not in tokenizer.unknown_ids or text[start:stop].strip() == token.content:
            found.append(Acting(token_id, (start, stop)))
    return found


def quoted(tokenizer: Tokenizer, marked: Marked, skeleton: str, *, add_special_tokens: bool) -> list[int]:
    """The ids of a skeleton with its texts restored, in which only what the template wrote acts."""
    found = acting(tokenizer, skeleton, tokenizer.encoding(skeleton, add_special_tokens=False))
    free = unused({*skeleton, *(letter for text in marked.texts.values() for letter in text)})
    names = {token_id: next(free) for token_id in dict.fromkeys(each.token_id for each in found)}
    text, _ = marked.restore(_rename(tokenizer, skeleton, found, names))
    twin = _twin(tokenizer, names)
    true_ids = {twin.token_to_id(name): token_id for token_id, name in names.items()}
    encoding = twin.encode(text, add_special_tokens=add_special_tokens)
    added_around = encoding.special_tokens_mask  # BOS and its like have their own ids already
    ids = [
        token_id if around else true_ids.get(token_id, token_id)
        for token_id, around in zip(encoding.ids, added_around, strict=True)
    ]
    acts = [
        token_id
        for token_id, around in zip(ids, added_around, strict=True)
        if not around and token_id in tokenizer.controls and token_id not in tokenizer.unknown_ids
    ]
    wanted = [each.token_id for each in found if each.token_id not in tokenizer.unknown_ids]
    if acts != wanted:
        raise cannot_quote(tokenizer, acts, wanted)
    return ids


def cannot_quote(tokenizer: Tokenizer, acting_ids: list[int], written_ids: list[int]) -> TemplateError:
    """The error for control tokens that act although the template has not written them."""
    typed = dict.fromkeys(repr(tokenizer.controls[each].content) for each in Counter(acting_ids) - Counter(written_ids))
    return TemplateError(
        f"what was typed holds {', '.join(typed) or 'control tokens'}, which this checkpoint cannot take as plain text",
        hint="leave it out, or put a space inside it",
    )


def _rename(tokenizer: Tokenizer, skeleton: str, found: list[Acting], names: dict[int, str]) -> str:
    """The skeleton with each control token under its other name; white space that it swallows stays beside it."""
    pieces, end = [], 0
    for each in found:
        start, stop = each.reach
        written, content = skeleton[start:stop], tokenizer.controls[each.token_id].content
        core = content if content in written else written.strip()
        pieces += [skeleton[end:start], written.replace(core, names[each.token_id], 1)]
        end = stop
    return "".join([*pieces, skeleton[end:]])


def _twin(tokenizer: Tokenizer, names: dict[int, str]) -> Backend:
    """A tokenizer over the same model that knows the control tokens by `names` only; added words stay as they are."""
    backend = tokenizer.backend
    twin = Backend(backend.model)
    if backend.normalizer is not None:
        twin.normalizer = backend.normalizer
    if backend.pre_tokenizer is not None:
        twin.pre_tokenizer = backend.pre_tokenizer
    if backend.post_processor is not None:
        twin.post_processor = backend.post_processor
    for batch in tokenizer.added_in_turn:
        twin.add_tokens([token for each in batch if (token := _renamed(tokenizer, each, names)) is not None])
    return twin


def _renamed(tokenizer: Tokenizer, token: AddedToken, names: dict[int, str]) -> AddedToken | None:
    """An added token as the twin has it: a word unchanged, a control token under its name, None when it has none."""
    token_id = tokenizer.id_of(token.content)
    if token_id not in tokenizer.controls:
        return token
    if token_id not in names:
        return None
    return AddedToken(
        names[token_id],
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=token.special,
    )
