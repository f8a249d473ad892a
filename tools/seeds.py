"""How much each claim varies: pages run from several seeds, on this machine and as others.

    python -m tools.seeds run [--seeds 0-4] [--machines native,avx2,threads] [PAGE ...]
    python -m tools.seeds failures
    python -m tools.seeds merge [FOLDER ...]

`run` executes each page once a seed and takes down every claim's number; a claim that fails
does not stop it. Seeds go round the machines: with three machines, seed 4 plays the second.
What has run already is not run again. `failures` lists the claims that failed; `merge` writes
all runs of today's pages, and those in folders of other computers, to `results/margins.json`,
with the statements and bounds that pages have today.

Runs are of today's page if code and modules are the same (`numbers_fingerprint`). After a change
that should alter no number, `run` finds that out: where a run gives the numbers that the former
code gave from the same seed on the same machine, the others of the former code count again.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ddl.data import digits_are_real
from ddl.support.settings import print_anywhere
from tools import margins, pages
from tools.notebook import claims_of, code_cells

RUNS = pages.BUILD / "seeds"
# How kernels are told to compute as on another processor. `plain` is several times slower.
MACHINES = {
    "native": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
    "threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
    "plain": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}
USUAL = ("native", "avx2", "threads")


def record_of(slug: str, seed: int, machine: str) -> Path:
    """Return where the record of a run of today's page lies."""
    return RUNS / slug / margins.fingerprint_of(slug)[:12] / f"{seed}-{machine}.json"


def run_page(slug: str) -> list[dict[str, Any]]:
    """Execute a page as the environment says; return its claims."""
    from nbclient import NotebookClient

    pages.prepare_environment()
    pages.warm_up()
    page = pages.read(slug)
    for cell in code_cells(page):
        cell.outputs, cell.execution_count = [], None
    place = {"metadata": {"path": str(pages.BOOK)}}
    NotebookClient(page, timeout=7200, kernel_name="python3", resources=place).execute()
    return claims_of(page)


def take_down(slug: str, seed: int, machine: str) -> str:
    """Run a page in a process of its own, unless its record is there; return what to tell.

    Raises:
        RuntimeError: If the page stops, for another reason than a claim.
    """
    path = record_of(slug, seed, machine)
    where = f"{slug}, seed {seed}, {machine}"
    if path.is_file():
        return f"{where}: known"
    path.parent.mkdir(parents=True, exist_ok=True)
    here = {"DDL_SEED": str(seed), "DDL_CLAIMS": "show", "OMP_NUM_THREADS": "1"}
    here["PYTHONIOENCODING"] = "utf-8"  # of what is read below
    command = [sys.executable, "-m", "tools.seeds", "page", slug, str(path)]
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=pages.ROOT,
        env={**os.environ, **here, **MACHINES[machine]},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"{where}: the page stopped\n{done.stderr[-2000:]}")
    told = f"{where}: {time.monotonic() - started:.0f} s"
    if copied := take_over(path):
        told += f"; all numbers as before, so {copied} former runs count"
    for claim in json.loads(path.read_text(encoding="utf-8")):
        if claim["verdict"] == "fails":
            told += f"\n    fails: {claim['statement']}: {claim['measured']}"
    return told


def runs(slugs: Iterable[str], seeds: Iterable[int], machines: list[str]) -> Iterator[tuple]:
    """Yield page, seed and machine of each run: all pages from one seed, then from the next."""
    for seed in seeds:
        for slug in slugs:
            yield slug, seed, machines[seed % len(machines)]


def take_over(path: Path) -> int:
    """Take over the runs of former code that gave all the numbers of a run; return how many.

    What they measured counts; what the claims say is said as it is today.
    """
    copied = 0
    for former in path.parent.parent.glob(f"*/{path.name}"):
        if former == path or _measured(former) != _measured(path):
            continue
        for other in former.parent.glob("*.json"):
            if not (target := path.parent / other.name).exists():
                pairs = zip(_claims(path), _claims(other), strict=True)
                kept = [now | {key: old[key] for key in MEASURED} for now, old in pairs]
                text = json.dumps(kept, indent=1)
                target.write_text(text, encoding="utf-8", newline="\n")
                copied += 1
    return copied


