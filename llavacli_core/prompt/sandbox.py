"""The jinja2 environment of chat templates: the reference's conventions, and an allowance, as they are strangers' code.

The conventions are those of transformers 5.23, `utils/chat_template_utils.py`. Jinja has no `while`, and its sandbox
keeps `range` short, but loops nest and strings double: so a render may take so many steps and make so much text.
Left unbounded are single filters and methods that take a width or a repetition, such as `center` or `replace`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from jinja2 import TemplateError as JinjaError
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

ALLOWANCE = " allowance"  # the space keeps it out of a template's reach
MAX_STEPS = 200_000  # passes of loops, calls, and items of ranges
MAX_CHARACTERS = 50_000_000  # written or put together, intermediate results included

T = TypeVar("T")


class Allowance:
    """What one render has left to spend."""

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.characters = MAX_CHARACTERS

    def step(self, count: int = 1) -> None:
        """Pay for steps."""
        self.steps -= count
        if self.steps < 0:
            raise SecurityError("it does not come to an end")

    def weigh(self, value: T) -> T:
        """Pay for the characters, or items, of a value just made."""
        if isinstance(value, (str, list, tuple)):
            self.characters -= len(value)
            if self.characters < 0:
                raise SecurityError("it writes too much text")
        return value


class Sandbox(ImmutableSandboxedEnvironment):
    """Renders what a template may see; hand each render a fresh `Allowance` under the name `ALLOWANCE`."""

    intercepted_binops = frozenset({"+", "*", "**"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
        self.filters.update({"tojson": _to_json, "metered": _metered, "weighed": _weighed})
        self.globals.update(
            {"raise_exception": _raise, "strftime_now": _now, "dict": _Dict(), "namespace": _GuardedNamespace}
        )

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _Metering().visit(tree)
        return tree

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As jinja2's sandbox, for a step each."""
        allowance = context.parent[ALLOWANCE]
        allowance.step()
        result = super().call(context, function, *args, **kwargs)
        if isinstance(result, range):
            allowance.step(len(result))
        return allowance.weigh(result)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+`, `*` and `**`, unless the result would be huge."""
        if operator == "*":
            _refuse_long_repeats(left, right)
        if operator == "**" and not (abs(left) < 10**6 and abs(right) < 100):
            raise SecurityError("it raises a number too far")
        return context.parent[ALLOWANCE].weigh(super().call_binop(context, operator, left, right))


class Generation(Extension):
    """`{% generation %}` marks an assistant's words, for training: a scope of its own, printed as it stands."""

    tags = {"generation"}  # noqa: RUF012 (declared so by jinja2)

    def parse(self, parser: Parser) -> nodes.Node:
        """The statements between the tags."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class _Metering(NodeTransformer):
    """Rewrites a template so that its loops and texts go through the allowance; jinja2 finds the methods by name."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "metered")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "weighed")

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        constant = (nodes.TemplateData, nodes.Const)
        node.nodes = [part if isinstance(part, constant) else _filtered(part, "weighed") for part in node.nodes]
        return node


class _Dict:
    """`dict` without the class's own attributes."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, keys: Iterable[Any], value: Any = None) -> dict[Any, Any]:
        """As `dict.fromkeys`."""
        return dict.fromkeys(keys, value)


class _GuardedNamespace(Namespace):
    """A namespace without underscored names, which could reach into Python."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # `self` may be one of the names
        self, *rest = args
        values = dict(*rest, **kwargs)
        for name in values:
            _refuse_underscore(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@pass_context
def _metered(context: Context, items: Iterable[T]) -> Iterator[T]:
    allowance = context.parent[ALLOWANCE]
    for item in items:
        allowance.step()
        yield item


@pass_context
def _weighed(context: Context, value: T) -> T:
    allowance: Allowance = context.parent[ALLOWANCE]
    return allowance.weigh(value)


def _refuse_long_repeats(left: Any, right: Any) -> None:
    for text, times in ((left, right), (right, left)):
        if isinstance(text, (str, list, tuple)) and isinstance(times, int) and len(text) * times > 10**6:
            raise SecurityError("it repeats a text too often")


def _refuse_underscore(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace may not hold {name!r}")


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Plain JSON: jinja2's own filter escapes HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise JinjaError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
