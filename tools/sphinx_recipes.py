"""Sphinx extension: what the recipes scored, beside what is published.

The directive ``{recipe-results} NAME`` makes a table of `results/*.json` and of
`book/full_size.yml`, and says below it how each result was made and which size was not run.
"""

import json
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from ddl.support.settings import SCALES
from tools import pages
from tools.sphinx_book import list_item, page_link, table

WANTED = ("cpu", "gpu")  # a column each, run or not
NOT_RUN = "not run"


def results(recipe: str) -> list[dict[str, Any]]:
    """Return the results of a recipe, small sizes first; the folder has records of claims, too."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (pages.ROOT / "results").glob("*.json")
    ]
    found = [r for r in found if isinstance(r, dict) and r["recipe"] == recipe]
    return sorted(found, key=lambda result: (SCALES.index(result["scale"]), result["seed"]))


def published() -> dict[str, list[dict[str, Any]]]:
    """Return the published figures of each recipe: score, value, source."""
    return yaml.safe_load((pages.BOOK / "full_size.yml").read_text(encoding="utf-8"))


def rows(recipe: str) -> tuple[list[str], list[list[str]]]:
    """Return the table's head and rows; "Published" is there only if something is.

    Scores are in the order of the results; what was published and not run comes last. Where a
    smaller run stands beside a published figure, the figure's cell says how much smaller.
    """
    found = results(recipe)
    missing = [scale for scale in WANTED if scale not in {result["scale"] for result in found}]
    figures = published()[recipe]
    names = dict.fromkeys(name for result in found for name in result["scores"])
    names |= dict.fromkeys(figure["score"] for figure in figures)
    head = ["Score", *(_size(result) for result in found), *(f"{s} size" for s in missing)]
    body = []
    for name in names:
        values = [result["scores"].get(name) for result in found] + [None] * len(missing)
        said = [f"{f['value']} ({f['source']})" for f in figures if f["score"] == name]
        if said:
            said += [smaller(result) for result in found if result["scores"].get(name)]
        shown = [NOT_RUN if value is None else f"{value:.4g}" for value in values]
        body.append([name, *shown, "; ".join(filter(None, said))])
    if not figures:
        return head, [row[:-1] for row in body]
    return [*head, "Published"], body


def _size(result: dict[str, Any]) -> str:
    seed = f", seed {result['seed']}" if result["seed"] else ""
    return f"{result['scale']} size{seed}"


def smaller(result: dict[str, Any]) -> str:
    """Return why a result is not to be held against a published figure; of a full one nothing."""
    if result["scale"] == "gpu":
        return ""
    steps = max(training["steps"] for training in result["trainings"].values())
    return f"not comparable: {_size(result)} is {result['data']}, {steps:,} steps"


def made(result: dict[str, Any]) -> str:
    """Return how a result was made, in a line."""
    options = ", ".join(f"{name} {value}" for name, value in result["options"].items())
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    trained = sum(training["seconds"] for training in result["trainings"].values())
    steps = sum(training["steps"] for training in result["trainings"].values())
    count = len(result["trainings"])
    trainings = "1 training," if count == 1 else f"{count} trainings, together"
    return (
        f"{_size(result)}: {result['data']}; seed {result['seed']}; "
        f"{trainings} {steps:,} steps in {trained:,.0f} s, on {result['device']}, "
        f"processes {result['processes']}, threads {result['threads']}; ended "
        f"{result['ended']} UTC; {versions}; commit {str(result['commit'])[:12]}; {options}."
    )


class RecipeResults(SphinxDirective):
    """A recipe's table, and a list of its runs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build them anew in every build."""
        self.env.note_reread()
        (recipe,) = self.arguments
        head, body = rows(recipe)
        cells = [[nodes.Text(text) for text in row] for row in body]
        widths = [40 if name in ("Score", "Published") else 12 for name in head]
        runs = nodes.bullet_list(classes=["ddl-made"])
        for result in results(recipe):
            runs += list_item(nodes.Text(made(result)))
        scales = [result["scale"] for result in results(recipe)]
        for scale in (scale for scale in WANTED if scale not in scales):
            command = (
                f"python -m ddl.recipes {recipe} --scale {scale} "
                f"--out results/{recipe}_{scale}.json"
            )
            start = nodes.Text(f"{scale} size: {NOT_RUN}. This runs it: ")
            runs += list_item(start, nodes.literal(text=command))
        page = nodes.paragraph()
        page += nodes.Text("The page that teaches it: ")
        page += page_link(recipe)
        return [table(head, widths, cells), runs, page]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("recipe-results", RecipeResults)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
