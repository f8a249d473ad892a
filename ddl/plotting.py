"""Figures of one style, for pages.

Each function draws one kind of figure and shows it. The alt text of a figure
stands in its cell's metadata (``mystnb: image: alt``), where the site finds it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from torch import Tensor

from ddl.support.inputs import at_least_1, checked, finite

# Okabe and Ito's colours, told apart with any colour vision (jfly.uni-koeln.de/color, 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Beside colour, each line has its own dash.
DASHES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))
WIDTH = 7.0  # inches: the width of the text


def use_style() -> None:
    """Set the book's figure style: call it in the first cell of a page."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=DASHES),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,  # bars hide the grid, not the grid the bars
            "grid.alpha": 0.25,
            "font.size": 10,
            "axes.titlesize": "medium",
            "legend.edgecolor": "none",  # a pale ground, readable where curves pass behind
            "figure.figsize": (WIDTH, 3.2),
            "figure.constrained_layout.use": True,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "savefig.facecolor": "white",
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return  # no notebook
    set_matplotlib_formats("retina")


@checked
def show_images(
    rows: Mapping[str, Tensor], *, columns: int = 8, vmin: float | None = 0, vmax: float | None = 1
) -> None:
    """Show labelled rows of grey images.

    Args:
        rows: Images of each row, ``count 1 height width`` or ``count height width``.
        columns: How many images of a row are shown.
        vmin: The value drawn black; None for the smallest.
        vmax: The value drawn white; None for the largest.

    Raises:
        ValueError: If there is no row, a row has no images, or images of other axes; if
            ``columns`` is below 1, or ``vmin`` is not below ``vmax``.
    """
    if not rows:
        raise ValueError("rows must hold at least one row of images, got none")
    at_least_1(columns=columns)
    finite(vmin=vmin, vmax=vmax)
    if vmin is not None and vmax is not None and not vmin < vmax:
        raise ValueError(f"vmin must be below vmax, got {vmin} and {vmax}")
    pictures = {k: _grey(f"rows[{k!r}]", images, columns) for k, images in rows.items()}
    size = WIDTH / (columns + 1.5)
    _, grid = plt.subplots(
        len(rows), columns, figsize=(WIDTH, len(rows) * size * 1.08), squeeze=False
    )
    for axes_row, (label, images) in zip(grid, pictures.items(), strict=True):
        for axes, image in zip(axes_row, images, strict=False):
            axes.imshow(image, vmin=vmin, vmax=vmax)
        for axes in axes_row:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    plt.show()


@checked
def show_curves(
    curves: Mapping[str, Sequence[float] | Tensor | np.ndarray],
    *,
    x: Sequence[float] | Tensor | np.ndarray | None = None,
    xlabel: str,
    ylabel: str,
    floor: tuple[str, float] | None = None,
    log: Literal["", "x", "y", "xy"] = "",
) -> None:
    """Show labelled curves over one axis.

    Args:
        curves: The values of each curve.
        x: Their positions; 1, 2, ... without.
        xlabel: What the horizontal axis counts, with unit.
        ylabel: What the vertical axis measures, with unit.
        floor: Name and height of a level that no curve can pass.
        log: The axes on a logarithmic scale: ``"x"``, ``"y"``, ``"xy"`` or none.

    Raises:
        ValueError: If there is no curve, a curve is no row of numbers, or ``x`` is not as
            long as each.
    """
    if not curves:
        raise ValueError("curves must hold at least one curve, got none")
    lines = {k: _line(f"curves[{k!r}]", values) for k, values in curves.items()}
    positions = None if x is None else _line("x", x)
    for label, heights in lines.items():
        if positions is not None and len(positions) != len(heights):
            raise ValueError(
                f"x must be as long as curves[{label!r}], {len(heights)}, got {len(positions)}"
            )
    if floor is not None:
        finite(floor=floor[1])
    _, axes = plt.subplots()
    whole = "x" not in log
    for label, heights in lines.items():
        places = np.arange(1, len(heights) + 1) if positions is None else positions
        whole &= bool((places == places.round()).all())
        axes.plot(places, heights, label=label)
    if whole:  # no tick at half an epoch
        axes.locator_params(axis="x", integer=True)
    if floor is not None:
        axes.axhline(floor[1], color="0.4", linewidth=1, linestyle=(0, (1, 2)), label=floor[0])
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        axes.set_xscale("log")
    if "y" in log:
        axes.set_yscale("log")
    axes.legend()
    plt.show()


@checked
def show_matrix(
    matrix: Tensor, *, axes: Axes | None = None, title: str = "", numbers: bool = True
) -> None:
    """Draw a matrix as shaded cells, zeros left blank; it is shown if no axes were given.

    Args:
        matrix: Two-dimensional values.
        axes: Where to draw: part of a larger figure.
        title: What the matrix is.
        numbers: Whether to print the values into the cells.

    Raises:
        ValueError: If ``matrix`` is not two-dimensional, or empty.
    """
    if matrix.ndim != 2:
        raise ValueError(f"matrix must have 2 dimensions, got {matrix.ndim}")
    values = _array("matrix", matrix)
    target = axes
    if target is None:
        _, target = plt.subplots(figsize=(min(WIDTH, 0.38 * values.shape[1] + 1),) * 2)
    largest = np.nanmax(np.abs(values), initial=1e-12)
    target.imshow(values, cmap="RdBu_r", vmin=-1.6 * largest, vmax=1.6 * largest)
    if numbers:
        for (row, column), value in np.ndenumerate(values):
            if value:
                target.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8)
    target.set_xticks([])
    target.set_yticks([])
    target.spines[:].set_visible(False)
    target.grid(False)
    target.set_title(title)
    if axes is None:
        plt.show()


def _array(name: str, values: Any) -> np.ndarray:
    """Return real numbers as an array, wherever they lie."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values if values.is_complex() else values.double()
    elif isinstance(values, Sequence):
        values = [v.item() if isinstance(v, Tensor) else v for v in values]
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "buif":
        raise ValueError(f"{name} must hold real numbers, got {array.dtype}")
    if not array.size:
        raise ValueError(f"{name} must not be empty, got the shape {array.shape}")
    return array


def _grey(name: str, images: Tensor, count: int) -> np.ndarray:
    """Return the first images as ``count height width``."""
    if images.ndim != 3 and (images.ndim != 4 or images.shape[1] != 1):
        raise ValueError(
            f"{name} must have the axes (count 1 height width) or (count height width), "
            f"got the shape {tuple(images.shape)}"
        )
    return _array(name, images[:count] if images.ndim == 3 else images[:count, 0])


def _line(name: str, values: Any) -> np.ndarray:
    """Return a row of numbers."""
    row = _array(name, values)
    if row.ndim != 1:
        raise ValueError(f"{name} must be one row of numbers, got the shape {row.shape}")
    return row