MEASURED = ("value", "measured", "verdict")


def _claims(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))


def _measured(path: Path) -> list[Any]:
    return [claim["value"] for claim in _claims(path)]


def known_runs(slug: str, folders: Sequence[Path] = (RUNS,)) -> list[margins.Run]:
    """Return the runs of today's page, of this machine or in other folders of records."""
    today = margins.fingerprint_of(slug)
    found = {}
    for path in (p for folder in folders for p in (folder / slug / today[:12]).glob("*.json")):
        seed, machine = path.stem.split("-")
        claims = json.loads(path.read_text(encoding="utf-8"))
        found[int(seed), machine] = margins.Run(slug, today, int(seed), machine, claims)
    return [found[key] for key in sorted(found)]


def failures() -> list[str]:
    """Return page, claim and run of each claim that failed in a run of this machine."""
    return [
        "\t".join(
            (
                slug,
                claim["statement"],
                f"seed {run.seed}, {run.machine}: {claim['measure']} "
                f"measured {claim['measured']}, accepted is {claim['accepted']}",
            )
        )
        for slug in pages.slugs()
        for run in known_runs(slug)
        for claim in run.claims
        if claim["verdict"] == "fails"
    ]


def merge(folders: Sequence[Path]) -> None:
    """Write the record anew; pages without any run keep their entries."""
    before = margins.read()
    result: list[dict[str, Any]] = []
    for slug in pages.slugs():
        if not (runs := known_runs(slug, folders)):
            result += [entry for (page, _), entry in before.items() if page == slug]
            continue
        result += margins.entries(slug, runs)
    margins.write(result)
    for entry in result:
        for fault in margins.faults(entry):
            print(f"{entry['page']}: {entry['claim']}: {fault}")


def numbers(text: str) -> list[int]:
    """Return the seeds that `0-4` or `1,5,7` names."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> None:
    """Run a command; see the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("pages", nargs="*", default=[])
    run.add_argument("--seeds", type=numbers, default=numbers("0-4"))
    run.add_argument("--machines", type=lambda text: text.split(","), default=list(USUAL))
    run.add_argument("--jobs", type=int, default=os.cpu_count())
    commands.add_parser("merge").add_argument("folders", nargs="*", type=Path)
    commands.add_parser("failures")
    page = commands.add_parser("page")
    page.add_argument("slug")
    page.add_argument("out", type=Path)
    options = parser.parse_args()
    print_anywhere()  # claims have signs
    if options.command == "page":
        claims = run_page(options.slug)
        unfinished = options.out.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(claims, indent=1), encoding="utf-8", newline="\n")
        unfinished.replace(options.out)
    elif options.command == "failures":
        print("".join(f"{line}\n" for line in failures()), end="")
    elif options.command == "merge":
        merge([RUNS, *options.folders])
    else:
        if unknown := set(options.machines) - set(MACHINES):
            sys.exit(f"machines must be of {', '.join(MACHINES)}, got {', '.join(unknown)}")
        if not digits_are_real():
            sys.exit("claims are recorded on MNIST: name a folder that holds it in DDL_DATA")
        wanted = list(runs(options.pages or pages.slugs(), options.seeds, options.machines))
        with ThreadPoolExecutor(options.jobs) as pool:
            tasks = [pool.submit(take_down, *run) for run in wanted]
            for number, task in enumerate(tasks, start=1):
                told = task.exception() or task.result()
                print(f"{number} of {len(wanted)}: {told}", flush=True)
        if stopped := sum(task.exception() is not None for task in tasks):
            sys.exit(f"{stopped} of {len(wanted)} runs stopped before their end")


if __name__ == "__main__":
    main()
