"""Text to token ids and back, as the checkpoint's tokenizer.json says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import AddedToken, Encoding
from tokenizers import Tokenizer as Backend

from llavacli_core.errors import BrokenModel, PromptError
from llavacli_core.prompt.cleanup import clean_up
from llavacli_core.prompt.files import PULL_AGAIN, read_json
from llavacli_core.prompt.special_tokens import declared, missing
from llavacli_core.prompt.vocabulary import from_vocabulary, has_vocabulary


class Tokenizer:
    """A tokenizer.json with the added tokens and the names that the files beside it declare."""

    def __init__(
        self,
        backend: Backend,
        *,
        special_tokens: dict[str, str],
        added_in_turn: tuple[list[AddedToken], ...],
        cleans_up: bool,
    ) -> None:
        """`special_tokens` by role; `added_in_turn`: the added tokens, as they were added to the backend.

        `cleans_up`: decoded text loses its spaces before punctuation.
        """
        self.backend = backend
        self.special_tokens = special_tokens
        self.added_in_turn = added_in_turn
        self.cleans_up = cleans_up
        self._pieces: dict[int, str | None] = {}

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """Load tokenizer.json as it is, but without truncation and padding, and add what the other files declare.

        Where there is none, an older form of vocabulary stands in for it.

        `add_bos_token` and `add_eos_token` are left alone, as transformers 5.23 does beside a tokenizer.json: whether
        special tokens are put around a text is its post-processor's business.
        """
        config = read_json(folder / "tokenizer_config.json")
        if not (folder / "tokenizer.json").exists() and has_vocabulary(folder):
            backend, roles = from_vocabulary(folder, config)
            config = roles | config
        else:
            backend = _load(folder / "tokenizer.json")
        present = [token for _, token in sorted(backend.get_added_tokens_decoder().items())]
        found = declared(folder, config, present)
        more = missing(found, present)
        backend.add_tokens(more)
        # BPE text is never cleaned up, whatever the file says: it would eat spaces the model wrote (transformers 5.23).
        byte_pairs = type(backend.model).__name__ == "BPE"
        return cls(
            backend,
            special_tokens={name: token.content for name, token in found.named.items()},
            added_in_turn=(present, more),
            cleans_up=bool(config.get("clean_up_tokenization_spaces")) and not byte_pairs,
        )

    @property
    def vocab_size(self) -> int:
        """Tokens known, added ones included."""
        return self.backend.get_vocab_size(with_added_tokens=True)

    @cached_property
    def added_tokens(self) -> dict[int, AddedToken]:
        """The tokens that are found in a text before it is split up, by id."""
        return self.backend.get_added_tokens_decoder()

    @cached_property
    def controls(self) -> dict[int, AddedToken]:
        """The added tokens that act: special ones, and those that plain text cannot spell.

        The others are words. Yi adds "```" and runs of tabs, which its merges make of plain characters all the same.
        """
        spell = self.backend.model.tokenize
        return {
            token_id: token
            for token_id, token in self.added_tokens.items()
            if token.special or [piece.id for piece in spell(token.content)] != [token_id]
        }

    @cached_property
    def unknown_ids(self) -> frozenset[int]:
        """The ids that letters outside the vocabulary become: at most `<unk>`."""
        names = {self.special_tokens.get("unk_token"), getattr(self.backend.model, "unk_token", None)}
        return frozenset(token_id for name in names if name and (token_id := self.id_of(name)) is not None)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of a text; `add_special_tokens` puts the tokenizer's own (BOS) around it."""
        return self.encoding(text, add_special_tokens=add_special_tokens).ids

    def encoding(self, text: str, *, add_special_tokens: bool) -> Encoding:
        """As `encode`, with each token's place in the text (`offsets`, in characters)."""
        try:
            return self.backend.encode(text, add_special_tokens=add_special_tokens)
        except TypeError as error:  # all the library says of a lone surrogate
            raise PromptError(
                "the text holds half a character (a lone surrogate), which no tokenizer takes",
                hint="it was read in another encoding than its own; give it as UTF-8",
            ) from error

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids; ids beyond the vocabulary are passed over."""
        text = self.backend.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return clean_up(text) if self.cleans_up else text

    def id_of(self, token: str) -> int | None:
        """The id of a token, added or not; None where there is none."""
        return self.backend.token_to_id(token)

    def token_of(self, token_id: int) -> str | None:
        """The token of an id; None beyond the vocabulary."""
        return self.backend.id_to_token(token_id)

    def piece(self, token_id: int) -> str | None:
        """The token as the decoder sees it; None for what does not show: special tokens, ids beyond the vocabulary."""
        try:
            return self._pieces[token_id]
        except KeyError:
            return self._pieces.setdefault(token_id, self._shown(token_id))

    def _shown(self, token_id: int) -> str | None:
        if token_id in self.added_tokens:
            # Once special, a token stays so even when it is added again without the flag, hence the backend is asked.
            # Twice, because a decoder may strip what begins a text.
            twice = [token_id, token_id]
            if self.backend.decode(twice) != self.backend.decode(twice, skip_special_tokens=False):
                return None
        return self.token_of(token_id)


def _load(path: Path) -> Backend:
    """tokenizer.json, cutting nothing off and filling nothing up."""
    if not path.is_file():
        raise BrokenModel(
            f"{path.parent}: no tokenizer.json",
            hint="this checkpoint brings its vocabulary in another form; with transformers, "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes the file",
        )
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise BrokenModel(f"{path}: damaged, or of an unknown form ({error})", hint=PULL_AGAIN) from error
    backend.no_truncation()
    backend.no_padding()
    return backend
