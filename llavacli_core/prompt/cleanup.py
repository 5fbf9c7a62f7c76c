"""The clean-up of decoded text that WordPiece checkpoints ask for: no space before punctuation and contractions."""

from __future__ import annotations

_ARTEFACTS = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def clean_up(text: str) -> str:
    """As `clean_up_tokenization` of transformers: one artefact after another, each through the whole text."""
    for artefact, clean in _ARTEFACTS:
        text = text.replace(artefact, clean)
    return text


def settled(text: str) -> int:
    """How much of the start of a growing `text` can be cleaned up on its own, whatever comes after it.

    No artefact reaches across a space that follows a letter, except for `n`: in " n ' t" the quotation mark draws its
    spaces in first, and only then the contraction is seen.
    """
    for cut in range(len(text) - 1, 0, -1):
        if text[cut] == " " and text[cut - 1] not in " 'n":
            return cut
    return 0
