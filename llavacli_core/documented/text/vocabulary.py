"""A tokenizer's tokens: their ids, those that have a role, and those that are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import AddedToken

from llavacli_core.errors import BadOption
from llavacli_core.prompt.tokenizer import Tokenizer

STANDARD = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
EXTRA = ("extra_special_tokens", "additional_special_tokens")  # special without a role; the second is the former name


class Vocabulary:
    """`bos_token`, `pad_token_id` and their like are attributes, None where there is none."""

    tokenizer: Tokenizer
    special_tokens_map: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_token_id"):
            token = getattr(self, name.removesuffix("_id"))
            return None if token is None else self.tokenizer.id_of(token)
        if name.endswith("_token") and (name in self.special_tokens_map or name in STANDARD):
            return self.special_tokens_map.get(name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.endswith("_token_id"):
            name, value = name.removesuffix("_id"), self.tokenizer.token_of(value)
        if name.endswith("_token"):
            self.special_tokens_map[name] = value
        else:
            super().__setattr__(name, value)

    def __len__(self) -> int:
        return self.tokenizer.vocab_size

    @property
    def vocab_size(self) -> int:
        """Tokens known, without those added."""
        return self.tokenizer.backend.get_vocab_size(with_added_tokens=False)

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""
        return self.tokenizer.backend.get_vocab(with_added_tokens=True)

    vocab = property(get_vocab)

    def get_added_vocab(self) -> dict[str, int]:
        """The tokens that were added, and their ids."""
        return {
            token.content: token_id for token_id, token in self.tokenizer.backend.get_added_tokens_decoder().items()
        }

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        decoder = self.tokenizer.backend.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """A token's id, or those of several; of unknown ones the unknown token's."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        found = self.tokenizer.id_of(tokens)
        return self.unk_token_id if found is None else found

    def convert_ids_to_tokens(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> Any:
        """An id's token, or those of several."""
        if isinstance(ids, int):
            return self.tokenizer.token_of(ids)
        left_out = set(self.all_special_ids) if skip_special_tokens else set()
        return [self.tokenizer.token_of(int(each)) for each in ids if int(each) not in left_out]

    @property
    def named_tokens(self) -> Mapping[str, str]:
        """The special tokens there are, by role: what templates are told."""
        return {name: token for name, token in self.special_tokens_map.items() if token is not None}

    @property
    def all_special_tokens(self) -> list[str]:
        """The tokens that have a role."""
        return list(dict.fromkeys(self.named_tokens.values()))

    @property
    def all_special_ids(self) -> list[int]:
        """Their ids."""
        return list(self.convert_tokens_to_ids(self.all_special_tokens))

    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Words to be found whole in texts, at the vocabulary's end where they are new; how many were.

        A model that is to know them needs `model.resize_token_embeddings(len(tokenizer))`. Special ones do not show
        where decoding skips special tokens.
        """
        given = [new_tokens] if isinstance(new_tokens, (str, AddedToken)) else new_tokens
        tokens = [
            AddedToken(each, special=special_tokens, normalized=not special_tokens) if isinstance(each, str) else each
            for each in given
        ]
        known, backend = self.tokenizer, self.tokenizer.backend
        count = backend.add_special_tokens(tokens) if special_tokens else backend.add_tokens(tokens)
        self.tokenizer = Tokenizer(  # a new one, for the old one remembers which tokens were added
            backend,
            special_tokens=known.special_tokens,
            added_in_turn=(*known.added_in_turn, tokens),
            cleans_up=known.cleans_up,
        )
        return count

    def add_special_tokens(self, special_tokens_dict: Mapping[str, Any], **_: Any) -> int:
        """Tokens by their roles, as in {"pad_token": "<pad>"}; how many of them are new."""
        unknown = special_tokens_dict.keys() - {*STANDARD, *EXTRA}
        if unknown:
            raise BadOption(
                f"{sorted(unknown)[0]} is no role of a special token", hint=", ".join((*STANDARD, EXTRA[0]))
            )
        count = 0
        for role, value in special_tokens_dict.items():
            count += self.add_tokens(value, special_tokens=True)
            if role in STANDARD:
                self.special_tokens_map[role] = str(value)
        return count
