"""Notebooks as source: text outputs only, the same bytes whoever ran them."""

import json
import re
from pathlib import Path
from typing import Any, cast

import nbformat
from nbformat import NotebookNode

from ddl.claims import CLAIM_MIME
from ddl.interactive import INTERACTIVE_MIME

# Lines of text output that differ between machines, sizes and data, and what
# stands for them in stored pages and in nbval's comparison.
VARIES = {
    r"(?m)^This run: .*$": "This run: (size, device, seed and torch version)",
    r"(?m)^Digits: .*$": "Digits: (MNIST, or drawn)",
    r"(?m)^Photographs: .*$": "Photographs: (CIFAR-10, or digits in their place)",
    r"(?m)^Verdict: not checked.*$": "Verdict: holds",
}
# Kinds of output that are not stored and not compared: beside each of them
# stands a text/plain that is.
RICH = (
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "text/html",
    "text/markdown",
    CLAIM_MIME,
    INTERACTIVE_MIME,
)
NO_COMPARISON = {"nbval-ignore-output", "nbval-skip"}


def node(value: dict[str, Any]) -> NotebookNode:
    """Return a dictionary, deep, as what nbformat calls a node."""
    return cast(NotebookNode, nbformat.from_dict(value))


def canonical(text: str) -> str:
    """Return a text output with what varies between machines replaced."""
    for pattern, replacement in VARIES.items():
        text = re.sub(pattern, replacement, text)
    return text


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_magics(code: str) -> str:
    """Return code without a notebook's magics, which are no Python; lines keep their numbers."""
    lines = code.split("\n")
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def claims_of(notebook: NotebookNode) -> list[dict[str, Any]]:
    """Return the claims that an executed page's outputs hold, in order."""
    return [
        dict(output.data[CLAIM_MIME])
        for cell in code_cells(notebook)
        for output in cell.outputs
        if CLAIM_MIME in output.get("data", {})
    ]


def is_compared(cell: NotebookNode) -> bool:
    """Return whether nbval compares a cell's outputs."""
    return cell.execution_count is not None and not NO_COMPARISON & set(
        cell.metadata.get("tags", [])
    )


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Return a copy that holds sources and text outputs only.

    Pictures, HTML, stderr, timings and cell ids go; cells are numbered from 1.
    Running a page twice and normalising it gives the same bytes.
    """
    page = node(json.loads(json.dumps(notebook)))
    page.metadata = node(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    page.nbformat, page.nbformat_minor = 4, 4  # 4.5 wants an id a cell, which no reader needs
    number = 0
    for cell in page.cells:
        cell.pop("id", None)
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip().split("\n"))
        keep = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")}
        cell.metadata = node(keep)
        if cell.cell_type == "code":
            number += 1
            ran = cell.execution_count is not None
            cell.execution_count = number if ran else None
            cell.outputs = [kept for out in _merged(cell.outputs) if (kept := _text_only(out))]
    return page


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join the pieces in which a stream arrived."""
    from nbval.plugin import coalesce_streams

    return list(coalesce_streams(outputs))


def _text_only(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        return node({**output, "text": canonical(output.text)})
    if output.output_type == "error":
        return node({**output, "traceback": []})
    data = {"text/plain": canonical(output.data["text/plain"])}
    return node(
        {k: v for k, v in output.items() if k != "execution_count"}
        | {"data": data, "metadata": {}}
        | ({"execution_count": None} if output.output_type == "execute_result" else {})
    )


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as the repository keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(notebook_json(notebook), indent=1, ensure_ascii=False, sort_keys=True) + "\n",
        encoding="utf-8",
        newline="\n",
    )


def notebook_json(notebook: NotebookNode) -> dict[str, Any]:
    """Return a notebook as JSON with long texts split into lines."""
    return json.loads(nbformat.writes(notebook, version=nbformat.NO_CONVERT))
