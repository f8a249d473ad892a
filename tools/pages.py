"""The life of a page: text, run, normalised, checked, built.

    draft text  --notebook-->  book/<slug>.ipynb  --run-->  normalised notebook
    book/<slug>.ipynb  --pytest --nbval-->  _build/executed/<slug>.ipynb
    book/*, _build/executed/*  --jupyter-book-->  _build/html

A page is executed once: `conftest.py` keeps the outputs that nbval compared,
with their pictures, under `_build/executed`, together with a fingerprint of
all they depend on. Only outputs with today's fingerprint reach the site:
`tools.sphinx_book` hands them to MyST-NB, which executes nothing.

Usage: python -m tools.pages run|text|notebook SLUG ...
       python -m tools.pages stale|with-data|book|site
"""

import contextlib
import importlib
import io
import logging
import os
import re
import subprocess
import sys
import time
import warnings
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from sphinx_external_toc.api import SiteMap
from sphinx_external_toc.parsing import parse_toc_data

from tools.fingerprint import fingerprint
from tools.notebook import claims_of, code_cells, node, normalised, write

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
DRAFTS = ROOT / "drafts"


def slugs() -> list[str]:
    """Return the executable pages in the order of the table of contents."""
    return [name for name in files() if (BOOK / f"{name}.ipynb").is_file()]


def short_title(slug: str) -> str:
    """Return what the table of contents calls a page, without one its slug."""
    page = _toc().get(slug)
    return (page and page.title) or slug


def files() -> list[str]:
    """Return all pages, executable or not, in the order of the table of contents."""
    return list(_toc())


def _toc() -> SiteMap:
    """Return the table of contents: its pages in order, by name."""
    return _site_map((ROOT / "_toc.yml").read_text(encoding="utf-8"))


@lru_cache
def _site_map(toc: str) -> SiteMap:
    return parse_toc_data(yaml.safe_load(toc))


def prepare_environment() -> None:
    """Set what all kernels of this process inherit: data, no progress bars, no user's settings."""
    os.environ["DDL_PROGRESS"] = "0"
    # Pages must not depend on files in the home folder, nor on there being one.
    os.environ.setdefault("IPYTHONDIR", str(BUILD / "ipython"))
    os.environ.setdefault("MPLCONFIGDIR", str(BUILD / "matplotlib"))
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    # glibc hands large blocks back after each use; keeping them saves a tenth of the time.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**30))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**32))
    place = os.environ.get("DDL_DATA", "")
    if place and place != "drawn":
        if not Path(place).is_dir():
            sys.exit(f"DDL_DATA must be a folder or 'drawn', got {place!r}")
        # A kernel's folder is its notebook's own: a relative path would miss there.
        os.environ["DDL_DATA"] = str(Path(place).resolve())
    elif not place:
        from ddl.data import digits_are_real

        if not digits_are_real():
            os.environ["DDL_DATA"] = "drawn"  # so that no kernel waits for a network again


def warm_up() -> None:
    """Build matplotlib's font cache before a page does and says so in its output."""
    importlib.import_module("matplotlib.font_manager")


def read(slug: str) -> NotebookNode:
    """Read a page's notebook."""
    return deepcopy(_stored(BOOK / f"{slug}.ipynb"))


def run(slug: str) -> None:
    """Execute one page in its folder and store it normalised."""
    from nbclient import NotebookClient

    prepare_environment()
    warm_up()
    page, started = read(slug), time.perf_counter()
    NotebookClient(
        page,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(BOOK)}},
    ).execute()
    write(normalised(page), BOOK / f"{slug}.ipynb")
    print(f"{slug}: ran in {time.perf_counter() - started:.0f} s and is normalised")


def to_text(slug: str) -> None:
    """Write the MyST text view of a page to drafts/."""
    import jupytext

    DRAFTS.mkdir(exist_ok=True)
    jupytext.write(read(slug), DRAFTS / f"{slug}.md", fmt="md:myst")
    print(f"edit drafts/{slug}.md, then: make notebook PAGE={slug}")


def to_notebook(slug: str) -> None:
    """Take the text view back; cells whose code is unchanged keep their outputs."""
    import jupytext

    text = jupytext.read(DRAFTS / f"{slug}.md", fmt="md:myst")
    target = BOOK / f"{slug}.ipynb"
    if target.is_file():
        known = {cell.source: cell for cell in code_cells(read(slug))}
        for cell in code_cells(text):
            if cell.source in known:
                cell.outputs = known[cell.source].outputs
                cell.execution_count = known[cell.source].execution_count
    write(normalised(text), target)
    print(f"book/{slug}.ipynb is written; changed cells run with: make page PAGE={slug}")


# --- From checked outputs to the site ------------------------------------------------------------


def fingerprint_of(slug: str) -> str:
    """Return the hash of all that a page's outputs depend on today."""
    prepare_environment()
    return fingerprint(read(slug), ROOT)


def this_run() -> dict[str, Any]:
    """Return when, on what, at which size and with which versions pages are executed now."""
    from ddl import scale
    from ddl.data import digits_are_real
    from ddl.settings import provenance, seed_value

    return {
        **provenance("torch", "numpy", "matplotlib"),
        "cores": os.cpu_count(),
        "scale": scale(),
        "seed": seed_value(),
        "digits": "MNIST" if digits_are_real() else "drawn",
    }


