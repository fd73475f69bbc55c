"""Which modules of the package a notebook rests on, read from the source without running it.

The closure is static: ``import`` statements anywhere in the code (also inside functions), relative
ones included, with the ``__init__`` of every package on the way. A module named only in a string
(``importlib.import_module(name)``, lazily registered commands) is not seen; a notebook that relies
on one should import it, or name its file among its ``inputs``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from agmpk.errors import AgmpkError


def notebook_closure(notebook: Path, root: Path, package: str = "agmpk") -> tuple[Path, ...]:
    """Files of ``package`` under ``root`` that ``notebook`` imports, directly or not, sorted."""
    cells = nbformat.read(notebook, as_version=4).cells
    found: set[Path] = set()
    pending: list[tuple[str, ...]] = []
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        try:
            # Magics and shell escapes become plain Python first.
            tree = ast.parse(TransformerManager().transform_cell(cell.source))
        except SyntaxError as error:
            raise AgmpkError(
                f"{notebook.name}, cell {number}: not valid Python ({error.msg}, "
                f"line {error.lineno} of the cell)."
            ) from error
        pending += _imported(tree, (), package)
    while pending:
        for file in _module_files(pending.pop(), root):
            if file not in found:
                found.add(file)
                here = file.relative_to(root).with_suffix("").parts
                parent = here[:-1]  # for a package's __init__, the package itself
                pending += _imported(ast.parse(file.read_bytes(), str(file)), parent, package)
    return tuple(sorted(found))


def package_data(modules: Iterable[Path]) -> tuple[Path, ...]:
    """Files that ship beside ``modules`` (presets, tables), in their folders and in subfolders
    that are not packages themselves; sorted."""
    found: set[Path] = set()
    pending = list({module.parent for module in modules})
    while pending:
        for path in pending.pop().iterdir():
            if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
                pending.append(path)
            elif path.is_file() and path.suffix not in (".py", ".pyc"):
                found.add(path)
    return tuple(sorted(found))


def _imported(tree: ast.AST, parent: tuple[str, ...], package: str) -> list[tuple[str, ...]]:
    """Dotted names, as tuples, that ``tree`` imports from ``package``."""
    names: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = parent[: len(parent) - node.level + 1] + base
            names.append(base)
            # ``from agmpk.prior import ou`` may name a module as well as an attribute.
            names += [(*base, alias.name) for alias in node.names]
    return [name for name in names if name[:1] == (package,)]


def _module_files(name: tuple[str, ...], root: Path) -> list[Path]:
    """Files executed by importing ``name``: each package's ``__init__`` and the module itself.

    The last part may be an attribute rather than a module; then it adds nothing.
    """
    files = []
    for depth in range(1, len(name) + 1):
        path = root.joinpath(*name[:depth])
        files += [path / "__init__.py", path.with_name(path.name + ".py")]
    return [file for file in files if file.is_file()]
