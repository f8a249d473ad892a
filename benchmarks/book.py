"""The book itself: seconds by page, what an edit runs again, and the import of the package."""

import re
import subprocess
import sys
import time
from statistics import median

from benchmarks.measure import Result, in_turns, spread
from tools import pages
from tools.fingerprint import imported_modules
from tools.notebook import code_cells


def import_ddl() -> list[Result]:
    """Milliseconds of `import ddl` beyond those of torch."""

    def beyond_torch() -> float:
        command = [sys.executable, "-X", "importtime", "-c", "import torch, ddl"]
        found = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stderr
        cumulative = re.findall(r"\|\s+(\d+) \| (?:torch|ddl)$", found, re.M)
        return int(cumulative[-1]) / 1e3  # ddl comes last and is charged only what is new

    (values,) = in_turns(beyond_torch)
    middle = median(values)
    return [
        Result(
            "import ddl, beyond torch", middle, None, None, "ms", "at most 100", middle <= 100,
            (spread(values),),
        )
    ]  # fmt: skip


def execution() -> list[Result]:
    """Seconds of all pages as each was executed last, and the longest."""
    runs = {slug: pages.executed(slug).metadata["ddl"] for slug in pages.slugs()}
    taken = {slug: run["seconds"] for slug, run in runs.items()}
    longest = max(taken, key=lambda slug: taken[slug])
    (scale,), (device,) = ({run[key] for run in runs.values()} for key in ("scale", "device"))
    together = sum(taken.values())
    note = (
        f"{len(runs)} pages one after the other, at {scale} size on {device}, "
        f"as executed last; longest: {longest}, {taken[longest]:.0f} s"
    )
    return [
        Result("execution of the whole book", together, None, None, "s", "stated", None, (), note)
    ]


def edits() -> list[Result]:
    """Seconds to build an edit of prose, and how many pages an edit of a concept runs again."""
    page = pages.BOOK / "intro.md"
    before = page.read_bytes()

    def edit_and_build() -> float:
        started = time.perf_counter()
        page.write_text(
            page.read_text(encoding="utf-8") + "\nOne more sentence.\n",
            encoding="utf-8",
            newline="\n",
        )
        command = ["make", "-o", ".venv/.ready", "site"]
        subprocess.run(command, cwd=pages.ROOT, check=True, capture_output=True)
        return time.perf_counter() - started

    try:
        (values,) = in_turns(edit_and_build)
    finally:
        page.write_bytes(before)
    middle = median(values)
    rebuilt = Result(
        "rebuild after an edit of prose", middle, None, None, "s", "at most 10", middle <= 10,
        (spread(values),),
    )  # fmt: skip

    users = {slug: _modules(slug) for slug in pages.slugs()}
    concepts = [slug for slug in users if (pages.ROOT / "ddl" / f"{slug}.py").is_file()]
    again = [sum(concept in modules for modules in users.values()) for concept in concepts]
    note = f"between {min(again)} and {max(again)} of {len(users)}: those that import it"
    run_again = Result(
        "pages run again after an edit of one concept module", median(again), None, None, "pages",
        "stated", None, (), note,
    )  # fmt: skip
    return [rebuilt, run_again]


def _modules(slug: str) -> set[str]:
    """Return the modules of the package that a page imports, directly or through others."""
    code = "\n".join(cell.source for cell in code_cells(pages.read(slug)))
    return {path.stem for path in imported_modules(code, pages.ROOT)}
