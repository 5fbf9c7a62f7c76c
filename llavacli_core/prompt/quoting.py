"""Control tokens that were typed are kept as text.

Where one was, the prompt is encoded by a twin of the tokenizer, over the same model, in which the control tokens that
the template wrote go by other names (private-use characters) and all others are unknown. A typed `</s>` or `<image>` is
ordinary text to it, while the library treats prefix spaces and normalisation around each token as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from llavacli_core.errors import TemplateError
from llavacli_core.prompt.marks import Marked, Span, unused
from llavacli_core.prompt.tokenizer import Tokenizer


@dataclass(frozen=True)
class Acting:
    """A control token that acts in a text, and from where to where it reaches."""

    token_id: int
    span: Span


def acting(tokenizer: Tokenizer, text: str) -> list[Acting]:
    """The control tokens that act in a text, in order."""
    encoding = tokenizer.encoding(text, add_special_tokens=False)
    found = []
    for token_id, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True):
        token = tokenizer.controls.get(token_id)
        # letters outside the vocabulary become `<unk>` too, without its being written
        written = token_id not in tokenizer.unknown_ids or text[start:stop].strip() == tokenizer.token_of(token_id)
        if token is not None and written:
            found.append(Acting(token_id, (start, stop)))
    return found


def quoted(tokenizer: Tokenizer, marked: Marked, skeleton: str, *, add_special_tokens: bool) -> list[int]:
    """The ids of a skeleton with its texts restored, in which only what the template wrote acts."""
    found = acting(tokenizer, skeleton)
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
    inside = [token_id for token_id, around in zip(ids, added_around, strict=True) if not around]
    _verify(tokenizer, inside, [each.token_id for each in found])
    return ids


def cannot_quote(tokens: list[str]) -> TemplateError:
    """The error for typed control tokens that would act after all."""
    listed = ", ".join(dict.fromkeys(map(repr, tokens)))
    return TemplateError(
        f"this checkpoint cannot take {listed} in a message as plain text",
        hint="leave it out, or put a space inside it",
    )


def _rename(tokenizer: Tokenizer, skeleton: str, found: list[Acting], names: dict[int, str]) -> str:
    """The skeleton with each control token under its other name; white space that it swallows stays beside it."""
    pieces, end = [], 0
    for each in found:
        start, stop = each.span
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


def _verify(tokenizer: Tokenizer, ids: list[int], written: list[int]) -> None:
    """Refuse ids in which other control tokens act than those `written` by the template."""
    wanted = [token_id for token_id in written if token_id not in tokenizer.unknown_ids]
    got = [token_id for token_id in ids if token_id in tokenizer.controls and token_id not in tokenizer.unknown_ids]
    if got != wanted:
        raise cannot_quote([tokenizer.controls[token_id].content for token_id in got if token_id not in wanted])
