"""Train what a page trains, at full size: ``python -m ddl.recipes NAME --out results/NAME.json``.

The same command again goes on where a killed run stopped. On several GPUs:
``torchrun --nproc-per-node 4 -m ddl.recipes NAME``; on a cluster: `examples/slurm.sh`.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ddl import scale
from ddl.recipes import NAMES, results
from ddl.recipes.engine import PRECISIONS, Run
from ddl.support.datafiles import DataUnavailableError
from ddl.support.settings import SCALES, print_anywhere, seed_value

OUT = "the results; beside them is a folder of checkpoints, on a disk that all machines see"


def counting(text: str) -> int:
    """Read a number of something.

    Raises:
        ArgumentTypeError: If it is not a whole number from 1 on.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def json_file(text: str) -> Path:
    """Read the name of a JSON file.

    Raises:
        ArgumentTypeError: If it does not end in ``.json``.
    """
    if not text.endswith(".json"):
        raise argparse.ArgumentTypeError(f"must end in .json, got {text!r}")
    return Path(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; the size comes first, as other defaults depend on it."""
    size = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    size.add_argument("--scale", choices=SCALES, help="DDL_SCALE; by default by device")
    size.add_argument("--seed", type=int, help="DDL_SEED; by default 0")
    given, _ = size.parse_known_args(arguments)
    for name in ("scale", "seed"):
        if (value := getattr(given, name)) is not None:
            os.environ[f"DDL_{name.upper()}"] = str(value)

    parser = argparse.ArgumentParser(
        "python -m ddl.recipes", description=__doc__, allow_abbrev=False
    )
    try:
        scale()
        seed_value()
    except ValueError as error:
        parser.error(str(error))
    recipes = parser.add_subparsers(dest="recipe", required=True, metavar="NAME")
    for name in NAMES:
        module = importlib.import_module(f"ddl.recipes.{name}")
        about = str(module.__doc__)
        layout = argparse.ArgumentDefaultsHelpFormatter
        recipe = recipes.add_parser(
            name,
            parents=[size],
            help=about.split("\n")[0],
            description=about,
            formatter_class=layout,
            allow_abbrev=False,
        )
        add = recipe.add_argument
        add("--out", type=json_file, default=f"results/{name}.json", help=OUT)
        add("--precision", choices=PRECISIONS, default="float32", help="of the products")
        add("--compile", action="store_true", help="use torch.compile")
        add("--save-every", type=counting, default=1000, metavar="N", help="steps")
        for option, (value, text) in module.options().items():
            several = "+" if isinstance(value, list) else None
            add(f"--{option}", type=counting, nargs=several, default=value, metavar="N", help=text)
    options = parser.parse_args(arguments)
    for name in vars(given):
        delattr(options, name)  # from here on they stand in the environment
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a recipe, score what it trained, and write the results."""
    print_anywhere()  # help and scores name Fréchet
    options = parse(arguments)
    recipe, started = importlib.import_module(f"ddl.recipes.{options.recipe}"), time.perf_counter()
    try:
        run = Run(options)
        trained = recipe.train(run)
    except (ValueError, DataUnavailableError) as error:
        sys.exit(f"{options.recipe}: {error}")
    if not run.fabric.is_global_zero:
        return
    with torch.no_grad():
        scores = recipe.score(run, trained)
    found = results.write(options.out, run, scores, time.perf_counter() - started)
    width = max(map(len, found["scores"]))
    for name, value in found["scores"].items():
        print(f"{name:{width}}  {value:g}")
    print(f"{found['data']}, {found['scale']} size, seed {found['seed']}: {options.out}")


if __name__ == "__main__":
    main()
