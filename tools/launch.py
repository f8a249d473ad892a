"""Launch copies: the pages as plain notebooks that run anywhere, with their pictures.

    _build/executed/<slug>.ipynb  --launch-->  <folder>/<slug>.ipynb

A launch copy begins with a cell that installs `ddl` from the very commit that
built the page, beside the torch and numpy that are there. Its text is plain
Markdown: Colab and Jupyter show directives and roles as they are written.
The folder is what branch `launch` holds: the copies, a readme and Binder's files.

Usage: python -m tools.launch FOLDER
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from ddl.claims import CLAIM_MIME
from ddl.interactive import INTERACTIVE_MIME
from tools import pages
from tools.notebook import code_cells, write

BRANCH = "launch"
# pip keeps a package of the same version, whatever its commit. So another one is replaced by
# force, which pip does once the new one is built: without a network the old one stays.
INSTALL = """\
# The book's package, from the commit that made this page; torch and numpy stay as they are.
import subprocess
import sys
from importlib import invalidate_caches, metadata
from importlib.util import find_spec


def install(*what):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run([*pip, *what], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(
            "The book's package could not be installed; what was there is still there. "
            "Is this machine connected to the network? Then run this cell again. "
            f"What pip says: {{done.stderr.strip()[-500:]}}"
        )
    invalidate_caches()


package = "ddl[keras] @ {source}"
found = [ddl.read_text("direct_url.json") or "" for ddl in metadata.distributions(name="ddl")]
if not any("{commit}" in origin for origin in found):
    here = [name for name in ("torch", "numpy") if find_spec(name)]
    install(*(f"{{name}}=={{metadata.version(name)}}" for name in here), package)
    if found:
        install("--force-reinstall", "--no-deps", package)"""
BY_HAND = "Before the first cell, install the book's package from its clone: `pip install -e .`"
ABOUT = """\
When the book was built, this page took {seconds:.0f} seconds at `{scale}` size on {device}.
Here it runs at `gpu` size where there is a GPU, else at `cpu` size.
For a quick trial, which checks no claim, run `%env DDL_SCALE=smoke` before anything else."""
README = """\
# Demonstrated Deep Learning: notebooks to run

The pages of the book as plain notebooks, with the outputs of the run that built it.
The first cell of each installs the book's package from commit {commit}.
Written anew at each publication from [{repository}](https://github.com/{repository}):
changes belong there.

{pages}
"""
DIRECTIVE = re.compile(r"```\{([\w-]+)\} *(.*?)\n(.*?)```", re.S)
ROLE = re.compile(r"\{doc\}`(.+?) *<(\w+)>`")


def repository() -> str:
    """Return the repository as owner/name: that of the run on GitHub, else `_config.yml`'s."""
    config = yaml.safe_load((pages.ROOT / "_config.yml").read_text(encoding="utf-8"))
    return os.environ.get("GITHUB_REPOSITORY") or config["sphinx"]["config"]["ddl_repository"]


def commit() -> str:
    """Return the commit that the site is built from; nothing where git does not know."""
    git = ["git", "-C", str(pages.ROOT), "rev-parse", "HEAD"]
    try:
        found = subprocess.check_output(git, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError):
        found = ""
    return os.environ.get("GITHUB_SHA") or found.strip()


def package_source() -> str:
    """Return where pip finds this commit of `ddl`; nothing without a repository's name or git.

    It is an archive: a reader's machine need not have git.
    """
    if not (repository() and commit()):
        return ""
    return f"https://github.com/{repository()}/archive/{commit()}.zip"


def commit_of(source: str) -> str:
    """Return the commit in an archive's address."""
    return source.rpartition("/")[2].removesuffix(".zip")


def install_code(source: str) -> str:
    """Return the code that installs `ddl` from ``source``, an archive named by its commit."""
    return INSTALL.format(source=source, commit=commit_of(source))


def buttons(slug: str) -> dict[str, str]:
    """Return what a page's launch buttons say, and where they lead; none without a repository."""
    if not repository():
        return {}
    colab = f"https://colab.research.google.com/github/{repository()}/blob/{BRANCH}/{slug}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{repository()}/{BRANCH}?labpath={slug}.ipynb"
    return {"Run on Colab": colab, "Run on Binder": binder}


def about(run: dict[str, Any]) -> str:
    """Return how long a page took, on what and at which size, as it stands under its title."""
    device = f"a CPU with {run['cores']} cores" if run["device"] == "CPU" else run["device"]
    return ABOUT.format(**(run | {"device": device}))


def plain_markdown(text: str, site: str = "") -> str:
    """Return MyST text as Markdown that reads well where directives and roles are unknown.

    Args:
        text: A cell of a page.
        site: Where the book is read: links to chapters lead there, else to notebooks beside.

    Raises:
        ValueError: If it holds a directive or role that this does not know.
    """

    def directive(found: re.Match[str]) -> str:
        name, argument, body = found.groups()
        body = re.sub(r"(?m)^:[\w-]+:.*\n", "", body).strip()
        match name:
            case "exercise":
                return f"### Exercise{': ' * bool(argument)}{argument}\n\n{body}"
            case "hint":
                return f"<details><summary>Hint</summary>\n\n{body}\n\n</details>"
            case "solution-start":
                return "**Solution**"
            case "solution-end":
                return ""
        raise ValueError(f"a launch copy cannot show the directive {name}")

    text = DIRECTIVE.sub(directive, text)
    target = rf"{site.rstrip('/')}/\2.html" if site else r"\2.ipynb"
    text = ROLE.sub(rf"[\1]({target})", text)
    if left := re.search(r"```\{.*|\{\w+\}`.*", text):
        raise ValueError(f"a launch copy cannot show {left[0]!r}")
    return text.strip()


def launch_copy(slug: str, source: str, site: str = "") -> NotebookNode:
    """Return a page's checked outputs as a notebook to run elsewhere.

    Args:
        slug: The page.
        source: Where pip finds `ddl`; without it, the copy says how to install it.
        site: Where the book is read.

    Raises:
        RuntimeError: If the page has no checked outputs of today.
    """
    executed, page = pages.checked(slug), pages.with_outputs(slug)
    if executed is None or page is None:
        raise RuntimeError(f"{slug} has no checked outputs: run make book")
    for cell in code_cells(page):
        for output in cell.outputs:
            for kind in (CLAIM_MIME, INTERACTIVE_MIME):  # for the site alone
                output.get("data", {}).pop(kind, None)
        cell.metadata.pop("mystnb", None)
    first = new_code_cell(install_code(source)) if source else new_markdown_cell(BY_HAND)
    how_long = new_markdown_cell(about(executed.metadata["ddl"]))
    cells = [page.cells[0], how_long, first, *page.cells[1:]]
    for cell in cells:
        cell.pop("id", None)
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, site)
    page.cells = [cell for cell in cells if cell.source]
    page.metadata.pop("ddl", None)
    if any("ddl.training" in cell.source for cell in code_cells(page)):
        page.metadata["accelerator"] = "GPU"
        page.metadata["colab"] = {"gpuType": "T4"}
    return page


def write_copies(folder: Path, slugs: Iterable[str]) -> None:
    """Write the launch copies of pages."""
    source, site = package_source(), os.environ.get("DDL_SITE_URL", "")
    for slug in slugs:
        write(launch_copy(slug, source, site), folder / f"{slug}.ipynb")


def write_branch(folder: Path) -> None:
    """Write all that branch `launch` holds.

    Raises:
        RuntimeError: If the repository has no name, so that nothing could be installed.
    """
    source = package_source()
    if not source:
        raise RuntimeError("no repository: name it in GITHUB_REPOSITORY or in _config.yml")
    write_copies(folder, pages.slugs())
    lines = []
    for slug in pages.slugs():
        title = pages.read(slug).cells[0].source.split("\n")[0].removeprefix("# ")
        links = [f"[{name}]({address})" for name, address in buttons(slug).items()]
        lines.append(f"- [{title}]({slug}.ipynb): {', '.join(links)}")
    about = {"repository": repository(), "commit": commit_of(source)}
    (folder / "README.md").write_text(
        README.format(pages="\n".join(lines), **about), encoding="utf-8", newline="\n"
    )
    binder = folder / ".binder"
    binder.mkdir(exist_ok=True)
    shutil.copy(pages.ROOT / ".binder" / "environment.yml", binder)
    post_build = binder / "postBuild"
    post_build.write_text(
        f"#!/usr/bin/env python3\n{install_code(source)}\n", encoding="utf-8", newline="\n"
    )
    post_build.chmod(0o755)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_branch(Path(sys.argv[1]))
