"""Figures of one style, for pages.

Each function draws one kind of figure and shows it. The alt text of a figure
stands in its cell's metadata (``mystnb: image: alt``), where the site finds it.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from torch import Tensor

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
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError("rows must hold at least one row of images, got none")
    size = WIDTH / (columns + 1.5)
    _, grid = plt.subplots(
        len(rows), columns, figsize=(WIDTH, len(rows) * size * 1.08), squeeze=False
    )
    for axes_row, (label, images) in zip(grid, rows.items(), strict=True):
        for axes, image in zip(axes_row, images.detach().cpu(), strict=False):
            axes.imshow(image.squeeze(), vmin=vmin, vmax=vmax)
        for axes in axes_row:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    plt.show()


def show_curves(
    curves: Mapping[str, Sequence[float] | Tensor],
    *,
    x: Sequence[float] | Tensor | None = None,
    xlabel: str,
    ylabel: str,
    floor: tuple[str, float] | None = None,
    log: str = "",
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
        ValueError: If there is no curve.
    """
    if not curves:
        raise ValueError("curves must hold at least one curve, got none")
    _, axes = plt.subplots()
    whole = "x" not in log
    for label, values in curves.items():
        heights = np.asarray(values)
        places = np.arange(1, len(heights) + 1) if x is None else np.asarray(x)
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
        ValueError: If ``matrix`` is not two-dimensional.
    """
    if matrix.ndim != 2:
        raise ValueError(f"matrix must have 2 dimensions, got {matrix.ndim}")
    values = matrix.detach().cpu().numpy()
    target = axes
    if target is None:
        _, target = plt.subplots(figsize=(min(WIDTH, 0.38 * values.shape[1] + 1),) * 2)
    largest = max(float(np.abs(values).max()), 1e-12)
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
