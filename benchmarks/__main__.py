"""Run comparisons and write one JSON line each: `python -m benchmarks [--out FILE] [NAME ...]`."""

import argparse
import json
import os
from pathlib import Path

import torch

from benchmarks import book, diffusion, training
from benchmarks.measure import Result, line
from ddl.support.settings import print_anywhere

COMPARISONS = {
    "batches": training.batches,
    "loop": training.loop,
    "attention": training.attention,
    "vae": training.vae,
    "diffusion_steps": diffusion.steps,
    "diffusion_score": diffusion.to_a_score,
    "import": book.import_ddl,
    "execution": book.execution,
    "edits": book.edits,
}


def main() -> None:
    """Run the named comparisons, or all."""
    print_anywhere()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*COMPARISONS, []], metavar="NAME", help="which; default all"
    )
    parser.add_argument("--out", type=Path, help="a file for the lines, one JSON object each")
    options = parser.parse_args()
    os.environ["DDL_PROGRESS"] = "0"
    torch.set_num_threads(1)
    for name in options.names or COMPARISONS:
        found = COMPARISONS[name]()
        for result in found:
            sign = {True: "reached", False: "NOT reached", None: ""}[result.reached]
            peer = "" if result.peer is None else f" against {result.peer:.4g}"
            ratio = "" if result.ratio is None else f", ratio {result.ratio:.3g}"
            print(f"{result.name}: {result.ours:.4g}{peer} {result.unit}{ratio}"
                  f" ({result.bar}) {sign}", flush=True)  # fmt: skip
        if options.out:
            keep(options.out, name, found)


def keep(path: Path, name: str, results: list[Result]) -> None:
    """Write the lines of one comparison into a file, in place of those that it had."""
    known = map(json.loads, path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()
    lines = [entry for entry in known if entry["comparison"] != name]
    lines += [line(result) | {"comparison": name} for result in results]
    lines.sort(key=lambda entry: [*COMPARISONS].index(entry["comparison"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in lines),
        encoding="utf-8",
        newline="\n",
    )


if __name__ == "__main__":
    main()
