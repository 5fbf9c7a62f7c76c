"""Tokenizers of every kind that decodes in its own way, and the folders they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE, WordLevel, WordPiece
from tokenizers.trainers import BpeTrainer, WordPieceTrainer

from llavacli_core.prompt.tokenizer import Tokenizer
from tests.reference import tokenizing
from tests.reference.corpus import CORPUS


def metaspace() -> Backend:
    """Spaces written as `▁`, dropped from the first token alone; no bytes, so strange letters are `<unk>`."""
    backend = Backend(BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>", "</s>", "<image>"]
    trainer = BpeTrainer(vocab_size=300, show_progress=False, special_tokens=special, limit_alphabet=60)
    backend.train_from_iterator(CORPUS, trainer)
    return backend


def word_piece() -> Backend:
    """BERT: continuations begin with `##`, decoded text is cleaned up twice."""
    backend = Backend(WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(cleanup=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=special)
    backend.train_from_iterator([*CORPUS, "'s n't 'm 've 're ' . , ! ? do not"], trainer)
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return backend


def words() -> Backend:
    """No decoder at all: tokens are joined by spaces."""
    backend = Backend(WordLevel({"<unk>": 0, "a": 1, "b": 2, "c d": 3, "é": 4}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return backend


def suffixed() -> Backend:
    """A decoder that is not streamed: it treats the last token differently."""
    backend = words()
    backend.decoder = decoders.BPEDecoder(suffix="b")
    return backend


def odd_flags() -> Backend:
    """Llama-2 with added tokens that swallow white space, want to stand alone, or are matched after normalisation."""
    backend = tokenizing.llama2(())
    backend.add_tokens(
        [
            AddedToken("<image>", lstrip=True, rstrip=True, normalized=False, special=True),
            AddedToken("<video>", normalized=False, special=True),
            AddedToken("<alone>", single_word=True, normalized=False, special=True),
            AddedToken("<turned>", normalized=True),
            AddedToken("wör", normalized=False),  # a word, but plain text cannot spell it
        ]
    )
    return backend


KINDS: dict[str, Callable[[], Backend]] = {
    "llama2": tokenizing.llama2,
    "yi": tokenizing.yi,
    "llama3": tokenizing.llama3,
    "qwen": tokenizing.qwen,
    "metaspace": metaspace,
    "word_piece": word_piece,
    "words": words,
    "suffixed": suffixed,
    "odd_flags": odd_flags,
}
NAMES = {
    "llama2": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
    "yi": {"bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "unk_token": "<unk>", "pad_token": "<unk>"},
    "llama3": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<pad>"},
    "qwen": {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "metaspace": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "word_piece": {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"},
    "words": {"unk_token": "<unk>"},
    "suffixed": {"unk_token": "<unk>"},
    "odd_flags": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
}


@cache
def folder(kind: str) -> Path:
    """A folder with the tokenizer of a kind, written once a session."""
    path = Path(mkdtemp(prefix=f"tokenizer-{kind}-"))
    KINDS[kind]().save(str(path / "tokenizer.json"))
    config = {**NAMES[kind], "tokenizer_class": "PreTrainedTokenizerFast"}
    config["clean_up_tokenization_spaces"] = kind in ("word_piece", "llama3")
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


@cache
def tokenizer(kind: str) -> Tokenizer:
    """Ours, of a kind."""
    return Tokenizer.from_folder(folder(kind))
