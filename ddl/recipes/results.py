"""What a recipe leaves behind: its scores, and all one needs to know to believe them."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import torch

from ddl.recipes.engine import Run
from ddl.support.inputs import checked
from ddl.support.settings import provenance


@checked
def commit(folder: Path) -> str | None:
    """Return the commit that a folder's files are of, or None where no repository has them.

    Where files of the folder's package differ from the commit, ``, changed`` is added.
    """

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *command], check=True, capture_output=True, encoding="utf-8"
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", ".")  # else it lies in someone else's repository
        changed = git("status", "--porcelain", "--", "..")
        return git("rev-parse", "HEAD") + (", changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@checked
def write(path: Path, run: Run, scores: dict[str, float], seconds: float) -> dict[str, Any]:
    """Write the results of a run as JSON, in one go, and return them.

    The scores' names say what was measured and in which unit; losses are means over equal
    stretches, at most 200 of them.

    Raises:
        ValueError: If a score is not finite.
    """
    if strange := [name for name, value in scores.items() if not math.isfinite(value)]:
        raise ValueError(f"scores must be finite, got another number for {', '.join(strange)}")
    settings = run.settings()
    known = {name: settings.pop(name) for name in ("recipe", "scale", "seed", "data")}
    found = {
        **known,
        "scores": {name: float(f"{value:.6g}") for name, value in scores.items()},
        "options": settings,
        "trainings": run.trainings,
        "seconds": round(seconds, 1),
        **provenance("torch", "numpy", "lightning-fabric", "safetensors"),
        "processes": run.fabric.world_size,
        "threads": torch.get_num_threads(),
        "commit": commit(Path(__file__).parent),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(
        json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="\n"
    )
    os.replace(unfinished, path)
    return found
