"""The site shows what was checked last: outputs of a small book, built twice."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tools import pages
from tools.sphinx_site import with_lazy_pictures, with_whole_words

TOC = """format: jb-book
root: intro
chapters:
- file: page
  title: The small page
- file: ledger
- file: status
- file: full_size
- file: benchmarks
- file: glossary
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

print("plain words")
```

```{code-cell} ipython3
from ddl import show_code

show_code(add_noise)
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
claim("The value is positive", VALUE, above=0)
```

```{exercise} A question
:label: ex-page-one

What is asked?
```

```{hint}
:class: dropdown

Read it again.
```

```{solution-start} ex-page-one
:class: dropdown
```

The answer.

```{solution-end}
```

```{code-cell} ipython3
from torch import nn, zeros

from ddl import say
from ddl.interactive import interactive

say("A sentence with a formula: $d_1 = 8$.")
interactive("gating", data={"w1": 1.0}, models={"net": (nn.Linear(2, 1), [zeros(1, 2)])})
```
"""


SURROUNDINGS = {
    "DDL_DATA": "drawn",
    "DDL_SCALE": "cpu",
    "DDL_SITE_URL": "https://example.org/name",
    "GITHUB_REPOSITORY": "someone/book",
    "GITHUB_SHA": "0123456789abcdef",
}


def run(root: Path, *command: str) -> str:
    """Run a command of the small book's own tools."""
    environment = {**os.environ, **SURROUNDINGS, "PYTHONPATH": str(root)}
    result = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def build(root: Path) -> tuple[str, str]:
    """Check the stale pages, build, and return the page and the ledger."""
    run(root, "-m", "tools.pages", "book")
    html = root / "_build" / "html"
    return (html / "page.html").read_text(encoding="utf-8"), (html / "ledger.html").read_text(
        encoding="utf-8"
    )


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
    (root / "book").mkdir()
    names = ("ledger.md", "status.md", "full_size.md", "full_size.yml", "benchmarks.md")
    names += ("glossary.md", "glossary.yml", "links.yml")
    for name in (*names, "references.bib"):
        shutil.copy(pages.BOOK / name, root / "book" / name)
    shutil.copytree(pages.ROOT / "results", root / "results")
    (root / "book" / "intro.md").write_text("# Intro\n\nWhat is this?\n", encoding="utf-8")
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "drafts").mkdir()
    code = "from ddl.support.settings import seed_value\n\nvalue = seed_value() + 41"
    text = TEXT.replace("VALUE", "value").replace(
        "from ddl import claim", f"{code}\nfrom ddl import claim"
    )
    (root / "drafts" / "page.md").write_text(text, encoding="utf-8")
    run(root, "-m", "tools.pages", "notebook", "page")
    run(root, "-m", "tools.pages", "run", "page")
    return root


def measured(page: str) -> list[str]:
    """Return the values on a page's cards."""
    return re.findall(r">measured</dt> <dd[^>]*>(\w+)</dd>", page)


def test_no_stale_output_survives(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SEED", "0")
    page, ledger = build(small_book)
    assert "41" in measured(page)
    assert ">41<" in re.sub(r"\s*</?p>\s*", "", ledger)
    heading = re.findall(r"<h2>(.*?)</h2>", ledger)
    assert "The small page: 2 claims" in re.sub(r"<[^>]+>", "", heading[0])
    assert 'href="page.html"' in heading[0]
    # The source is the same, the outputs are not: the seed stands for all that they depend
    # on (tests/test_pages.py has the others).
    monkeypatch.setenv("DDL_SEED", "1")
    page, ledger = build(small_book)
    assert "42" in measured(page)
    assert "41" not in measured(page)
    assert ">42<" in re.sub(r"\s*</?p>\s*", "", ledger)


def test_status_says_how_each_page_was_executed(small_book: Path) -> None:
    status = (small_book / "_build" / "html" / "status.html").read_text(encoding="utf-8")
    row = re.sub(r"<[^>]+>|\s+", " ", status[status.index("<tbody>") : status.index("</tbody>")])
    assert "cpu size, seed 1, drawn digits" in row
    assert f"torch {version('torch')}" in row
    assert "2 hold " in row
    assert "The small page" in row
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    assert re.search(r'<a class="ddl-run" href="status.html">Ran in \d+ s on ', page)
    today = datetime.now(UTC)
    assert f"{today:%Y-%m-%d}" in row or f"{today - timedelta(days=1):%Y-%m-%d}" in row


def test_benchmarks_shows_each_comparison_with_its_bar(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "benchmarks.html").read_text(encoding="utf-8")
    text = re.sub(" +", " ", re.sub(r"<[^>]+>|\s+", " ", page)).replace("’", "'")
    for line in (
        (small_book / "results" / "benchmarks.jsonl").read_text(encoding="utf-8").splitlines()
    ):
        found = json.loads(line)
        assert found["name"] in text
        assert found["note"] in text
        assert found["ended"][:10] in text
        assert f"on {found['device']} with {found['cores']} cores" in text
    assert "at least 10, reached" in text


def test_full_size_shows_the_recipes_scores_and_what_was_not_run(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "full_size.html").read_text(encoding="utf-8")
    page = re.sub(r"</?span[^>]*>", "", page)  # what stays on one line
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    stored = json.loads((pages.ROOT / "results" / "denoising_cpu.json").read_text(encoding="utf-8"))
    name, value = next(iter(stored["scores"].items()))
    assert f"{name} cpu size {value:.4g} gpu size not run" in text
    assert "8.75 (He et al. 2015, table 6)" in text
    assert f"commit {stored['commit'][:12]}" in text
    assert "python -m ddl.recipes residual --scale gpu --out results/residual_gpu.json" in text


def test_prose_is_new_and_nothing_runs(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SEED", "1")
    notebook = small_book / "book" / "page.ipynb"
    notebook.write_text(
        notebook.read_text(encoding="utf-8").replace("A formula:", "One formula:"), encoding="utf-8"
    )
    assert run(small_book, "-m", "tools.pages", "stale").strip() == ""
    page, _ = build(small_book)
    assert "One formula:" in page
    assert "42" in measured(page)


def test_page_reads_without_a_network(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    assert "<math" in page
    page = re.sub(r'<link rel="canonical"[^>]*>', "", page)  # a name, nothing that is loaded
    assert not re.search(r'<(script|link|img)[^>]* (src|href)="(https?:)?//', page)
    assert 'alt="A line that rises from left to right."' in page
    assert 'id="claim-the-value-is-small"' in page


def test_page_says_where_it_lies_and_how_to_run_it(small_book: Path) -> None:
    html = small_book / "_build" / "html"
    page = (html / "page.html").read_text(encoding="utf-8")
    assert '<link rel="canonical" href="https://example.org/name/page.html">' in page
    assert "https://colab.research.google.com/github/someone/book/blob/launch/page.ipynb" in page
    assert "https://mybinder.org/v2/gh/someone/book/launch?labpath=page.ipynb" in page
    assert 'href="launch/page.ipynb" download' in page
    copy = (html / "launch" / "page.ipynb").read_text(encoding="utf-8")
    assert "https://github.com/someone/book/archive/0123456789abcdef.zip" in copy
    assert "### Exercise: A question" in copy
    assert "colab" not in (html / "intro.html").read_text(encoding="utf-8")  # nothing to run there
    assert "https://example.org/name/page.html" in (html / "sitemap.xml").read_text(
        encoding="utf-8"
    )
    assert 'href="/name/_static/site.css' in (html / "404.html").read_text(encoding="utf-8")
    assert '<meta name="description"' in page
    card = re.search(r'property="og:image" content="https://example.org/name/([^"]+)"', page)
    assert card is not None
    assert (html / card[1]).is_file()


def test_hints_and_solutions_are_folded_without_scripts(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    for kind, text in (("hint", "Read it again."), ("solution", "The answer.")):
        found = re.search(rf'<details class="ddl-{kind}[^>]*>(.*?)</details>', page, re.S)
        assert found is not None
        assert f"<summary>{kind.capitalize()}</summary>" in found[1]
        assert text in found[1]


def test_printed_code_has_the_colours_of_code_and_other_words_have_none(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    outputs = page.split('<div class="cell_output')[1:]
    words, code = (output.partition("</pre>")[0] for output in outputs[:2])
    assert "highlight-myst-ansi" in words
    assert "highlight-python" in code
    assert '<span class="k">return</span>' in code


def test_interactive_figure_brings_numbers_and_model(small_book: Path) -> None:
    html = small_book / "_build" / "html"
    page = (html / "page.html").read_text(encoding="utf-8")
    place = page[page.index('data-interactive="gating"') :][:900]
    words = yaml.safe_load((pages.ROOT / "web" / "interactive.yml").read_text(encoding="utf-8"))[
        "gating"
    ]
    assert words["title"] in place
    assert "This figure needs scripts." in place
    # It has a model, so the runtime is in its size.
    wasm = html / "_static" / "onnxruntime" / "ort-wasm-simd-threaded.wasm"
    told = re.search(r'data-size="([\d.]+) MB"', place)
    assert told is not None
    assert float(told[1]) > len(gzip.compress(wasm.read_bytes(), 6)) / 1e6
    data = html / "_static" / "interactive" / "data"
    assert json.loads((data / "gating.json").read_text(encoding="utf-8")) == {"w1": 1.0}
    assert (data / "gating.net.onnx").stat().st_size > 100
    assert "COLORS" in (html / "_static" / "interactive" / "palette.js").read_text(encoding="utf-8")


def test_sentences_of_cells_have_formulas(small_book: Path) -> None:
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    sentence = page[page.index("<p>A sentence with a formula") :][:300]
    assert "<math" in sentence
    assert "$" not in sentence


def test_pictures_have_a_size_and_late_ones_load_late() -> None:
    picture = '<img alt="a" src="a.png" style="width: 70px; height: 30px;" />'
    first, second = with_lazy_pictures(picture + picture).split("/>")[:2]
    assert 'width="70" height="30"' in first
    assert "lazy" not in first
    assert 'loading="lazy"' in second


def test_what_belongs_together_stays_on_one_line() -> None:
    body = '<p title="1e-05">gap {}, sigma{}), {} {}, {}, one-hot; at {}, {}, {}; many = 2</p>'
    body += "<pre>3e-05, 2-D, t = 5</pre><style>p {{ z-index: 1 }}</style>"
    words = ("2.5e-05", "(-w", "2-D", "k-means", "--out", "t = 649.5", "SDSC 2024", "s = T")
    tied = (f'<span class="ddl-tied">{word}</span>' for word in words)
    assert with_whole_words(body.format(*words)) == body.format(*tied)


def test_a_failing_claim_is_named_and_the_site_is_built_all_the_same(small_book: Path) -> None:
    environment = {**os.environ, **SURROUNDINGS, "PYTHONPATH": str(small_book), "DDL_SEED": "70"}
    command = [sys.executable, "-m", "tools.pages", "book"]
    done = subprocess.run(
        command, cwd=small_book, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Page page: the claim 'The value is small' failed in this run: "
        "it measured 111, accepted is below 100."
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    page = (small_book / "_build" / "html" / "page.html").read_text(encoding="utf-8")
    assert page.count('class="ddl-claim ddl-fails"') == 1
    assert page.count('class="ddl-claim ddl-holds"') == 1
    assert ">fails<" in (small_book / "_build" / "html" / "ledger.html").read_text(encoding="utf-8")
