"""The field's own commands build the book, wherever they are called; they execute nothing."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebook, pages


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with one page, which has no checked outputs."""
    root = tmp_path_factory.mktemp("commands") / "repository"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(pages.ROOT / "tools", root / "tools", ignore=ignore)
    (root / "web").symlink_to(pages.ROOT / "web")
    for name in ("_config.yml", "requirements.txt"):
        shutil.copy(pages.ROOT / name, root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n- file: page\n", encoding="utf-8"
    )
    (root / "book").mkdir()
    for name in ("conf.py", "references.bib", "links.yml", "glossary.yml"):
        shutil.copy(pages.BOOK / name, root / "book")
    (root / "book" / "intro.md").write_text("# Intro\n\nWhat is this?\n", encoding="utf-8")
    code = new_code_cell(
        "from pathlib import Path\n\nPath('executed').touch()",
        outputs=[new_output("stream", text="words of an earlier run")],
        execution_count=1,
    )
    page = new_notebook(cells=[new_markdown_cell("# Page\n\nIs it executed?"), code])
    notebook.write(notebook.normalised(page), root / "book" / "page.ipynb")
    return root


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("repository", "jupyter-book build ."),
        (".", "jupyter-book build repository"),
        ("repository", "sphinx-build -b html book _build/html"),
    ],
)
def test_book_is_built_from_stored_text_with_a_note(
    small_book: Path, place: str, command: str
) -> None:
    html = small_book / "_build" / "html"
    shutil.rmtree(small_book / "_build", ignore_errors=True)
    name, *arguments = command.split()
    program = shutil.which(name, path=sysconfig.get_path("scripts"))
    assert program is not None
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [program, *arguments],
        cwd=small_book.parent / place,
        env=environment | {"DDL_DATA": "drawn"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not executed with today's code on this machine: page." in done.stderr
    page = (html / "page.html").read_text(encoding="utf-8")
    assert "words of an earlier run" in page
    assert "admonition attention" in page
    assert "ddl-launch" not in page
    assert (html / "_static" / "site.css").is_file()
    assert not list(small_book.rglob("executed"))
