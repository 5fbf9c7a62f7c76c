"""The documented tokenizer: `prompt.Tokenizer` made callable, with padding, truncation and the roles of its tokens."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

from llavacli_core.documented.batch import BatchFeature, Tensors
from llavacli_core.documented.errors import WrongType
from llavacli_core.documented.folders import folder_for, folder_of, hub_options, write_json
from llavacli_core.documented.text.conversations import Conversation, is_batch, prompt_of
from llavacli_core.documented.text.keywords import CALL, cut_to, heeded, texts_of
from llavacli_core.documented.text.padding import NO_LIMIT, Padding, batch_of, columns_in, padded, target_length
from llavacli_core.documented.text.vocabulary import Vocabulary
from llavacli_core.errors import BadOption, TemplateError
from llavacli_core.prompt.cleanup import clean_up
from llavacli_core.prompt.files import read_json
from llavacli_core.prompt.template import CUSTOM, Template, find_template
from llavacli_core.prompt.tokenizer import Tokenizer


class PreTrainedTokenizerFast(Vocabulary):
    """Texts to ids and back."""

    is_fast = True
    model_input_names: ClassVar[list[str]] = ["input_ids", "attention_mask"]

    def __init__(self, tokenizer: Tokenizer, folder: Path, **kwargs: Any) -> None:
        """`folder` is where the files are that `save_pretrained` copies."""
        stored = read_json(folder / "tokenizer_config.json")
        for name, usual in (("add_bos_token", True), ("add_eos_token", False)):
            if bool(kwargs.get(name, usual)) != bool(stored.get(name, usual)):
                raise BadOption(f"{name} is what tokenizer.json says", hint="add_special_tokens=False in calls")
        config = stored | kwargs
        self.tokenizer = self.as_read = tokenizer
        self.folder = folder
        self.padding_side: str = config.get("padding_side") or "right"
        self.truncation_side: str = config.get("truncation_side") or "right"
        self.model_max_length = int(config.get("model_max_length") or NO_LIMIT)
        template = find_template(folder)
        self.chat_template: str | None = kwargs.get("chat_template") or (None if template is None else template.source)
        named = {name: value for name, value in kwargs.items() if name.endswith("_token") and value is not None}
        self.special_tokens_map: dict[str, str] = {**tokenizer.special_tokens, **named}

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Self:
        """The tokenizer of a folder, a Hub id or an alias; keywords replace what tokenizer_config.json says."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        return cls(Tokenizer.from_folder(folder), folder, **kwargs)

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        *,
        add_special_tokens: bool = True,
        padding: Padding = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: Tensors = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """`input_ids` and `attention_mask`, of one text [T] or of several [B][T]; [B, T] as tensors.

        Further keywords: `return_attention_mask`, `return_token_type_ids`.
        """
        single = isinstance(text, str)
        limit = cut_to(truncation, padding, max_length, self.model_max_length)
        rows = [self.row(each, limit, add_special_tokens=add_special_tokens) for each in texts_of(text)]
        batch = self.pad(
            rows,
            padding=padding,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            return_tensors=return_tensors,
            **heeded(kwargs),
        )
        if single and return_tensors is None:
            return BatchFeature({name: rows[0] for name, rows in batch.items()})
        return batch

    def row(self, text: str, limit: int | None, *, add_special_tokens: bool) -> list[int]:
        """The ids of a text, cut to `limit` of them; the special tokens around it are never cut off."""
        ids = self.tokenizer.encode(text, add_special_tokens)
        if limit is None or len(ids) <= limit:
            return ids
        backend = self.tokenizer.backend
        encoding = self.tokenizer.encoding(text, add_special_tokens=False)
        around = backend.num_special_tokens_to_add(is_pair=False) if add_special_tokens else 0
        encoding.truncate(max(limit - around, 0), direction=self.truncation_side)
        return backend.post_process(encoding, None, add_special_tokens).ids if around else encoding.ids

    def pad(
        self,
        rows: Any,
        *,
        padding: Padding = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: Tensors = None,
        return_attention_mask: bool | None = None,
        return_token_type_ids: bool | None = None,
    ) -> BatchFeature:
        """Rows of ids, or what calls gave of texts, as a batch; other columns than ids and masks stay as they are."""
        if isinstance(rows, Mapping) and len(rows["input_ids"]) and isinstance(rows["input_ids"][0], int):
            rows = {name: [column] for name, column in rows.items()}  # of one text
        columns = columns_in(rows)
        given, own_masks = columns.pop("input_ids"), columns.pop("attention_mask", None)
        length = target_length(given, padding, max_length or self.model_max_length, pad_to_multiple_of)
        side = padding_side or self.padding_side
        ids, masks = padded(given, length=length, side=side, pad_token_id=self.pad_token_id)
        if own_masks is not None:
            masks, _ = padded(own_masks, length=length, side=side, pad_token_id=0)
        kept = None if return_attention_mask is False else masks
        return batch_of(ids, kept, return_tensors, types=bool(return_token_type_ids), beside=columns)

    def leading(self, row: Sequence[int]) -> int:
        """How many of a row's first ids are special tokens that stand before every text."""
        around = self.tokenizer.encode("", add_special_tokens=True)
        return next((n for n in range(len(around), 0, -1) if list(row[:n]) == around[:n]), 0)

    def encode(self, text: str, **kwargs: Any) -> Any:
        """The ids of one text; keywords as of a call."""
        return self(text, **kwargs)["input_ids"]

    @property
    def name_or_path(self) -> str:
        """Where it came from."""
        return str(self.folder)

    def tokenize(self, text: str, *, add_special_tokens: bool = False) -> list[str]:
        """The tokens of a text."""
        return self.tokenizer.encoding(text, add_special_tokens=add_special_tokens).tokens

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **_: Any,
    ) -> Any:
        """The text of ids, or the texts of rows of ids, from lists or tensors."""
        ids = token_ids.tolist() if hasattr(token_ids, "tolist") else token_ids
        if isinstance(ids, int):
            ids = [ids]
        if isinstance(ids, (str, bytes)):
            raise WrongType("decode takes ids, not a text", hint="the tokenizer itself makes ids of a text")
        if ids and not isinstance(ids[0], int) and not getattr(ids[0], "ndim", 1):
            ids = [int(each) for each in ids]  # numbers of torch or NumPy, one by one
        if ids and not isinstance(ids[0], int):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        if clean_up_tokenization_spaces is None:
            return self.tokenizer.decode(ids, skip_special_tokens)
        text = self.tokenizer.backend.decode(list(ids), skip_special_tokens=skip_special_tokens)
        byte_pairs = type(self.tokenizer.backend.model).__name__ == "BPE"  # never cleaned up, as in `prompt.tokenizer`
        return clean_up(text) if clean_up_tokenization_spaces and not byte_pairs else text

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **_: Any,
    ) -> list[str]:
        """The text of each row of ids."""
        if not len(sequences):
            return []
        texts = self.decode(sequences, skip_special_tokens, clean_up_tokenization_spaces)
        return [texts] if isinstance(texts, str) else texts

    def template(self, chat_template: str | None = None) -> Template:
        """The chat template that was given, or the checkpoint's."""
        source = chat_template or self.chat_template
        if source is None:
            raise TemplateError(f"{self.folder} brings no chat template", hint="give one: chat_template=...")
        return Template(source, CUSTOM, "chat_template")

    def apply_chat_template(
        self,
        conversation: Conversation | Sequence[Conversation],
        *,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        tokenize: bool = True,
        return_dict: bool = True,
        **kwargs: Any,
    ) -> Any:
        """The prompt of a conversation or the prompts of several; tokenized, `input_ids` and `attention_mask` of them.

        Further keywords as of a call; `continue_final_message`; and the template's variables. Special tokens are the
        template's to write.
        """
        told = {name: kwargs.pop(name) for name in [*kwargs] if name not in CALL}
        prompts = self.prompts(
            conversation, self.template(chat_template), {**told, "add_generation_prompt": add_generation_prompt}
        )
        if not tokenize:
            return prompts
        found = self(prompts, **{**kwargs, "add_special_tokens": False})
        return found if return_dict else found["input_ids"]

    def prompts(self, conversation: Any, template: Template, told: Mapping[str, Any]) -> Any:
        """A conversation's prompt, or the prompts of several; `told` are `continue_final_message` and variables."""
        variables = {**self.named_tokens, **told}
        goes_on = bool(variables.pop("continue_final_message", False))
        batch = is_batch(conversation)
        texts = [
            prompt_of(each, template, variables, continue_final_message=goes_on)
            for each in (conversation if batch else [conversation])
        ]
        return texts if batch else texts[0]

    def save_pretrained(self, save_directory: str | PathLike[str], **_: Any) -> tuple[str, ...]:
        """Write the tokenizer's files into a folder, as they came but for what was set since; gives their paths."""
        folder = folder_for(save_directory)
        if folder.resolve() == self.folder.resolve():
            raise BadOption(f"{folder} is where this tokenizer came from", hint="give another folder")
        for name in FILES:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / name)
        if not (folder / "tokenizer.json").is_file() or self.tokenizer is not self.as_read:  # in parts, or with more
            self.tokenizer.backend.save(str(folder / "tokenizer.json"))
        changed = {
            name: value for name, value in self.named_tokens.items() if value != self.tokenizer.special_tokens.get(name)
        }
        settings = {
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "model_max_length": self.model_max_length,
        }
        write_json(
            folder / "tokenizer_config.json", {**read_json(folder / "tokenizer_config.json"), **settings, **changed}
        )
        if (folder / "special_tokens_map.json").is_file():
            write_json(folder / "special_tokens_map.json", {**read_json(folder / "special_tokens_map.json"), **changed})
        if self.chat_template is not None:
            (folder / "chat_template.jinja").write_text(self.chat_template, encoding="utf-8")
        return tuple(str(folder / name) for name in FILES if (folder / name).is_file())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size}, {self.special_tokens_map})"


FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)

# transformers has a class for each vocabulary's make; tokenizer.json says it all, so here is one.
AutoTokenizer = PreTrainedTokenizerFast
BertTokenizer = BertTokenizerFast = PreTrainedTokenizerFast
GPT2Tokenizer = GPT2TokenizerFast = PreTrainedTokenizerFast
LlamaTokenizer = LlamaTokenizerFast = PreTrainedTokenizerFast
Qwen2Tokenizer = Qwen2TokenizerFast = PreTrainedTokenizerFast
RobertaTokenizer = RobertaTokenizerFast = PreTrainedTokenizerFast
XLMRobertaTokenizer = XLMRobertaTokenizerFast = PreTrainedTokenizerFast
