"""The life of a page: normalising, fingerprints, and that no stale output reaches the site."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebook, pages
from tools.fingerprint import imported_modules, surroundings


def executed_page() -> nbformat.NotebookNode:
    picture = {"image/png": "aGVsbG8=", "text/plain": "<Figure size 700x320 with 1 Axes>"}
    outputs = [
        new_output("stream", name="stdout", text="This run: cpu size on CPU, seed 3\n"),
        new_output("stream", name="stderr", text="a warning\n"),
        new_output("stream", name="stdout", text="Photographs: digits\nexact\n"),
        new_output("display_data", picture, metadata={"needs_background": "light"}),
        new_output("execute_result", {"text/plain": "Verdict: not checked: needs MNIST"}),
    ]
    cell = new_code_cell("x = 1  \n", outputs=outputs, execution_count=7)
    cell.metadata = {"execution": {"iopub.execute_input": "now"}, "tags": ["exercise"]}
    return new_notebook(
        cells=[new_markdown_cell("# Title\n"), cell],
        metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.7"}},
    )


def test_normalised_keeps_text_only() -> None:
    page = notebook.normalised(executed_page())
    cell = page.cells[1]
    assert cell.source == "x = 1"
    assert cell.execution_count == 1
    assert cell.metadata == {"tags": ["exercise"]}
    texts = [out.get("text") or out["data"]["text/plain"] for out in cell.outputs]
    assert texts == [
        "This run: (size, device, seed and torch version)\n"
        "Photographs: (CIFAR-10, or digits in their place)\nexact\n",
        "<Figure size 700x320 with 1 Axes>",
        "Verdict: holds",
    ]
    assert all(set(out.get("data", {"text/plain": 0})) == {"text/plain"} for out in cell.outputs)
    assert "id" not in cell
    assert "widgets" not in page.metadata


def test_normalising_twice_changes_nothing(tmp_path: Path) -> None:
    once = notebook.normalised(executed_page())
    notebook.write(once, tmp_path / "once.ipynb")
    again = notebook.normalised(nbformat.read(tmp_path / "once.ipynb", as_version=4))
    notebook.write(again, tmp_path / "again.ipynb")
    first, second = ((tmp_path / f"{n}.ipynb").read_bytes() for n in ("once", "again"))
    assert first == second


def test_a_word_is_a_line(tmp_path: Path) -> None:
    page = notebook.normalised(executed_page())
    page.cells[0].source = "# Title\n\nOne sentence.\nAnother sentence."
    notebook.write(page, tmp_path / "before.ipynb")
    page.cells[0].source = "# Title\n\nOne word.\nAnother sentence."
    notebook.write(page, tmp_path / "after.ipynb")
    before, after = ((tmp_path / f"{n}.ipynb").read_text() for n in ("before", "after"))
    assert len(set(before.split("\n")) ^ set(after.split("\n"))) == 2


def test_imports_are_followed_through_the_package() -> None:
    found = imported_modules("%matplotlib inline\nfrom ddl.data import digits", pages.ROOT)
    names = {path.relative_to(pages.ROOT).as_posix() for path in found}
    assert {"ddl/__init__.py", "ddl/data.py", "ddl/handwriting.py", "ddl/claims.py"} <= names
    assert "ddl/denoising.py" not in names
    assert pages.ROOT / "ddl" / "denoising.py" in imported_modules(
        "import ddl.denoising", pages.ROOT
    )
    assert pages.ROOT / "ddl" / "exercises" / "__init__.py" in imported_modules(
        "from ddl.exercises import denoising as check", pages.ROOT
    )


@pytest.fixture
def small_book(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A copy of the repository with one page, whose checked outputs are kept."""
    root = tmp_path / "repository"
    shutil.copytree(pages.ROOT / "ddl", root / "ddl", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "requirements.txt").write_text("torch==2.13.0\n")
    (root / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: page\n")
    monkeypatch.setattr(pages, "ROOT", root)
    monkeypatch.setattr(pages, "BOOK", root / "book")
    monkeypatch.setattr(pages, "BUILD", root / "_build")
    monkeypatch.setattr(pages, "EXECUTED", root / "_build" / "executed")
    for name, value in (("DDL_DATA", "drawn"), ("DDL_SCALE", "cpu"), ("DDL_SEED", "0")):
        monkeypatch.setenv(name, value)
    surroundings.cache_clear()
    cells = [new_markdown_cell("# Page"), new_code_cell("from ddl.denoising import add_noise\n1")]
    notebook.write(notebook.normalised(new_notebook(cells=cells)), root / "book" / "page.ipynb")
    output = new_output("execute_result", {"text/plain": "1", "image/png": "aGVsbG8="})
    about = {"fingerprint": pages.fingerprint_of("page"), "seconds": 1.0}
    pages.keep_checked("page", [[output]], about)
    yield root
    surroundings.cache_clear()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_prose_does_not_make_outputs_stale(small_book: Path) -> None:
    edit(small_book / "book" / "page.ipynb", "# Page", "# A page")
    assert pages.stale() == []


def test_a_module_that_the_page_does_not_import_does_not_either(small_book: Path) -> None:
    (small_book / "ddl" / "plotting.py").write_text("")
    assert pages.stale() == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("book/page.ipynb", "import add_noise", "import add_noise, feed_back"),
        ("ddl/denoising.py", "clamp(0, 1)", "clamp(0, 2)"),
        ("ddl/settings.py", "SCALES", "SIZES"),
        ("requirements.txt", "2.13.0", "2.14.0"),
    ],
)
def test_code_package_and_lock_make_outputs_stale(
    small_book: Path, file: str, old: str, new: str
) -> None:
    edit(small_book / file, old, new)
    surroundings.cache_clear()
    assert pages.stale() == ["page"]
    with pytest.raises(SystemExit, match="no checked outputs of page"):
        pages.build_site()


