"""Text is UTF-8 wherever it is read or written: no call leaves the encoding to the machine."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.support.settings import print_anywhere
from tools import launch, pages
from tools.notebook import code_cells

FOLDERS = ("benchmarks", "ddl", "tests", "tools")
SOURCES = [
    pages.ROOT / "conftest.py",
    *(p for f in FOLDERS for p in (pages.ROOT / f).rglob("*.py")),
]
OLD_MACHINE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def undecided(code: str) -> Iterator[str]:
    """Yield the calls of a piece of code that open text and do not say in which encoding."""
    for call in ast.walk(ast.parse(code)):
        if not isinstance(call, ast.Call):
            continue
        given = {word.arg: getattr(word.value, "value", word.value) for word in call.keywords}
        if "encoding" in given or None in given:  # None: **options
            continue
        method = call.func.attr if isinstance(call.func, ast.Attribute) else None
        name = call.func.id if isinstance(call.func, ast.Name) else method
        modes = call.args[not method : 1 + (not method)]  # after the path, if that is one
        mode = given.get("mode", getattr(modes[0], "value", None) if modes else None)
        is_mode = isinstance(mode, str) and set(mode) <= set("rwxabt+")
        own = not method or not call.args or is_mode  # not another library's
        opens = name == "fdopen" or (name == "open" and own)
        if (
            (opens and not (is_mode and "b" in str(mode)))
            or (method == "read_text" and not call.args)
            or (method == "write_text" and len(call.args) < 2)
            or True in (given.get("text"), given.get("universal_newlines"))
        ):
            yield f"line {call.lineno}: {ast.unparse(call)}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(pages.ROOT).as_posix())
def test_every_call_says_utf_8(path: Path) -> None:
    assert list(undecided(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("slug", pages.slugs())
def test_every_cell_says_utf_8(slug: str) -> None:
    for cell in code_cells(pages.read(slug)):
        plain = [line for line in cell.source.split("\n") if not line.startswith(("%", "!"))]
        assert list(undecided("\n".join(plain))) == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if "tests" not in path.parts], ids=lambda path: path.stem
)
def test_what_is_written_has_the_same_bytes_on_every_system(path: Path) -> None:
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "write_text":
            assert "newline" in {word.arg for word in call.keywords}, ast.unparse(call)


def test_the_install_cell_says_utf_8() -> None:
    assert list(undecided(launch.install_code("somewhere/abc"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "open(p)",
        "open(p, 'w')",
        "json.load(open(p, mode='r'))",
        "p.open()",
        "p.open('a')",
        "p.read_text()",
        "p.write_text('a')",
        "run(c, text=True)",
        "os.fdopen(f)",
    ],
)
def test_the_search_finds(code: str) -> None:
    assert len(list(undecided(code))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "open(p, 'rb')",
        "open(p, encoding='utf-8')",
        "p.open('wb')",
        "tarfile.open(p)",
        "page.open('gating')",
        "p.read_text('utf-8')",
        "p.write_text('a', encoding='utf-8')",
        "run(c, encoding='utf-8')",
        "nodes.strong(text=name)",
    ],
)
def test_the_search_lets_pass(code: str) -> None:
    assert list(undecided(code)) == []


def on_an_old_machine(code: str) -> str:
    """Run code where Python's own choice is ASCII; return what it prints, in ASCII."""
    here = {**os.environ, **OLD_MACHINE, "PYTHONPATH": str(pages.ROOT)}
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    done = subprocess.run([*command, "-c", code], env=here, capture_output=True, cwd=pages.ROOT)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("ascii")


def test_pages_and_records_are_read_where_ascii_is_the_default() -> None:
    code = """
import warnings
with warnings.catch_warnings(action="ignore"):  # about other packages' own files
    import torch, nbformat, yaml, ddl, ddl.recipes.results, tools.launch
from tools import launch, lectures, margins, pages, sphinx_benchmarks, sphinx_recipes
assert pages.fingerprint_of("image_diffusion") and launch.repository() is not None
assert margins.read() and lectures.rows() and sphinx_recipes.published()
assert sphinx_recipes.results("vae")
from ddl.support.settings import print_anywhere
print_anywhere()
print("Fr\\u00e9chet")
"""
    assert on_an_old_machine(code).strip() == r"Fr\xe9chet"


def test_print_anywhere_leaves_streams_that_are_no_files(capsys: pytest.CaptureFixture) -> None:
    print_anywhere()
    print("é")
    assert capsys.readouterr().out == "é\n"
