"""The terminal knows the core by its one door, and asks for it only when a command runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import llavacli

FILES = sorted(Path(llavacli.__file__).parent.rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every import of the core, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "llavacli_core" in ast.unparse(node):
            yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_the_door(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    assert set(imports(tree)) <= {"import llavacli_core as core"}
    assert not [text for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for text in imports(node)]
