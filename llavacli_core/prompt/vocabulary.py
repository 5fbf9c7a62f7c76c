"""A tokenizer from a vocabulary in parts, as checkpoints older than tokenizer.json have it.

Each follows the class of transformers that reads the same files: GPT2Tokenizer, Qwen2Tokenizer, RobertaTokenizer,
BertTokenizer, XLMRobertaTokenizer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE, Unigram, WordPiece

from llavacli_core.errors import BrokenModel
from llavacli_core.prompt.files import PULL_AGAIN, VOCABULARIES, read_json
from llavacli_core.prompt.sentencepiece import CONTROL, USER_DEFINED, read_model

Roles = dict[str, str]  # tokens by role, where tokenizer_config.json names no others

GPT2: Roles = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
QWEN2: Roles = dict.fromkeys(("eos_token", "unk_token", "pad_token"), "<|endoftext|>")
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ROBERTA: Roles = {
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
    **{f"{role}_token": f"<{role}>" for role in ("unk", "pad", "mask")},
}
BERT: Roles = {f"{role}_token": f"[{role.upper()}]" for role in ("unk", "sep", "pad", "cls", "mask")}


def has_vocabulary(folder: Path) -> bool:
    """Whether the folder holds all parts of a vocabulary."""
    return any(all((folder / name).is_file() for name in names) for names in VOCABULARIES)


def from_vocabulary(folder: Path, config: dict[str, Any]) -> tuple[Backend, Roles]:
    """The tokenizer, and the tokens by role that its kind has by itself; `config` is tokenizer_config.json."""
    config = read_json(folder / "special_tokens_map.json") | config
    for (name, *more), build in zip(VOCABULARIES, (_byte_pairs, _word_pieces, _sentence_pieces), strict=True):
        if all((folder / part).is_file() for part in (name, *more)):
            try:
                return build(folder, config)
            except BrokenModel:
                raise
            except Exception as error:  # the library raises nothing narrower
                raise BrokenModel(f"{folder / name}: damaged, or of another kind ({error})", hint=PULL_AGAIN) from error
    raise BrokenModel(f"{folder}: no vocabulary", hint=PULL_AGAIN)


def _byte_pairs(folder: Path, config: dict[str, Any]) -> tuple[Backend, Roles]:
    """Byte-level BPE: Qwen2's, GPT-2's, or RoBERTa's if the vocabulary has a `<s>`, which then goes around a text."""
    backend = Backend(BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    spaced = bool(config.get("add_prefix_space"))
    if str(config.get("tokenizer_class")).startswith("Qwen2"):  # whose vocabulary has one as well
        return _qwen(backend, spaced=spaced)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=spaced)
    backend.decoder = decoders.ByteLevel()
    if backend.token_to_id("<s>") is None:
        return backend, GPT2
    end, start = _named(config, ROBERTA, "sep_token", "cls_token")
    trims = bool(config.get("trim_offsets", True))
    around = (end, _id(backend, end)), (start, _id(backend, start))
    backend.post_processor = processors.RobertaProcessing(*around, trims, spaced)
    return backend, ROBERTA


def _qwen(backend: Backend, *, spaced: bool) -> tuple[Backend, Roles]:
    """Qwen2's: words by its own rule, every digit by itself."""
    backend.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=spaced, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    backend.decoder = decoders.ByteLevel()
    return backend, QWEN2


def _word_pieces(folder: Path, config: dict[str, Any]) -> tuple[Backend, Roles]:
    """BERT's WordPiece."""
    unknown, start, end = _named(config, BERT, "unk_token", "cls_token", "sep_token")
    backend = Backend(WordPiece.from_file(str(folder / "vocab.txt"), unk_token=unknown))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
        lowercase=bool(config.get("do_lower_case", True)),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{start}:0 $A:0 {end}:0",
        pair=f"{start}:0 $A:0 {end}:0 $B:1 {end}:1",
        special_tokens=[(token, _id(backend, token)) for token in (start, end)],
    )
    return backend, BERT


def _sentence_pieces(folder: Path, config: dict[str, Any]) -> tuple[Backend, Roles]:
    """XLM-RoBERTa's Unigram: fairseq puts four tokens of its own where the file has three, and `<mask>` at the end."""
    model = read_model(folder / "sentencepiece.bpe.model")
    roles = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    start, padding, end, unknown, mask = _named(config, ROBERTA, *roles)
    pieces = [(piece.text, piece.score) for piece in model.pieces[3:]]
    fairseq = [(token, 0.0) for token in (start, padding, end, unknown)]
    backend = Backend(Unigram([*fairseq, *pieces, (mask, 0.0)], unk_id=3, byte_fallback=False))
    if model.characters:
        backend.normalizer = normalizers.Precompiled(model.characters)
    scheme = "always" if config.get("add_prefix_space", True) else "never"
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme=scheme)
    backend.post_processor = processors.TemplateProcessing(
        single=[start, "$A", end],
        pair=[start, "$A", end, end, "$B", end],
        special_tokens=[(start, 0), (end, 2)],
    )
    apart = [piece for piece in model.pieces if piece.kind in (CONTROL, USER_DEFINED)]
    backend.add_tokens([AddedToken(piece.text, normalized=False, special=piece.kind == CONTROL) for piece in apart])
    return backend, ROBERTA


def _named(config: dict[str, Any], roles: Roles, *names: str) -> list[str]:
    """The texts of the tokens with these roles."""
    values = [config.get(name) or roles[name] for name in names]
    return [str(value["content"]) if isinstance(value, dict) else str(value) for value in values]


def _id(backend: Backend, token: str) -> int:
    """The id of a token that must be there."""
    found = backend.token_to_id(token)
    if found is None:
        raise ValueError(f"it has no {token}")
    return found
