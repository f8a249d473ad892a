import gzip
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import requests
import torch

from ddl import data
from ddl.data import Batches, DataUnavailableError, digits, mnist
from ddl.support import datafiles, fetching


@pytest.fixture
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine without data and network; returns its (empty) cache folder."""
    monkeypatch.delenv("DDL_DATA", raising=False)
    cache = tmp_path / "cache"
    monkeypatch.setattr(datafiles.pooch, "os_cache", lambda name: cache)

    def no_network(*args: object, **kwargs: object) -> None:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", no_network)
    data._mnist_is_here.cache_clear()
    data._cifar10_is_here.cache_clear()
    yield cache
    data._mnist_is_here.cache_clear()
    data._cifar10_is_here.cache_clear()


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder laid out like DDL_DATA with 7 + 5 images, and their checksums."""
    folder = tmp_path / "given"
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem, count in (("train", 7), ("t10k", 5)):
        images, labels = rng.integers(0, 256, (count, 28, 28)), np.arange(count)
        (raw / f"{stem}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (raw / f"{stem}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    md5s = {path.name: datafiles.md5_of(path) for path in sorted(raw.iterdir())}
    monkeypatch.setattr(datafiles, "MNIST_MD5", md5s)
    monkeypatch.setenv("DDL_DATA", str(folder))
    data._mnist_is_here.cache_clear()
    yield folder
    data._mnist_is_here.cache_clear()


def test_reads_idx_files(small_mnist: Path) -> None:
    found = mnist(7, 5)
    assert found.name == "MNIST"
    assert found.train.images.shape == (7, 1, 28, 28)
    assert found.train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    expected = np.random.default_rng(0).integers(0, 256, (7, 28, 28)) / 255
    np.testing.assert_allclose(found.train.images.squeeze(1), expected, atol=1e-6)
    assert digits(3, 2).name == "MNIST"
    assert len(digits(3, 2).train.images) == 3


def test_a_truncated_file_is_never_used(small_mnist: Path) -> None:
    path = small_mnist / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"t10k-images.* is damaged.*Delete it"):
        digits(3, 2)


def test_without_data_digits_are_drawn(empty_machine: Path) -> None:
    with pytest.warns(UserWarning, match=r"MNIST cannot be had, so digits are drawn\..*no mirror"):
        drawn = digits(20, 10)
    assert drawn.name == "digits drawn by ddl"
    assert str(drawn) == "digits drawn by ddl, 20 training and 10 test images"
    assert drawn.train.images.shape == (20, 1, 28, 28)
    assert sorted(set(drawn.train.labels.tolist() + drawn.test.labels.tolist())) == list(range(10))
    torch.testing.assert_close(digits(20, 10).train.images, drawn.train.images)


