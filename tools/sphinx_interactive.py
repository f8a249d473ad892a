"""Sphinx extension: the interactive figures of the site.

The outputs that nbval checked hold each figure's numbers and models (see
`ddl.interactive`). They become `_static/interactive/data/NAME.json` and
`NAME.MODEL.onnx`, which a figure loads once a reader starts it.

Where the page offers a figure, its title, what to try and the size of the download
are written into the page: `web/interactive.yml` has the words, the files their sizes.
`palette.js` hands the colours of the still figures to the scripts.
"""

import base64
import gzip
import html
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

from ddl.interactive import INTERACTIVE_MIME
from ddl.plotting import COLORS, DASHES
from tools import pages
from tools.notebook import code_cells

WORDS = pages.ROOT / "web" / "interactive.yml"
SCRIPTS = pages.ROOT / "web" / "static" / "interactive"
DIST = pages.ROOT / "web" / "node_modules" / "onnxruntime-web" / "dist"
NAMES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
RUNTIME = tuple(DIST / name for name in NAMES)
# What GitHub Pages compresses on its way to the reader.
COMPRESSED = (".css", ".html", ".js", ".json", ".mjs", ".svg", ".wasm", ".xml")
COLORMAPS = ("gray", "RdBu_r", "viridis")  # of the still figures
STOPS = 17  # of a colour map; between them scripts interpolate


def figures(slug: str) -> Iterator[dict[str, Any]]:
    """Yield the interactive figures in a page's checked outputs."""
    page = pages.checked(slug)
    for cell in code_cells(page) if page else []:
        for output in cell.outputs:
            if INTERACTIVE_MIME in output.get("data", {}):
                yield output.data[INTERACTIVE_MIME]


def palette() -> str:
    """Return the still figures' colours, dashes and colour maps as a script's constants.

    A dash is a list of lengths, in widths of its line.
    """
    default = matplotlib.rcParamsDefault
    named = {
        "-": [],
        "--": default["lines.dashed_pattern"],
        "-.": default["lines.dashdot_pattern"],
        ":": default["lines.dotted_pattern"],
    }
    dashes = [named[dash] if isinstance(dash, str) else list(dash[1]) for dash in DASHES]
    maps = {
        name: [
            list(matplotlib.colormaps[name](k / (STOPS - 1), bytes=True)[:3]) for k in range(STOPS)
        ]
        for name in COLORMAPS
    }
    constants = {"COLORS": list(COLORS), "DASHES": dashes, "MAPS": maps}
    return "// Written by the build: what the still figures are drawn with.\n" + "".join(
        f"export const {name} = {json.dumps(value, default=int)};\n"
        for name, value in constants.items()
    )


def data_files(figure: dict[str, Any]) -> dict[str, bytes]:
    """Return the contents of a figure's own files by name: its numbers, then its models."""
    numbers = json.dumps(figure["data"], separators=(",", ":")).encode()
    models = {
        f"{figure['name']}.{key}.onnx": base64.b64decode(model["onnx"])
        for key, model in figure["models"].items()
    }
    return {f"{figure['name']}.json": numbers, **models}


def download(figure: dict[str, Any]) -> tuple[int, int]:
    """Return what a figure loads, in bytes on the wire: scripts and numbers; models and runtime."""
    numbers, *models = data_files(figure).items()
    scripts = [SCRIPTS / f"{figure['name']}.js", SCRIPTS / "kit.js"]
    first = _sent([numbers, ("palette.js", palette().encode())]) + _sizes(scripts)
    return first, _sent(models) + _sizes(RUNTIME) if models else 0


def _sent(files: Iterable[tuple[str, bytes]]) -> int:
    return sum(
        len(gzip.compress(content, 6)) if name.endswith(COMPRESSED) else len(content)
        for name, content in files
    )


def _sizes(paths: Iterable[Path]) -> int:
    return sum(_size(path, path.stat().st_mtime_ns) for path in paths)


@lru_cache
def _size(path: Path, changed: int) -> int:
    return _sent([(path.name, path.read_bytes())])


def megabytes(size: int) -> str:
    """Return a size in bytes as readers are told it."""
    return f"{max(size / 1e6, 0.01):.{1 if size >= 1e6 else 2}f} MB"


def offer(figure: dict[str, Any]) -> str:
    """Return the HTML of a figure that was not started: title, what to try, a sentence.

    Where scripts run, `site.js` puts a button in the sentence's place.

    Raises:
        RuntimeError: If `web/interactive.yml` does not know the figure.
    """
    name = figure["name"]
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8")).get(name)
    if words is None:
        raise RuntimeError(f"web/interactive.yml has no title and nothing to try for {name}")
    first, models = download(figure)
    now, more = (first, models) if "later" in words else (first + models, 0)
    later = f" Choosing {words['later']} loads another {megabytes(more)}." if more else ""
    title, hint = html.escape(words["title"]), html.escape(words["try"] + later, quote=False)
    return (
        f'<div class="ddl-interactive" data-interactive="{name}" data-size="{megabytes(now)}"'
        f' role="group" aria-labelledby="interactive-{name}">\n'
        f'<p class="ddl-figure-title" id="interactive-{name}">{title}</p>\n'
        f'<p class="ddl-try"><b>Try:</b> {hint}</p>\n'
        '<p class="ddl-not-started">This figure needs scripts. Without them, the picture above '
        "stands for it.</p>\n</div>\n"
    )


class Offer(SphinxTransform):
    """Puts what readers are told of a figure where the page's cell offers it."""

    default_priority = 900

    def apply(self, **kwargs: Any) -> None:
        """Write it into the outputs that were read."""
        slug = self.env.docname
        if slug not in pages.slugs():
            return
        for figure in figures(slug):
            name = figure["name"]
            for path in (WORDS, SCRIPTS / f"{name}.js", SCRIPTS / "kit.js"):
                self.env.note_dependency(str(path))
            for node in self.document.findall(nodes.raw):
                if re.search(rf'data-interactive="{name}"', node.astext()):
                    node.replace_self(nodes.raw("", offer(figure), format="html"))


def write_figures(app: Sphinx, failure: Exception | None) -> None:
    """Write the files of all figures, and the runtime that their models need.

    Raises:
        RuntimeError: If two figures have the same name, or one has no script.
    """
    if failure or app.builder.format != "html":
        return
    place = Path(app.outdir) / "_static" / "interactive"
    shutil.rmtree(place / "data", ignore_errors=True)
    (place / "data").mkdir(parents=True)
    (place / "palette.js").write_text(palette(), encoding="utf-8", newline="\n")
    for slug in pages.slugs():
        for figure in figures(slug):
            name = figure["name"]
            if (place / "data" / f"{name}.json").exists():
                raise RuntimeError(f"two interactive figures have the name {name}")
            if not (place / f"{name}.js").is_file():
                raise RuntimeError(f"{slug}: web/static/interactive/{name}.js is missing")
            for file, content in data_files(figure).items():
                (place / "data" / file).write_bytes(content)
    target = Path(app.outdir) / "_static" / "onnxruntime"
    target.mkdir(parents=True, exist_ok=True)
    for path in RUNTIME:
        shutil.copy(path, target / path.name)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_transform(Offer)
    app.connect("build-finished", write_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
