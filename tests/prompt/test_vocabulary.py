"""Vocabularies in parts become the tokenizers that transformers makes of them."""

import json
import struct
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import normalizers, pre_tokenizers
from tokenizers.models import BPE, WordPiece
from tokenizers.trainers import BpeTrainer, WordPieceTrainer
from transformers import BertTokenizer, GPT2Tokenizer, Qwen2Tokenizer, RobertaTokenizer, XLMRobertaTokenizer

from llavacli_core.errors import BrokenModel
from llavacli_core.prompt.detokenizer import Detokenizer
from llavacli_core.prompt.sentencepiece import read_model
from llavacli_core.prompt.tokenizer import Tokenizer
from tests.reference.corpus import CORPUS

TEXTS = [
    "A cat on a mat.",
    " leading and  double  spaces ",
    "",
    "naïve café, 12 Ünïcödé… 漢字 🙂",
    "don't  stop\n\tnow",
    "What is 2024?  OK'LL\r\n \n cafe\u0301",
    "it 's a <mask> here </s>",
    *CORPUS[:6],
]


def byte_pairs(folder: Path, special: list[str]) -> None:
    backend = Backend(BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=420, show_progress=False, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator(CORPUS, trainer)
    backend.model.save(str(folder))


def gpt2(folder: Path) -> None:
    byte_pairs(folder, ["<|endoftext|>"])


def qwen(folder: Path) -> None:
    byte_pairs(folder, ["<|endoftext|>", "<s>", "</s>"])


def roberta(folder: Path) -> None:
    byte_pairs(folder, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])


def bert(folder: Path) -> None:
    backend = Backend(WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = WordPieceTrainer(vocab_size=300, show_progress=False, special_tokens=special)
    backend.train_from_iterator(CORPUS, trainer)
    backend.model.save(str(folder))


def sentence_pieces(folder: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    pytest.importorskip("google.protobuf")
    prefix = folder / "sentencepiece.bpe"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text for text in CORPUS if text.strip()]),
        model_prefix=str(prefix),
        model_type="unigram",
        vocab_size=220,
        hard_vocab_limit=False,
        minloglevel=2,
        user_defined_symbols=["<sep/>"],
    )
    prefix.with_suffix(".bpe.vocab").unlink()


KINDS = {
    "gpt2": (gpt2, GPT2Tokenizer, {}),
    "gpt2 spaced": (gpt2, GPT2Tokenizer, {"add_prefix_space": True}),
    "qwen2": (qwen, Qwen2Tokenizer, {"tokenizer_class": "Qwen2Tokenizer"}),
    "roberta": (roberta, RobertaTokenizer, {}),
    "roberta spaced": (roberta, RobertaTokenizer, {"add_prefix_space": True, "trim_offsets": False}),
    "bert": (bert, BertTokenizer, {}),
    "bert cased": (bert, BertTokenizer, {"do_lower_case": False, "tokenize_chinese_chars": False}),
    "bert with its accents": (bert, BertTokenizer, {"strip_accents": False}),
    "xlm-roberta": (sentence_pieces, XLMRobertaTokenizer, {}),
    "xlm-roberta unspaced": (sentence_pieces, XLMRobertaTokenizer, {"add_prefix_space": False}),
}


@pytest.fixture(params=KINDS)
def both(request, tmp_path):
    """(ours, the reference's)."""
    write, reference, config = KINDS[request.param]
    write(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return Tokenizer.from_folder(tmp_path), reference.from_pretrained(tmp_path)


@pytest.mark.parity
def test_ids_and_text(both):
    ours, reference = both
    for text in TEXTS:
        ids = reference.encode(text)
        assert ours.encode(text) == ids, text
        assert ours.encode(text, add_special_tokens=False) == reference.encode(text, add_special_tokens=False)
        for skip in (True, False):
            kwargs = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": False}
            assert ours.decode(ids, skip_special_tokens=skip) == reference.decode(ids, **kwargs)
    assert ours.vocab_size == len(reference)
    assert {role: ours.special_tokens[role] for role in reference.special_tokens_map} == reference.special_tokens_map


def test_text_as_it_comes(both):
    ours, _ = both
    random = Random(3)
    for _ in range(200):
        ids = random.choices(range(ours.vocab_size), k=random.randrange(12))
        detokenizer = Detokenizer(ours)
        assert "".join([*map(detokenizer.push, ids), detokenizer.finish()]) == ours.decode(ids)


def test_declared_tokens_come_before_the_defaults(tmp_path):
    byte_pairs(tmp_path, ["<|endoftext|>", "<|pad|>"])
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<|pad|>", "eos_token": "<|end|>"}))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert tokenizer.special_tokens["bos_token"] == "<|endoftext|>"
    assert tokenizer.special_tokens["eos_token"] == "<|end|>"
    assert tokenizer.decode(tokenizer.encode("a<|pad|>b<|end|>")) == "ab"


def test_tokenizer_json_comes_first(tmp_path):
    gpt2(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BrokenModel, match=r"tokenizer\.json: damaged"):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"vocab.json": b"{}"}, "no tokenizer.json"),
        ({"merges.txt": b""}, "no tokenizer.json"),
        ({"vocab.json": b"[]", "merges.txt": b""}, "vocab.json: damaged"),
        ({"vocab.json": b'{"a": 0}', "merges.txt": b"a b c\n"}, "vocab.json: damaged"),
        ({"vocab.json": b'{"<s>": 0}', "merges.txt": b""}, "it has no </s>"),
        ({"vocab.txt": b"[UNK]\nword\n"}, r"it has no \[CLS\]"),
        ({"vocab.txt": b"\xff\xfe"}, "vocab.txt: damaged"),
        ({"sentencepiece.bpe.model": b""}, "without pieces"),
        ({"sentencepiece.bpe.model": b"\x0a\x7fshort"}, "cut short"),
        ({"sentencepiece.bpe.model": b"\xff" * 20}, "a number without end"),
        ({"sentencepiece.bpe.model": b"\x08\x01"}, "a number where bytes belong"),
        ({"sentencepiece.bpe.model": b"\x0b"}, "unknown form 3"),
    ],
)
def test_damaged_files(tmp_path, files, said):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BrokenModel, match=said):
        Tokenizer.from_folder(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_model_or_an_error_of_ours(tmp_path, data):
    (tmp_path / "a.model").write_bytes(data)
    with suppress(BrokenModel):
        assert read_model(tmp_path / "a.model").pieces


def field(number: int, data: bytes) -> bytes:
    """A field of bytes, as a protocol buffer has it."""
    length = len(data)
    assert length < 2**14
    return bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7]) + data


def test_pieces_and_characters(tmp_path):
    scored = field(1, "▁cat".encode()) + b"\x15" + struct.pack("<f", -2.5) + b"\x18\x04"
    model = field(1, field(1, b"<s>") + b"\x18\x03") + field(1, scored) + field(2, b"ignored" * 40)
    model += field(3, field(1, b"nmt_nfkc") + field(2, b"table")) + b"\x49" + bytes(8) + b"\x55" + bytes(4)
    (tmp_path / "a.model").write_bytes(model)
    read = read_model(tmp_path / "a.model")
    assert [(piece.text, piece.score, piece.kind) for piece in read.pieces] == [("<s>", 0.0, 3), ("▁cat", -2.5, 4)]
    assert read.characters == b"table"