def test_drawn_digits_can_be_asked_for(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_DATA", "drawn")
    assert not data.digits_are_real()
    assert digits(3, 2).name == "digits drawn by ddl"


def test_an_absent_data_set_says_what_to_do(empty_machine: Path) -> None:
    with pytest.raises(
        DataUnavailableError, match=r"MNIST[\s\S]*ConnectionError[\s\S]*set DDL_DATA"
    ):
        mnist(3, 2)
    with pytest.raises(DataUnavailableError, match="cifar-10-python"):
        data.cifar10(3, 2)


def test_the_cache_is_used_and_mends_itself(
    small_mnist: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDL_DATA", raising=False)
    shutil.copytree(small_mnist, empty_machine)
    assert digits(3, 2).name == "MNIST"
    damaged = empty_machine / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"half a file")
    data._mnist_is_here.cache_clear()
    assert digits(3, 2).name == "digits drawn by ddl"
    assert not damaged.exists()


def test_a_download_goes_to_the_cache_by_way_of_the_next_mirror(
    small_mnist: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Downloader:
        """The first mirror sends an error page, the second one the file."""

        def __init__(self, **kwargs: object) -> None:
            assert kwargs["timeout"] == fetching.SECONDS

        def __call__(self, url: str, output_file: BinaryIO, pooch: object) -> None:
            asked.append(url)
            good = (small_mnist / "MNIST" / "raw" / url.split("/")[-1]).read_bytes()
            output_file.write(b"<html>" if datafiles.MNIST_MIRRORS[0] in url else good)

    monkeypatch.setattr(datafiles.pooch, "HTTPDownloader", Downloader)
    assert mnist(7, 5).train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(asked) == 8
    files = [path.name for path in empty_machine.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(datafiles.MNIST_MD5)
    mnist(7, 5)
    assert len(asked) == 8


def test_counts_are_checked() -> None:
    with pytest.raises(ValueError, match="train must be between 1 and 60,000, got 0"):
        digits(0, 1)
    with pytest.raises(ValueError, match="test must be between 1 and 10,000, got 10001"):
        data.cifar10(1, 10_001)


def cifar_batch(path: Path, labels: list[int]) -> None:
    pixels = np.arange(len(labels) * 3072, dtype=np.uint8).reshape(len(labels), 3072)
    path.write_bytes(pickle.dumps({b"data": pixels, b"labels": labels}, protocol=3))


@pytest.fixture
def small_cifar(empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out like DDL_DATA with 2 of CIFAR-10's training batches, 2 + 2 images."""
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, labels in (
        ("data_batch_1", [1, 2]),
        ("data_batch_2", [3, 4]),
        ("test_batch", [5, 6, 7]),
    ):
        cifar_batch(folder / name, labels)
        monkeypatch.setitem(datafiles.CIFAR_MD5, name, datafiles.md5_of(folder / name))
    monkeypatch.setenv("DDL_DATA", str(folder.parent))
    monkeypatch.setenv("DDL_SCALE", "cpu")
    return folder


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is downloaded of CIFAR-10, in vain."""
    asked: list[str] = []

    def download() -> None:
        asked.append("CIFAR-10")
        raise DataUnavailableError("no network")

    monkeypatch.setattr(datafiles, "download_cifar10", download)
    return asked


def test_cifar_uses_the_batches_at_hand(small_cifar: Path) -> None:
    found = data.cifar10(3, 2)
    assert found.name == "CIFAR-10 (2 of 5 training batches)"
    assert found.train.labels.tolist() == [1, 2, 3]
    assert found.train.images.shape == (3, 3, 32, 32)
    assert found.test.images.shape == (2, 3, 32, 32)
    # Red rows first, then green: byte 32 is row 1 of the red plane.
    assert found.train.images[0, 0, 1, 0].item() == pytest.approx(32 / 255)
    assert found.train.images[0, 1, 0, 0].item() == pytest.approx((1024 % 256) / 255)


def test_cifar_is_downloaded_only_where_the_batches_do_not_suffice(
    small_cifar: Path, downloads: list[str]
) -> None:
    data.cifar10(20_000, 2)
    assert downloads == []
    assert len(data.cifar10(20_001, 2).train.labels) == 4
    assert downloads == ["CIFAR-10"]


def test_a_part_of_cifar_is_enough_for_a_page(
    small_cifar: Path, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_cifar / "data_batch_2").unlink()
    for size in ("cpu", "gpu"):
        monkeypatch.setenv("DDL_SCALE", size)
        assert data.cifar10_is_here()
    assert downloads == []


@pytest.mark.parametrize("name", ["data_batch_*", "test_batch"])
@pytest.mark.parametrize(("size", "expected"), [("smoke", 0), ("cpu", 0), ("gpu", 1)])
def test_a_page_downloads_cifar_at_gpu_size_only(
    small_cifar: Path,
    downloads: list[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: str,
    expected: int,
) -> None:
    for path in small_cifar.glob(name):
        path.unlink()
    monkeypatch.setenv("DDL_SCALE", size)
    assert not data.cifar10_is_here()
    assert not data.cifar10_is_here()  # asks once, and remembers
    assert len(downloads) == expected


def test_who_asks_for_drawn_digits_gets_no_photographs(
    small_cifar: Path, empty_machine: Path, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_cifar, empty_machine / small_cifar.name)
    for place, here in (("", True), ("drawn", False)):
        monkeypatch.setenv("DDL_DATA", place)
        assert data.cifar10_is_here() is here
    monkeypatch.setenv("DDL_SCALE", "gpu")
    assert not data.cifar10_is_here()
    assert downloads == []


def test_cifar_never_runs_what_a_pickle_names(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("touch owned",)

    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ValueError, match=r"must not name posix\.system"):
        datafiles.read_cifar_batch(path)


def test_batches_yield_each_row_once() -> None:
    x = torch.arange(23)
    for generator in (None, torch.Generator().manual_seed(0)):
        batches = Batches(x, x * 2, batch_size=5, generator=generator)
        assert len(batches) == 5
        first, second = (torch.cat([b[0] for b in batches]).cpu() for _ in range(2))
        assert sorted(first.tolist()) == sorted(second.tolist()) == x.tolist()
        assert all((b * 2 == c).all() for b, c in batches)
    assert first.tolist() != second.tolist()  # shuffled anew in each pass


def test_batches_refuse_unequal_lengths() -> None:
    with pytest.raises(ValueError, match=r"same length, got \[3, 4\]"):
        Batches(torch.zeros(3), torch.zeros(4), batch_size=2)
    with pytest.raises(ValueError, match=r"same length, got \[\]"):
        Batches(batch_size=2)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Batches(torch.zeros(3), batch_size=0)