def keep_checked(slug: str, outputs: list[list[NotebookNode]], about: dict[str, Any]) -> None:
    """Keep the outputs that nbval has just compared, pictures included.

    Args:
        slug: The page.
        outputs: The outputs of each of its code cells.
        about: What to remember of this execution; its ``fingerprint`` was taken
            before the first cell ran, so that an edit meanwhile makes it stale.
    """
    page = read(slug)
    for number, (cell, cell_outputs) in enumerate(
        zip(code_cells(page), outputs, strict=True), start=1
    ):
        cell.execution_count = number
        cell.outputs = [
            node({k: v for k, v in out.items() if k != "execution_count"})
            for out in cell_outputs
            if not (out.output_type == "stream" and out.name == "stderr")
        ]
        for out in cell.outputs:
            if out.output_type == "execute_result":
                out.execution_count = number
    page.metadata["ddl"] = about
    EXECUTED.mkdir(parents=True, exist_ok=True)
    unfinished = EXECUTED / f".{slug}.{os.getpid()}"
    nbformat.write(page, unfinished)
    unfinished.replace(EXECUTED / f"{slug}.ipynb")


def forget_checked(slug: str) -> None:
    """Drop a page's kept outputs: its last check failed or has not ended."""
    (EXECUTED / f"{slug}.ipynb").unlink(missing_ok=True)


def executed(slug: str) -> NotebookNode:
    """Return a page as nbval ran it last. All callers get the same one: nobody changes it."""
    return _stored(EXECUTED / f"{slug}.ipynb")


def _stored(path: Path) -> NotebookNode:
    """Read a notebook, once for each time that it was written."""
    return _as_of(path, path.stat().st_mtime_ns)


@lru_cache
def _as_of(path: Path, changed: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def checked(slug: str) -> NotebookNode | None:
    """Return a page's checked outputs if they are of today's code, data and device."""
    if not (EXECUTED / f"{slug}.ipynb").is_file():
        return None
    page = executed(slug)
    return page if page.metadata.get("ddl", {}).get("fingerprint") == fingerprint_of(slug) else None


def with_outputs(slug: str) -> NotebookNode | None:
    """Return a page's prose and alt texts of today with its checked outputs, if it has such."""
    ran, page = checked(slug), read(slug)
    if ran is None:
        return None
    for cell, source in zip(code_cells(page), code_cells(ran), strict=True):
        cell.outputs, cell.execution_count = deepcopy(source.outputs), source.execution_count
    return page


def stale() -> list[str]:
    """Return the pages without checked outputs."""
    return [slug for slug in slugs() if checked(slug) is None]


def with_data() -> list[str]:
    """Return the pages whose outputs depend on which digits and photographs are there."""
    loads = re.compile(r"from ddl\.data import .*\b(digits|cifar10|mnist|fashion_mnist)\b")
    return [s for s in slugs() if any(loads.search(cell.source) for cell in code_cells(read(s)))]


def execute_stale() -> None:
    """Have nbval execute and compare the pages without checked outputs.

    A claim that fails stays on its page, and the site is built: on a reader's machine it is
    one sentence of hundreds. `report_failing_claims` tells of it.

    Raises:
        SystemExit: If a page fails otherwise.
    """
    paths = [f"book/{slug}.ipynb" for slug in stale()]
    if not paths:
        print("All pages have checked outputs; nothing to execute.", flush=True)
        return
    print("Executing:", *paths, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "--show-failing-claims", *paths], cwd=ROOT
    )
    if done.returncode:
        sys.exit(done.returncode)


def report_failing_claims() -> None:
    """Name the claims that failed in the runs that the site was built from.

    Raises:
        SystemExit: If there is one.
    """
    fails = [
        f"Page {slug}: the claim {c['statement']!r} failed in this run: "
        f"{c['measure'] or 'it'} measured {c['measured']}, accepted is {c['accepted']}."
        for slug in slugs()
        for c in claims_of(executed(slug))
        if c["verdict"] == "fails"
    ]
    if fails:
        sys.exit("\n".join(["The site is built, with what failed shown on it.", *fails]))


def build_site() -> None:
    """Build the site. Warnings and references that lead nowhere are errors.

    Raises:
        SystemExit: If a page has no checked outputs.
        RuntimeError: If the build fails.
    """
    if missing := stale():
        sys.exit(f"no checked outputs of {', '.join(missing)}: run make book")
    from jupyter_book.cli.main import main as jupyter_book

    settings = {"config": ROOT / "_config.yml", "toc": ROOT / "_toc.yml", "path-output": ROOT}
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = ["build", str(BOOK), *options, "-W", "-n", "--keep-going", "-q"]
    # Told to the console, no reader could mend it: fonts of the social cards, a name that torch
    # keeps for old code, and where index.html lies, which `make book` says in a line.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", ".*reduce_op", FutureWarning)
        jupyter_book(command, standalone_mode=False)


def main() -> None:
    """Run a command; see the module's docstring."""
    match sys.argv[1:]:
        case ["run" | "text" | "notebook" as command, *names] if names:
            for slug in names:
                {"run": run, "text": to_text, "notebook": to_notebook}[command](slug)
        case ["stale" | "with-data" as command]:
            found = stale() if command == "stale" else with_data()
            print(" ".join(f"book/{slug}.ipynb" for slug in found))
        case ["book" | "site" as command]:
            if command == "book":
                execute_stale()
            build_site()
            report_failing_claims()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
