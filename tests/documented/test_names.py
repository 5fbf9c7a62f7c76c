"""The door's table of documented names, and what editors and type checkers are told of them."""

import ast
from pathlib import Path

from llavacli_core.documented import names
from tests.test_architecture import HEAVY, modules_after


def test_editors_see_the_names_that_there_are():
    tree = ast.parse(Path(names.__file__).read_text())
    told = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert told == {name: f"llavacli_core.{file}" for name, file in names.DOCUMENTED.items()}


def test_a_config_is_cheap():
    used = "core.LlavaConfig().to_dict(); core.AutoConfig; core.GenerationConfig(max_new_tokens=3)"
    assert not modules_after(f"import llavacli_core as core; {used}") & HEAVY


def test_processors_need_no_torch_until_tensors_are_asked_for():
    used = "core.AutoProcessor; core.LlavaNextImageProcessor()(numpy.zeros((9, 9, 3)), return_tensors='np')"
    assert "torch" not in modules_after(f"import numpy, llavacli_core as core; {used}")
