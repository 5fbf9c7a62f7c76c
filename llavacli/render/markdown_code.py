"""Code, highlighted by pygments line by line: strings and comments of several lines are carried over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llavacli.render.cells import visible
from llavacli.render.wrapping import Fragment

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Token = tuple[object, str]  # its type, whose name is all that is asked of it, and its text

TAB = 4
LONGEST = 2000  # characters of a line that is still highlighted; more are data, not code

# The terminal's own sixteen colours, which its user chose; a token has the style of its nearest ancestor here.
_STYLES = {
    "Token": "",
    "Token.Comment": "2",
    "Token.Comment.Preproc": "35",
    "Token.Keyword": "35",
    "Token.Literal.Number": "36",
    "Token.Literal.String": "32",
    "Token.Name.Attribute": "36",
    "Token.Name.Builtin": "36",
    "Token.Name.Class": "34",
    "Token.Name.Decorator": "33",
    "Token.Name.Function": "34",
    "Token.Name.Tag": "34",
    "Token.Operator.Word": "35",
    "Token.Generic.Deleted": "31",
    "Token.Generic.Heading": "1",
    "Token.Generic.Inserted": "32",
    "Token.Generic.Prompt": "2",
    "Token.Generic.Subheading": "1",
}


class Code:
    """The lines of one block of code in the language that its info string names."""

    def __init__(self, info: str, *, color: bool) -> None:
        self._lexer = _lexer(info) if color else None
        self._states = ["root"]  # of the lexer: which strings, comments and the like are open

    def line(self, text: str) -> list[Fragment]:
        """A line, without its end, in pieces of one style."""
        text = visible(text.expandtabs(TAB))
        if self._lexer is None or len(text) > LONGEST:
            return [(text, "")]
        return _highlighted(self._tokens(self._lexer, f"{text}\n"), text)

    def _tokens(self, lexer: Lexer, line: str) -> list[Token]:
        """A line's tokens, read on from the states that the line before it left behind.

        Most lexers are tables of rules, and these can be followed as an extended lexer's. The others, and those whose
        rules will not have it, read the line alone.
        """
        from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer

        if isinstance(lexer, RegexLexer) and self._states:
            context = LexerContext(line, 0, stack=list(self._states))
            try:
                tokens = list(ExtendedRegexLexer.get_tokens_unprocessed(lexer, context=context))
            except (AttributeError, TypeError):  # a rule that wants a context of its own kind, or none
                self._states = []
            else:
                self._states = context.stack
                return [(kind, text) for _, kind, text in tokens]
        return [(kind, text) for _, kind, text in lexer.get_tokens_unprocessed(line)]


def _lexer(info: str) -> Lexer | None:
    """pygments' lexer for an info string such as `python`, `python title=a.py` or `{.python}`."""
    words = info.replace("{", " ").replace("}", " ").replace(",", " ").split()
    if not words:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(words[0].lstrip(".").lower())
    except ClassNotFound:
        return None


def _highlighted(tokens: Iterable[Token], line: str) -> list[Fragment]:
    """The tokens in their styles; the line as it is, should they not add up to it."""
    fragments = [(text.rstrip("\n"), _style(kind)) for kind, text in tokens]
    return fragments if "".join(text for text, _ in fragments) == line else [(line, "")]


def _style(token: object) -> str:
    name = str(token)
    while name not in _STYLES:
        name = name.rpartition(".")[0]
    return _STYLES[name]