@pytest.mark.parametrize(("name", "value"), [("DDL_SEED", "1"), ("DDL_SCALE", "gpu")])
def test_seed_and_size_make_outputs_stale(
    small_book: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    surroundings.cache_clear()
    assert pages.stale() == ["page"]


def test_data_and_device_make_outputs_stale(
    small_book: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "some GPU")
    surroundings.cache_clear()
    assert pages.stale() == ["page"]
    monkeypatch.undo()
    monkeypatch.setattr("ddl.data.digits_are_real", lambda: True)
    surroundings.cache_clear()
    assert "data mnist" in " ".join(surroundings(pages.ROOT))


def test_pages_that_load_data_are_known(small_book: Path) -> None:
    assert pages.with_data() == []
    path = small_book / "book" / "page.ipynb"
    edit(path, "1", "2\\nfrom ddl.data import Batches\\n")
    assert pages.with_data() == []
    edit(path, "import Batches", "import Batches, digits")
    assert pages.with_data() == ["page"]


def test_photographs_make_outputs_stale_where_a_cell_asks_for_them(
    small_book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_book / "book" / "page.ipynb"
    here = {"": False}
    monkeypatch.setattr("ddl.data.cifar10_is_here", lambda: here[""])
    without = pages.fingerprint_of("page")
    here[""] = True
    assert pages.fingerprint_of("page") == without
    edit(path, "import add_noise", "import add_noise\\nfrom ddl.data import cifar10_is_here")
    with_photographs = pages.fingerprint_of("page")
    here[""] = False
    assert pages.fingerprint_of("page") != with_photographs


def test_a_page_without_a_check_does_not_reach_the_site(small_book: Path) -> None:
    pages.forget_checked("page")
    with pytest.raises(SystemExit, match="no checked outputs of page"):
        pages.build_site()


def test_a_page_has_the_prose_of_today_and_the_outputs_that_were_checked(small_book: Path) -> None:
    edit(small_book / "book" / "page.ipynb", "# Page", "# A page")
    page = pages.with_outputs("page")
    assert page is not None
    assert page.cells[0].source == "# A page"
    assert page.cells[1].outputs[0].data["image/png"] == "aGVsbG8="
