"""How large a page runs, on what, and from which seed.

Three environment variables steer every page: ``DDL_SCALE`` (its size),
``DDL_SEED`` (its random numbers) and ``DDL_DATA`` (its data, see `ddl.data`).
"""

import importlib.metadata
import io
import os
import platform
import sys
from datetime import UTC, datetime
from typing import Any, TypeVar

import torch

from ddl.support.inputs import checked, positive

SCALES = ("smoke", "cpu", "gpu")
Number = TypeVar("Number", int, float)


def device() -> torch.device:
    """Return the device that pages compute on: a CUDA GPU where there is one, else the CPU.

    The one place where this is decided. Apple's MPS is left out: it has no float64, in which
    noise schedules, scores and many an exact comparison of the pages are computed.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """Return what people call the device: the GPU's model, or CPU."""
    return torch.cuda.get_device_name() if device().type == "cuda" else "CPU"


def scale() -> str:
    """Return the size at which pages run.

    Returns:
        ``"gpu"`` on a GPU and ``"cpu"`` elsewhere, unless ``DDL_SCALE`` names
        one of ``smoke``, ``cpu`` and ``gpu``. At ``smoke`` size a page takes a
        step or two everywhere and checks no claim: it shows in seconds that a
        platform can run the page at all.

    Raises:
        ValueError: If ``DDL_SCALE`` is anything else.
    """
    chosen = os.environ.get("DDL_SCALE", "")
    if not chosen:
        return "gpu" if device().type == "cuda" else "cpu"
    if chosen not in SCALES:
        raise ValueError(f"DDL_SCALE must be one of {', '.join(SCALES)}, got {chosen!r}")
    return chosen


@checked
def budget(*, cpu: Number, gpu: Number, smoke: Number | None = None) -> Number:
    """Return the number of epochs, steps or images that this run can afford.

    Args:
        cpu: The value that two CPU cores manage within the page's 90 seconds.
        gpu: The value at full size.
        smoke: The value for a quick trial; without one, at most 2.

    Raises:
        ValueError: If a value is not a positive number.

    Example:
        >>> epochs = budget(cpu=2, gpu=20)
    """
    positive(cpu=cpu, gpu=gpu, smoke=cpu if smoke is None else smoke)
    small = min(cpu, type(cpu)(2)) if smoke is None else smoke
    return {"smoke": small, "cpu": cpu, "gpu": gpu}[scale()]


def seed_value() -> int:
    """Return the seed of this run: ``DDL_SEED``, or 0.

    Raises:
        ValueError: If ``DDL_SEED`` is not a non-negative integer.
    """
    chosen = os.environ.get("DDL_SEED", "0")
    if not chosen.isdecimal():
        raise ValueError(f"DDL_SEED must be a non-negative integer, got {chosen!r}")
    return int(chosen)


def seed() -> torch.Generator:
    """Seed torch and return a generator of the same seed.

    Both draw on the CPU, so that a GPU page starts from the same weights and
    the same noise as a CPU page: CUDA's random numbers differ between models.
    """
    torch.manual_seed(seed_value())
    return torch.Generator().manual_seed(seed_value())


def about_this_run() -> None:
    """Print the size, device, seed and torch version of this run, for the top of a page."""
    print(
        f"This run: {scale()} size on {device_name()}, seed {seed_value()}, "
        f"torch {torch.__version__}"
    )


def print_anywhere() -> None:
    """Let a terminal that lacks a letter print its code: a command does not end at an é."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(errors="backslashreplace")


@checked
def provenance(*packages: str) -> dict[str, Any]:
    """Return when, on what and with which versions something is made now.

    Args:
        packages: Installed packages whose versions count, beside Python's.

    Returns:
        ``ended``, the minute in UTC; ``device``; ``versions`` by name.

    Raises:
        ValueError: If a package is not installed.
    """
    try:
        versions = {name: importlib.metadata.version(name) for name in packages}
    except (importlib.metadata.PackageNotFoundError, ValueError) as error:
        raise ValueError(f"packages must be installed, got {packages}: {error}") from error
    return {
        "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "device": device_name(),
        "versions": {"python": platform.python_version(), **versions},
    }
