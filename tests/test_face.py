"""The flat face: every name is there, is what its folder has, and costs nothing until asked for."""

import ast
import subprocess
import sys

import pytest

import agmpk


@pytest.mark.parametrize("name", agmpk.HOMES)
def test_a_name_of_the_face_is_that_of_its_folder(name):
    module = __import__(f"agmpk.{agmpk.HOMES[name]}", fromlist=[name])
    assert getattr(agmpk, name) is getattr(module, name) and name in dir(agmpk)


def test_what_editors_see_is_what_there_is(root):
    tree = ast.parse((root / "agmpk" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {name: f"agmpk.{home}" for name, home in agmpk.HOMES.items()}


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="agmpk has no 'forcast'; it has AgmpkError, "):
        agmpk.forcast  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = "import agmpk, sys; print([m for m in ('numpy', 'pandas', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
