"""What a page's outputs depend on, as one hash: outputs of another hash are stale."""

import ast
import hashlib
import json
import os
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from tools.notebook import code_cells, without_magics

FORMAT = 2  # of what is kept beside the outputs (tools/pages.py): after a change, all run anew


def fingerprint(page: NotebookNode, root: Path) -> str:
    """Return a hash of all that a page's outputs depend on.

    Its code cells and their tags, the modules of ``ddl`` that it imports and
    those that they import, the locked packages, Python, the data, the device,
    the scale and the seed. Whether CIFAR-10 is here counts where a cell names it.
    """
    code = [[c.source, c.metadata.get("tags", [])] for c in code_cells(page)]
    modules = sorted(imported_modules("\n".join(source for source, _ in code), root))
    parts = [
        FORMAT,
        code,
        [[str(p.relative_to(root)), p.read_text(encoding="utf-8")] for p in modules],
        surroundings(root),
    ]
    if any("cifar10" in source for source, _ in code):
        parts.append(photographs())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


# What shows and judges numbers, and makes none.
SHOWS = {"cards", "claims", "drawing", "exercises"}
SHOWS |= {"inputs", "interactive", "listings", "plotting"}


def numbers_fingerprint(page: NotebookNode, root: Path) -> str:
    """Return a hash of all that the numbers of a page's claims depend on.

    Its code and the modules of ``ddl`` that it computes with; not what the claims say, nor
    their bounds: a bound that is moved needs no new runs. Nor seed, machine, size and lock.
    """
    tree = ast.parse(without_magics("\n".join(c.source for c in code_cells(page))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "claim":
            node.args = node.args[1:2]
            node.keywords = [keyword for keyword in node.keywords if keyword.arg == "log"]
    modules = sorted(imported_modules(ast.unparse(tree), root, SHOWS))
    texts = [[p.relative_to(root).as_posix(), p.read_text(encoding="utf-8")] for p in modules]
    return hashlib.sha256(json.dumps([ast.unparse(tree), texts]).encode()).hexdigest()


@cache
def surroundings(root: Path) -> list[str]:
    """Return what all pages depend on beside their own code."""
    from ddl import scale
    from ddl.data import digits_are_real
    from ddl.support.settings import device_name, seed_value

    return [
        (root / "requirements.txt").read_text(encoding="utf-8"),
        sys.version,
        f"data {'mnist' if digits_are_real() else 'drawn'} {os.environ.get('DDL_DATA', '')}",
        f"device {device_name()} scale {scale()} seed {seed_value()}",
    ]


def photographs() -> str:
    """Return what pages with photographs depend on beside their surroundings."""
    from ddl.data import cifar10_is_here

    return f"photographs {'cifar10' if cifar10_is_here() else 'none'}"


def imported_modules(code: str, root: Path, without: Collection[str] = ()) -> set[Path]:
    """Return the files of ``ddl`` that a piece of code imports, directly or through others.

    Args:
        code: Python, perhaps with a notebook's magics.
        root: The folder in which ``ddl`` lies.
        without: Names of modules and packages of ``ddl`` that are not followed.
    """
    found: set[Path] = set()
    waiting = set(_imports(code, root))
    while waiting:
        path = waiting.pop()
        inside = path.relative_to(root / "ddl").with_suffix("").parts
        if path not in found and not set(inside) & {*without}:
            found.add(path)
            waiting |= _imports(path.read_text(encoding="utf-8"), root)
    return found


@cache  # all pages share their modules
def _imports(code: str, root: Path) -> frozenset[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(without_magics(code))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "ddl":
            # Importing a.b.c runs a, a.b and a.b.c.
            for end in range(1, len(parts) + 1):
                base = root.joinpath(*parts[:end])
                paths |= {p for p in (base / "__init__.py", base.with_suffix(".py")) if p.is_file()}
    return frozenset(paths)
