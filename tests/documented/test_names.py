"""The door's table of documented names, and what editors and type checkers are told of them."""

import ast
from pathlib import Path

from llavacli_core.documented import names


def test_editors_see_the_names_that_there_are():
    tree = ast.parse(Path(names.__file__).read_text())
    told = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert told == {name: f"llavacli_core.{file}" for name, file in names.DOCUMENTED.items()}
