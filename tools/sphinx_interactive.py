"""Sphinx extension: what interactive figures need, written beside the site's scripts.

The outputs that nbval checked hold each figure's numbers and models (see
`ddl.interactive`). They become `_static/interactive/data/NAME.json` and
`NAME.MODEL.onnx`, which a figure loads once a reader starts it.
"""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from ddl.interactive import INTERACTIVE_MIME
from tools import pages
from tools.notebook import code_cells


def figures(slug: str) -> Iterator[dict[str, Any]]:
    """Yield the interactive figures in a page's checked outputs."""
    page = pages.checked(slug)
    for cell in code_cells(page) if page else []:
        for output in cell.outputs:
            if INTERACTIVE_MIME in output.get("data", {}):
                yield output.data[INTERACTIVE_MIME]


def write_figures(app: Sphinx, failure: Exception | None) -> None:
    """Write all of them.

    Raises:
        RuntimeError: If two figures have the same name, or one has no script.
    """
    if failure or app.builder.format != "html":
        return
    place = Path(app.outdir) / "_static" / "interactive"
    shutil.rmtree(place / "data", ignore_errors=True)
    (place / "data").mkdir(parents=True)
    for slug in pages.slugs():
        for figure in figures(slug):
            name = figure["name"]
            target = place / "data" / f"{name}.json"
            if target.exists():
                raise RuntimeError(f"two interactive figures have the name {name}")
            if not (place / f"{name}.js").is_file():
                raise RuntimeError(f"{slug}: web/static/interactive/{name}.js is missing")
            target.write_text(
                json.dumps(figure["data"], separators=(",", ":")), encoding="utf-8", newline="\n"
            )
            for key, model in figure["models"].items():
                content = base64.b64decode(model["onnx"])
                (place / "data" / f"{name}.{key}.onnx").write_bytes(content)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.connect("build-finished", write_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
