"""Finding, checking and reading the files of public data sets, for `ddl.data`.

No file is used whose MD5 is not the published one, and none is left in the
cache. What is downloaded or unpacked is written beside its place and moved into
it when it is whole, so two kernels may ask at once, and one may be killed. What a
killed one leaves half written, the first look-up an hour later deletes.
"""

import contextlib
import glob
import gzip
import hashlib
import math
import os
import pickle
import shutil
import tarfile
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import requests
import torch
from torch import Tensor

from ddl.support import fetching
from ddl.support.inputs import checked

LEFT = 3600  # seconds without a byte after which a half file is nobody's: see fetching.SECONDS

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FASHION_MIRRORS = (
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)

# MD5 as published by torchvision.datasets.
MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
CIFAR_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
CIFAR_ARCHIVE = ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")


class DataUnavailableError(RuntimeError):
    """A data set that is neither here nor within reach."""


@checked
def md5_of(path: Path) -> str:
    """Return the MD5 of a file, the check that the data sets' authors publish."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def cache() -> Path:
    """Return the folder of this package in the user's cache.

    Raises:
        DataUnavailableError: If there is none, as for a user without a home.
    """
    try:
        folder = pooch.os_cache("ddl")
        if folder.is_absolute():
            return folder
        reason = f"{folder} is no whole address"
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        reason = str(error)
    raise DataUnavailableError(
        f"There is no cache to keep data in: {reason}. Set HOME or XDG_CACHE_HOME to a whole "
        "address, or DDL_DATA to a folder that holds the data."
    )


@checked
def local(folder: str, name: str, md5: str) -> Path | None:
    """Return the file in ``DDL_DATA`` or in the cache, or None; never a damaged one."""
    given = os.environ.get("DDL_DATA", "")
    if given and given != "drawn" and (path := Path(given) / folder / name).is_file():
        if md5_of(path) != md5:
            raise ValueError(
                f"{path} is damaged: its MD5 should be {md5}, got {md5_of(path)}. "
                "Delete it and copy or download it again."
            )
        return path
    with contextlib.suppress(DataUnavailableError, OSError):  # no cache, or not for us
        _delete_leftovers()
        path = cache() / folder / name
        if path.is_file():
            if md5_of(path) == md5:
                return path
            path.unlink()  # ours to mend: the next line of call downloads it anew
    return None


def _delete_leftovers() -> None:
    """Delete the half files of killed processes; what a living one writes is never so old."""
    for name in glob.glob("**/tmp????????", root_dir=cache(), recursive=True):  # tempfile's names
        path = cache() / name
        with contextlib.suppress(OSError):  # another kernel was first, or may not write here
            if path.stat().st_mtime < time.time() - LEFT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@checked
def download(folder: str, name: str, md5: str, mirrors: tuple[str, ...]) -> Path:
    """Fetch a file into the cache; pooch writes beside it and moves it into place when checked.

    Raises:
        DataUnavailableError: If no mirror gives it, or the cache cannot be written.
    """
    pooch.get_logger().setLevel("ERROR")  # its progress lines are not output of a page
    place, failures = cache() / folder, []
    for mirror in mirrors:
        try:
            pooch.retrieve(
                mirror + name,
                known_hash=f"md5:{md5}",
                fname=name,
                path=place,
                downloader=fetching.fetch,  # pyright: ignore[reportArgumentType]
            )
            return place / name
        except (requests.RequestException, ValueError) as error:
            failures.append(f"  {mirror}: {fetching.told(error)}")
        except OSError as error:
            raise _not_kept(name, error) from error
    raise DataUnavailableError(
        f"{folder or 'CIFAR-10'}: {name} is neither in DDL_DATA nor in the cache "
        f"{cache()}, and no mirror gave it:\n"
        + "\n".join(failures)
        + "\nConnect to the network once, or set DDL_DATA to a folder that holds it."
    )


def _not_kept(name: str, error: OSError) -> DataUnavailableError:
    return DataUnavailableError(
        f"{name} cannot be kept in the cache {cache()}: {error}. "
        "Make it writable or make room there, or set DDL_DATA to a folder that holds the file."
    )


def download_cifar10() -> None:
    """Fetch CIFAR-10's archive and unpack its batches into the cache.

    Raises:
        DataUnavailableError: If no mirror gives it, or the cache cannot be written.
    """
    archive = download("", *CIFAR_ARCHIVE, CIFAR_MIRRORS)
    folder = cache() / "cifar-10-batches-py"
    try:
        folder.mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            for name in CIFAR_MD5:
                batch = tar.extractfile(f"{folder.name}/{name}")
                assert batch is not None  # the archive has the published MD5
                _write_whole(folder / name, batch.read())
    except OSError as error:
        raise _not_kept(archive.name, error) from error


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there: it is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent) as beside:
        written = Path(beside) / path.name
        written.write_bytes(content)
        written.replace(path)


@checked
def idx_files(folder: str, md5s: dict[str, str], mirrors: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of a data set in MNIST's layout, fetched where they are not here."""
    return {
        name: local(folder + "/raw", name, md5) or download(folder + "/raw", name, md5, mirrors)
        for name, md5 in md5s.items()
    }


@checked
def read_idx(path: Path) -> Tensor:
    """Read an IDX file: two zero bytes, type, rank, big-endian sizes, then the bytes.

    Raises:
        ValueError: If it is not a gzip file or not an IDX file, or its sizes are not those of its
            content.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    start = 4 + 4 * raw[3] if len(raw) > 3 else 4  # where the header ends
    if raw[:3] != b"\0\0\x08" or len(raw) < start:  # 8 stands for unsigned bytes
        raise ValueError(f"{path} is not an IDX file of bytes: it starts with {raw[:4]!r}")
    shape = np.frombuffer(raw[4:start], ">u4").tolist()
    if math.prod(shape) != len(raw) - start:
        raise ValueError(f"{path} claims the shape {shape}, but holds {len(raw) - start} bytes")
    return torch.tensor(np.frombuffer(raw, np.uint8, offset=start).reshape(shape))


class _ArraysOnly(pickle.Unpickler):
    """Reads CIFAR-10's pickles without importing or calling what they name."""

    KNOWN: dict[str, Any] = {  # noqa: RUF012 - never written to
        "_reconstruct": np.zeros(0).__reduce__()[0],
        "ndarray": np.ndarray,
        "dtype": np.dtype,
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        if module_name.split(".")[0] != "numpy" or global_name not in self.KNOWN:
            raise ValueError(f"a CIFAR-10 batch must not name {module_name}.{global_name}")
        return self.KNOWN[global_name]


@checked
def read_cifar_batch(path: Path) -> tuple[Tensor, Tensor]:
    """Read one of CIFAR-10's batches: a pickle of a dictionary with an array and a list.

    Returns:
        The bytes of the images, 3072 a row, and their labels.

    Raises:
        ValueError: If it names anything but an array, or is no such dictionary.
    """
    try:
        with path.open("rb") as file:
            batch = _ArraysOnly(file, encoding="bytes").load()
        pixels, labels = batch[b"data"], batch[b"labels"]
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
            raise ValueError(f"{pixels.dtype} {pixels.shape} with {len(labels)} labels")
        if not set(labels) <= set(range(10)):
            raise ValueError("labels that are no digits")
        return torch.tensor(pixels), torch.tensor(labels, dtype=torch.long)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is not a batch of CIFAR-10: {error}") from error
