"""Tokenizers in the shapes that published checkpoints have, trained on the spot on a few sentences.

Every function gives a `tokenizers.Tokenizer` whose tokenizer.json has the parts of its model's own: normalizer,
pre-tokenizer, post-processor, decoder, and which of the added tokens are special.
"""

from __future__ import annotations

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from tests.reference.corpus import CORPUS

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,%d}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def llama2(added: tuple[str, ...] = ("<image>", "<pad>")) -> Tokenizer:
    """Llama-2 and Mistral: SentencePiece turned to BPE; `▁` put before every piece of text, bytes as a fallback."""
    tokenizer = sentencepiece(("<unk>", "<s>", "</s>"), special=("<unk>", "<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return with_special(tokenizer, added)


def yi() -> Tokenizer:
    """Yi-34B: Llama-2's shape without BOS; `<|im_start|>`, digits, stops and the newline are added but not special."""
    special = ("<unk>", "<|startoftext|>", "<|endoftext|>", "<|Human|>", "<|Assistant|>", "<|System|>")
    plain = ("<|im_start|>",)
    tokenizer = sentencepiece(
        (*special, *plain, "<|im_end|>", *"0123456789", *",.!?", "\n"), special=(*special, "<|im_end|>")
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    return with_special(tokenizer, ("<image>",))


def llama3() -> Tokenizer:
    """Llama-3: byte-level, three digits to a piece, whole words taken before merges, BOS from the post-processor."""
    model = byte_level_model(SPLIT % 3)
    tokenizer = Tokenizer(BPE(vocab=model["vocab"], merges=model["merges"], ignore_merges=True))
    tokenizer.pre_tokenizer = splitter(SPLIT % 3)
    tokenizer.decoder = decoders.ByteLevel()
    with_special(tokenizer, ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"))
    with_special(tokenizer, ("<|eot_id|>", "<image>", "<pad>"))
    bos = "<|begin_of_text|>"
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{bos} $A",
                pair=f"{bos} $A {bos}:1 $B:1",
                special_tokens=[(bos, tokenizer.token_to_id(bos))],
            ),
        ]
    )
    return tokenizer


def qwen() -> Tokenizer:
    """Qwen1.5: byte-level after NFC, one digit to a piece, no BOS."""
    model = byte_level_model(SPLIT % 1)
    tokenizer = Tokenizer(BPE(vocab=model["vocab"], merges=model["merges"]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = splitter(SPLIT % 1)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False, add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    return with_special(tokenizer, ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"))


def sentencepiece(first: tuple[str, ...], special: tuple[str, ...]) -> Tokenizer:
    """A BPE with byte fallback whose vocabulary starts with `first`, of which `special` are left out when decoding."""
    trained = Tokenizer(BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    known = ["".join(character for character in line if character < "\u0500") for line in CORPUS]  # bytes for the rest
    trained.train_from_iterator(known * 4, BpeTrainer(vocab_size=420, show_progress=False, special_tokens=["<unk>"]))
    model = contents(trained)
    pieces = [piece for piece in model["vocab"] if piece not in first]
    vocabulary = {piece: number for number, piece in enumerate((*first, *BYTES, *pieces))}
    tokenizer = Tokenizer(
        BPE(vocab=vocabulary, merges=model["merges"], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    for token in first:
        add(tokenizer, token, special=token in special)
    return tokenizer


def byte_level_model(split: str) -> dict:
    """Vocabulary and merges of a byte-level BPE."""
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = splitter(split)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        CORPUS * 4, BpeTrainer(vocab_size=500, show_progress=False, initial_alphabet=sorted(alphabet))
    )
    return contents(trained)


def splitter(pattern: str) -> pre_tokenizers.PreTokenizer:
    """GPT-4's way of cutting text into words, then bytes written as printable characters."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def contents(tokenizer: Tokenizer) -> dict:
    """The trained model: `vocab` in the order of ids, `merges` as pairs."""
    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    return {"vocab": vocab, "merges": [tuple(pair) for pair in model["merges"]]}


def with_special(tokenizer: Tokenizer, tokens: tuple[str, ...]) -> Tokenizer:
    """The same tokenizer with special tokens after its last id."""
    for token in tokens:
        add(tokenizer, token, special=True)
    return tokenizer


def add(tokenizer: Tokenizer, token: str, *, special: bool) -> None:
    """One added token, matched as it is: neither normalised nor stripped."""
    added = AddedToken(token, normalized=False, special=special)
    (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([added])
