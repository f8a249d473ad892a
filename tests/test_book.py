"""What every page must be: normalised, compared, described, checked, and in one voice."""

import json
import re
from collections import Counter

import nbformat
import pytest

from tools import notebook, pages

SLUGS = pages.slugs()


def prose(slug: str) -> str:
    return "\n\n".join(c.source for c in pages.read(slug).cells if c.cell_type == "markdown")


def outputs_text(cell: nbformat.NotebookNode) -> str:
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    )


def test_every_page_is_in_the_table_of_contents() -> None:
    files = {p.stem for p in pages.BOOK.iterdir() if p.suffix in (".ipynb", ".md")}
    assert files == set(pages.files())
    assert SLUGS


@pytest.mark.parametrize("slug", SLUGS)
def test_page_is_normalised(slug: str) -> None:
    stored = (pages.BOOK / f"{slug}.ipynb").read_text()
    page = notebook.normalised(pages.read(slug))
    assert (
        stored
        == json.dumps(notebook.notebook_json(page), indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    ), f"run: make page PAGE={slug}"


@pytest.mark.parametrize("slug", SLUGS)
def test_cells_are_compared(slug: str) -> None:
    cells = notebook.code_cells(pages.read(slug))
    compared = sum(map(notebook.is_compared, cells))
    print(f"{slug}: {compared} of {len(cells)} cells compared")
    assert all(cell.execution_count is not None for cell in cells), "a cell was never run"
    assert compared >= 0.9 * len(cells)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("slug", SLUGS)
def test_figures_have_alt_text(slug: str) -> None:
    figures = 0
    for cell in notebook.code_cells(pages.read(slug)):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if "<Figure size" in outputs_text(cell):
            figures += 1
            assert len(alt) >= 40, f"a figure without alt text:\n{cell.source}"
        else:
            assert not alt, f"alt text without a figure:\n{cell.source}"
    assert figures >= 1


@pytest.mark.parametrize("slug", SLUGS)
def test_page_opens_with_its_question(slug: str) -> None:
    first = pages.read(slug).cells[0].source
    assert first.startswith("# ")
    assert "?" in first


@pytest.mark.parametrize("slug", SLUGS)
def test_stub_fails_and_solution_passes(slug: str) -> None:
    cells = notebook.code_cells(pages.read(slug))
    kinds = {"exercise": "Not yet: ", "solution": "Correct: "}
    found = Counter()
    for cell in cells:
        for kind, answer in kinds.items():
            if kind in cell.metadata.get("tags", []):
                found[kind] += 1
                assert outputs_text(cell).startswith(answer), cell.source
                assert outputs_text(cell).count("\n") == 0
    exercises = len(re.findall(r"```\{exercise\}", prose(slug)))
    assert found["exercise"] == found["solution"] == exercises >= 2


@pytest.mark.parametrize("slug", SLUGS)
def test_every_exercise_has_a_folded_solution(slug: str) -> None:
    text = prose(slug)
    labels = re.findall(r":label: (\S+)", text)
    assert sorted(labels) == sorted(re.findall(r"\{solution-start\} (\S+)", text))
    assert text.count("```{hint}") == len(labels)
    assert text.count(":class: dropdown") == 2 * len(labels)
    assert all(label.startswith(f"ex-{slug.replace('_', '-')}-") for label in labels)


def test_claims_are_many_and_each_is_one_of_a_kind() -> None:
    statements = []
    for slug in SLUGS:
        texts = [outputs_text(cell) for cell in notebook.code_cells(pages.read(slug))]
        found = re.findall(r"Claim: (.*)", "\n".join(texts))
        assert len(found) >= 5, slug
        statements += found
    assert [s for s, count in Counter(statements).items() if count > 1] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_stored_text_holds_no_measured_floats(slug: str) -> None:
    # Floats belong into cards and figures: their last digits differ between machines.
    for cell in notebook.code_cells(pages.read(slug)):
        text = re.sub(r"(?m)^((Accepted|Source|Claim): |<Figure size).*$", "", outputs_text(cell))
        assert not re.search(r"\d\.\d{3,}", text), f"{cell.source}\n{text}"


@pytest.mark.parametrize("slug", SLUGS)
def test_each_chapter_has_its_module_and_tests(slug: str) -> None:
    for path in (f"ddl/{slug}.py", f"tests/test_{slug}.py", f"ddl/exercises/{slug}.py"):
        assert (pages.ROOT / path).is_file(), path
    assert f"from ddl.{slug} import" in "\n".join(
        cell.source for cell in notebook.code_cells(pages.read(slug))
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_prose_keeps_the_house_style(slug: str) -> None:
    text = prose(slug)
    words = re.sub(r"\$[^$]*\$|`[^`]*`|!\[", "", text)
    assert not re.search(r"\w!(\s|$)", words), "an exclamation mark"
    assert not re.search(r"\b(TODO|FIXME|TBD)\b", text)
    assert "## What to take away" in text
    # A page's own title is a question: inside a sentence it needs a short name.
    assert not re.search(r"\{doc\}`\w+`", text)
    assert "## Sources" in text
    code = [line for c in notebook.code_cells(pages.read(slug)) for line in c.source.split("\n")]
    assert [line for line in code if len(line) > 88] == []


def test_modules_are_small_and_concepts_import_no_workshop() -> None:
    workshop = {"data", "datafiles", "handwriting", "cells", "training", "scoring", "plotting"}
    workshop |= {"drawing", "interactive", "claims", "listings", "exercises", "settings"}
    for path in sorted((pages.ROOT / "ddl").rglob("*.py")):
        text = path.read_text()
        assert text.count("\n") <= 300, path
        assert text.startswith(('"""', 'r"""')), path
        assert "from __future__ import annotations" not in text
        if path.stem in SLUGS and path.parent.name == "ddl":
            used = set(re.findall(r"from ddl(?:\.(\w+))? import", text))
            assert not used & (workshop | {""}), path
