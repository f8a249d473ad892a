"""Where the images of the book come from, as whole tensors.

`digits` gives MNIST where it can be had, else digits the package draws itself
(`ddl.support.handwriting`). Files are looked for in three places, in this order:

1. the folder that ``DDL_DATA`` names: ``MNIST/raw/*.gz``,
   ``FashionMNIST/raw/*.gz``, ``cifar-10-batches-py/*``;
2. the user's cache, in the same layout;
3. the data sets' public mirrors, from where they go into the cache.

``DDL_DATA=drawn`` asks for drawn digits and looks nowhere. No file is used
whose MD5 is not the published one. CIFAR-10 is large: a page asks
`cifar10_is_here` first, which says when it is downloaded.
"""

import contextlib
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddl.support import datafiles
from ddl.support.datafiles import DataUnavailableError
from ddl.support.handwriting import draw_digits
from ddl.support.inputs import at_least_1, checked, same_length
from ddl.support.settings import device, scale


class Split(NamedTuple):
    """Images in [0, 1] and their labels, one row each."""

    images: Float[Tensor, "count channels height width"]
    labels: Int[Tensor, "count"]


@checked
@dataclass(frozen=True)
class Dataset:
    """A data set of labelled images, held whole in memory."""

    name: str
    train: Split
    test: Split

    def __str__(self) -> str:
        return (
            f"{self.name}, {len(self.train.images):,} training "
            f"and {len(self.test.images):,} test images"
        )


