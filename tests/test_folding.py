"""Which cells the site folds: those that only show."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ddl.claims import CLAIM_MIME
from tools import folding, pages

CARD: dict[str, object] = {"text/plain": "Claim: x", CLAIM_MIME: {}}
FIGURE: dict[str, object] = {"text/plain": "<Figure>", "image/png": ""}
SENTENCE: dict[str, object] = {"text/markdown": "So it is."}


def cell(code: str, *shown: dict[str, object], **metadata: object) -> nbformat.NotebookNode:
    outputs = [new_output("display_data", data) for data in shown]
    return new_code_cell(code, outputs=outputs, metadata=metadata)


def folded(*cells: nbformat.NotebookNode) -> dict[int, str]:
    return folding.folded(new_notebook(cells=[new_markdown_cell("# Page"), *cells]))


@pytest.mark.parametrize(
    ("code", "shown", "kind"),
    [
        ("claim('x', y, below=1)", CARD, "check"),
        ("z = y + 1\nclaim('x', z, below=1)", CARD, "check"),
        ("_, axes = plt.subplots()\naxes.plot(y)\nplt.show()", FIGURE, "plot"),
        ("say(f'{y}')", SENTENCE, "numbers"),
        ("show_code(f)", SENTENCE, "listing"),
    ],
)
def test_a_cell_that_only_shows_is_folded(code: str, shown: dict[str, object], kind: str) -> None:
    assert folded(cell("y = train()"), cell(code, shown)) == {2: kind}


def test_what_later_code_uses_stays() -> None:
    plot = cell("cells = y[:3]\nplt.imshow(cells)", FIGURE)
    assert folded(plot, cell("net = train(cells)")) == {}
    assert folded(plot, cell("claim('x', cells.max(), below=1)", CARD)) == {1: "plot", 2: "check"}
    assert folded(plot, cell("cells = 3\nnet = train(cells)")) == {1: "plot"}  # another one
    again = (cell("cells = train()"), cell("net = train(cells)"))
    assert folded(plot, *again) == {1: "plot"}  # given anew in between
    assert folded(plot, cell("def f(cells):\n    return cells")) == {1: "plot"}  # its own
    assert folded(plot, cell("def f():\n    return cells")) == {}


def test_code_that_computes_or_prints_stays() -> None:
    assert folded(cell("net = train()")) == {}
    printed = cell("print(3)\nplt.plot([1])", FIGURE)
    printed.outputs.append(new_output("stream", text="3\n"))
    assert folded(printed) == {}


def test_imports_are_folded_and_exercises_are_not() -> None:
    assert folded(cell("%matplotlib inline\nimport torch\ntorch.set_num_threads(1)")) == {
        1: "imports"
    }
    assert folded(cell("import torch\nx = torch.ones(3)")) == {}
    assert folded(cell("claim('x', 1, below=2)", CARD, tags=["exercise"])) == {}
    assert folded(cell("check.kl(kl)", SENTENCE)) == {}


def test_every_page_begins_with_imports_and_keeps_code_that_matters() -> None:
    for slug in pages.slugs():
        found = folding.folded(pages.read(slug))
        assert "imports" in found.values(), slug
