"""The site shows what was checked last: outputs of a small book, built twice."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import pages

TOC = """format: jb-book
root: intro
chapters:
- file: page
- file: ledger
"""
TEXT = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# What is measured?

A formula: $x_1^2$. And one by itself:

$$\\left\\lfloor \\frac{a}{b} \\right\\rfloor$$

```{code-cell} ipython3
from ddl import claim
from ddl.denoising import add_noise
```

```{code-cell} ipython3
---
mystnb:
  image:
    alt: A line that rises from left to right.
---
import matplotlib.pyplot as plt

plt.plot([1, 2])
plt.show()
```

```{code-cell} ipython3
claim("The value is small", VALUE, below=100)
```
"""


def run(root: Path, *command: str) -> str:
    """Run a command of the small book's own tools."""
    environment = {**os.environ, "PYTHONPATH": str(root), "DDL_DATA": "drawn", "DDL_SCALE": "cpu"}
    result = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def build(root: Path) -> tuple[str, str]:
    """Check the stale pages, build, and return the page and the ledger."""
    stale = run(root, "-m", "tools.pages", "stale").split()
    if stale:
        run(root, "-m", "pytest", "--nbval", "-n0", *stale)
    run(root, "-m", "tools.pages", "cache")
    config = ["--config", str(root / "_config.yml"), "--toc", str(root / "_toc.yml")]
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    run(root, "-c", jupyter_book, "build", "book", "--path-output", ".", *config, "-W", "-n", "-q")
    html = root / "_build" / "html"
    return (html / "page.html").read_text(), (html / "ledger.html").read_text()


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    for name in ("ddl", "tools"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(pages.ROOT / name, root / name, ignore=ignore)
    for name in ("_config.yml", "conftest.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(pages.ROOT / name, root / name)
    shutil.copytree(pages.ROOT / "web", root / "web", ignore=shutil.ignore_patterns("node_modules"))
    (root / "web" / "node_modules").symlink_to(pages.ROOT / "web" / "node_modules")
    for name in ("ledger.md", "references.bib"):
        shutil.copy(pages.BOOK / name, root / "book" / name)
    (root / "book" / "intro.md").write_text("# Intro\n\nWhat is this?\n")
    (root / "_toc.yml").write_text(TOC)
    (root / "drafts").mkdir()
    code = "from ddl.settings import seed_value\n\nvalue = seed_value() + 41"
    text = TEXT.replace("VALUE", "value").replace(
        "from ddl import claim", f"{code}\nfrom ddl import claim"
    )
    (root / "drafts" / "page.md").write_text(text)
    run(root, "-m", "tools.pages", "notebook", "page")
    run(root, "-m", "tools.pages", "run", "page")
    return root


def test_no_stale_output_survives(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SEED", "0")
    page, ledger = build(small_book)
    assert "<i>measured</i> 41" in page
    assert ">41<" in re.sub(r"\s*</?p>\s*", "", ledger)
    # The source is the same, the outputs are not: the seed stands for all that they depend
    # on (tests/test_pages.py has the others).
    monkeypatch.setenv("DDL_SEED", "1")
    page, ledger = build(small_book)
    assert "<i>measured</i> 42" in page
    assert "<i>measured</i> 41" not in page
    assert ">42<" in re.sub(r"\s*</?p>\s*", "", ledger)


def test_prose_is_new_and_nothing_runs(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SEED", "1")
    notebook = small_book / "book" / "page.ipynb"
    notebook.write_text(notebook.read_text().replace("A formula:", "One formula:"))
    assert run(small_book, "-m", "tools.pages", "stale").strip() == ""
    page, _ = build(small_book)
    assert "One formula:" in page
    assert "<i>measured</i> 42" in page


def test_page_reads_without_a_network(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "page.html").read_text()
    assert "<math" in page
    assert not re.search(r'<(script|link|img)[^>]* (src|href)="(https?:)?//', page)
    assert 'alt="A line that rises from left to right."' in page
    assert 'id="claim-the-value-is-small"' in page