class Batches:
    """Batches over tensors on one device: each pass yields every row once.

    Args:
        tensors: Tensors of the same length.
        batch_size: Rows a batch; the last one may be smaller.
        generator: CPU generator that shuffles each pass; without one, in order.

    Raises:
        ValueError: If there are no tensors or no rows, lengths differ, ``batch_size`` is
            below 1, or the generator is not the CPU's.
    """

    @checked
    def __init__(
        self, *tensors: Tensor, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        same_length(*tensors)
        at_least_1(batch_size=batch_size)
        if generator is not None and generator.device.type != "cpu":
            raise ValueError(f"generator must be one of the CPU, got one of {generator.device}")
        self.tensors = tuple(tensor.to(device()) for tensor in tensors)
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return math.ceil(len(self.tensors[0]) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        first = self.tensors[0]
        if self.generator is None:
            yield from zip(*(t.split(self.batch_size) for t in self.tensors), strict=True)
            return
        order = torch.randperm(len(first), generator=self.generator).to(first.device)
        for rows in order.split(self.batch_size):
            yield tuple(tensor[rows] for tensor in self.tensors)


@checked
def digits(train: int = 10_000, test: int = 2_000) -> Dataset:
    """Return handwritten digits: MNIST where it can be had, else drawn ones and a warning.

    Args:
        train: Number of training images.
        test: Number of test images.

    Returns:
        28x28 images of one channel. The name says which digits they are.

    Raises:
        ValueError: If a number is not between 1 and MNIST's 60,000 and 10,000.
    """
    _check_counts(train, test, 60_000)
    if digits_are_real():
        return mnist(train, test)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(train + test) % 10
    labels = labels[torch.randperm(len(labels), generator=generator)]
    images = draw_digits(labels, generator=generator)
    return Dataset(
        "digits drawn by ddl",
        Split(images[:train], labels[:train]),
        Split(images[train:], labels[train:]),
    )


def digits_are_real() -> bool:
    """Return whether `digits` gives MNIST in this run."""
    return _mnist_is_here(os.environ.get("DDL_DATA", ""))


@cache  # a machine without a network should wait for the mirrors once
def _mnist_is_here(place: str) -> bool:
    if place == "drawn":
        return False
    try:
        datafiles.idx_files("MNIST", datafiles.MNIST_MD5, datafiles.MNIST_MIRRORS)
    except DataUnavailableError as error:
        warnings.warn(f"MNIST cannot be had, so digits are drawn. {error}", stacklevel=2)
        return False
    return True


@checked
def mnist(train: int = 60_000, test: int = 10_000) -> Dataset:
    """Return the first images of MNIST, 28x28, one channel, ten digits.

    Raises:
        DataUnavailableError: If it is neither here nor within reach.
        ValueError: If there are not that many images, or a file is damaged.

    Source: LeCun, Cortes and Burges, The MNIST database (1998).
    """
    _check_counts(train, test, 60_000)
    return _idx_dataset("MNIST", datafiles.MNIST_MD5, datafiles.MNIST_MIRRORS, train, test)


@checked
def fashion_mnist(train: int = 60_000, test: int = 10_000) -> Dataset:
    """Return the first images of Fashion-MNIST, 28x28, one channel, ten kinds of clothing.

    Raises:
        DataUnavailableError: If it is neither here nor within reach.
        ValueError: If there are not that many images, or a file is damaged.

    Source: Xiao, Rasul and Vollgraf, Fashion-MNIST (2017), arXiv:1708.07747.
    """
    _check_counts(train, test, 60_000)
    return _idx_dataset(
        "FashionMNIST", datafiles.FASHION_MD5, datafiles.FASHION_MIRRORS, train, test
    )


@checked
def cifar10(train: int = 50_000, test: int = 10_000) -> Dataset:
    """Return the first images of CIFAR-10, 32x32, three channels, ten classes.

    Where only some of the five training batches are at hand, those are used
    and the name says how many. The archive is downloaded, 170 MB, where the test
    batch is not at hand or the training batches hold less than was asked for.

    Raises:
        DataUnavailableError: If no training batch or no test batch is at hand.
        ValueError: If there are not that many images, or a file is damaged.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
    """
    _check_counts(train, test, 50_000)
    parts, test_parts = _cifar_files()
    if not test_parts or 10_000 * len(parts) < train:
        try:
            datafiles.download_cifar10()
            parts, test_parts = _cifar_files()
        except DataUnavailableError:
            if not parts or not test_parts:
                raise
    name = "CIFAR-10" if len(parts) == 5 else f"CIFAR-10 ({len(parts)} of 5 training batches)"
    return Dataset(name, _read_cifar(parts, train), _read_cifar(test_parts, test))


def cifar10_is_here() -> bool:
    """Return whether a page may use `cifar10` in this run.

    Nobody who runs a page on a laptop expects it to fetch 170 MB. So on a CPU a page
    takes what lies in ``DDL_DATA`` or in the cache, a part of the batches will do, and
    downloads nothing; ``ddl.data.cifar10()``, called once, fills the cache. At GPU size,
    as on Colab, the page downloads what is missing, where there is a network.
    ``DDL_DATA=drawn`` asks for no data at all.
    """
    return _cifar10_is_here(os.environ.get("DDL_DATA", ""), scale() == "gpu")


@cache
def _cifar10_is_here(place: str, may_download: bool) -> bool:
    if place == "drawn":
        return False
    if all(_cifar_files()):
        return True
    if may_download:
        with contextlib.suppress(DataUnavailableError):
            datafiles.download_cifar10()
    return all(_cifar_files())


def _check_counts(train: int, test: int, most_train: int) -> None:
    for name, value, most in (("train", train, most_train), ("test", test, 10_000)):
        if not 1 <= value <= most:
            raise ValueError(f"{name} must be between 1 and {most:,}, got {value!r}")


def _idx_dataset(
    folder: str, md5s: dict[str, str], mirrors: tuple[str, ...], train: int, test: int
) -> Dataset:
    files = datafiles.idx_files(folder, md5s, mirrors)
    splits = []
    for stem, count in (("train", train), ("t10k", test)):
        pixels = datafiles.read_idx(files[f"{stem}-images-idx3-ubyte.gz"])[:count]
        labels = datafiles.read_idx(files[f"{stem}-labels-idx1-ubyte.gz"])[:count]
        splits.append(Split(pixels.unsqueeze(1).float() / 255, labels.long()))
    return Dataset(folder, *splits)


def _cifar_files() -> tuple[list[Path], list[Path]]:
    """Return the training batches and the test batch that are at hand."""
    found = {
        name: datafiles.local("cifar-10-batches-py", name, md5)
        for name, md5 in datafiles.CIFAR_MD5.items()
    }
    test = [path for path in (found.pop("test_batch"),) if path]
    return [path for path in found.values() if path], test


def _read_cifar(paths: list[Path], count: int) -> Split:
    images, labels, missing = [], [], count
    for path in paths:
        pixels, classes = datafiles.read_cifar_batch(path)
        images.append(pixels[:missing])
        labels.append(classes[:missing])
        missing -= len(labels[-1])
        if not missing:
            break
    return Split(torch.cat(images).view(-1, 3, 32, 32).float() / 255, torch.cat(labels))
