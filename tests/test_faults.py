"""Data under faults: whatever mirrors and caches do, no bad tensor, no half file, a plain word."""

import contextlib
import gc
import gzip
import os
import pickle
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_data import cifar_batch, empty_machine, idx, small_mnist

from ddl import data
from ddl.data import DataUnavailableError
from ddl.support import datafiles, fetching

__all__ = ["empty_machine", "small_mnist"]  # fixtures

# pooch leaves its connection open where it cannot write what comes.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
IMAGES = "t10k-images-idx3-ubyte.gz"


class Mirrors(ThreadingHTTPServer):
    """A server of many mirrors: the first part of an address says what is wrong with it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.half_sent = threading.Event()
        self.closing = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def mirrors(self, *faults: str) -> tuple[str, ...]:
        """Return the addresses of mirrors with these faults."""
        return tuple(f"{self.address}/{fault}/" for fault in faults)


class Handler(BaseHTTPRequestHandler):
    """Answers as the address asks for."""

    server: Mirrors  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        _, fault, name = self.path.split("/")
        self.server.asked.append(self.path)
        if fault == "absent":
            self.send_error(404)
            return
        if fault in ("moved", "circle"):
            self.send_response(302)
            self.send_header("Location", f"/{'good' if fault == 'moved' else fault}/{name}")
            self.end_headers()
            return
        content = self.server.files[name]
        if fault == "login":
            content = b"<html>Please sign in to this network.</html>"
        if fault == "corrupted":
            content = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
        if fault == "silent":
            self.server.closing.wait(20)
            return
        self.send_response(200)
        if fault != "short":  # who is not told the length cannot know that the end is missing
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        if fault == "drips":
            for start in range(0, len(content), 256):
                self.server.closing.wait(0.1)
                self.wfile.write(content[start : start + 256])
            return
        self.wfile.write(content[:half])
        if fault == "stalls":
            self.server.half_sent.set()
            self.server.closing.wait(20)
        if fault not in ("truncated", "short", "stalls"):
            self.wfile.write(content[half:])

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent."""

    def handle(self) -> None:
        # A client that gave up, or was killed.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            super().handle()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Mirrors()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def left_open() -> Iterator[None]:
    """Meet the connections that pooch leaves open here, where they are no error."""
    yield
    gc.collect()


@pytest.fixture
def cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Mirrors, small_mnist: Path
) -> Path:
    """An empty cache; the server has MNIST's files, of 7 + 5 images."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(datafiles.pooch, "os_cache", lambda name: cache)
    monkeypatch.delenv("DDL_DATA")
    server.files = {path.name: path.read_bytes() for path in small_mnist.rglob("*.gz")}
    return cache


def grow_old(folder: Path) -> None:
    """Let an hour and a minute pass for all that lies in a folder."""
    before = time.time() - 3660
    for path in folder.rglob("*"):
        os.utime(path, (before, before))


def files_in(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def check_recovered(server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect that the next run, with a mirror that works, has all files and right tensors."""
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("good"))
    found = data.mnist(7, 5)
    expected = np.random.default_rng(0).integers(0, 256, (7, 28, 28)) / 255
    np.testing.assert_allclose(found.train.images.squeeze(1), expected, atol=1e-6)
    assert {name: files_in(cache)[name] for name in server.files} == server.files


OTHER = "what came is not the file.*; ValueError: MD5 hash of downloaded file"
FAULTS = {
    "absent": "it has no such file.*; HTTPError: 404",
    "truncated": "the connection broke; (ConnectionError|ChunkedEncodingError)",
    "short": OTHER,
    "corrupted": OTHER,
    "login": OTHER,
    "circle": "the connection broke; TooManyRedirects",
    "silent": "no answer in time; ReadTimeout",
    "stalls": "no answer in time; ConnectionError: .*timed out",
    "drips": "no answer in time; Timeout: less than 20,000 bytes a second",
}


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_mirror_leaves_nothing_and_is_named(
    fault: str, server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors(fault))
    with pytest.raises(DataUnavailableError) as caught:
        data.mnist(7, 5)
    assert caught.match(rf"MNIST/raw: {IMAGES} is neither in DDL_DATA nor in the cache")
    assert caught.match(rf"{server.address}/{fault}/: ({FAULTS[fault]})")
    assert caught.match("Connect to the network once, or set DDL_DATA")
    assert files_in(cache) == {}
    check_recovered(server, cache, monkeypatch)


def test_a_closed_port_is_named(
    server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(DataUnavailableError, match=r"ConnectionError: .*refused"):
        data.mnist(7, 5)
    assert files_in(cache) == {}
    check_recovered(server, cache, monkeypatch)


def refused_by_dns(*_: object, **__: object) -> None:
    raise socket.gaierror(-2, "Name or service not known")


CAUSES: dict[str, tuple[dict[str, str], str]] = {
    "no bundle": (
        {"REQUESTS_CA_BUNDLE": "/nope"},
        "its certificate cannot be checked.*invalid path: /nope",
    ),
    "no certificates": (
        {"REQUESTS_CA_BUNDLE": os.devnull},
        "its certificate cannot be checked|the connection broke",
    ),
    "closed proxy": ({"https_proxy": "http://127.0.0.1:9"}, "the proxy does not let through"),
    "strange proxy": ({"https_proxy": "http://"}, "the proxy does not let through"),
    "dns": ({}, r"its name is not known here \(DNS\)"),
}


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_told_as_what_it_is(
    cause: str, server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is told as the disk's, and the next mirror is asked."""
    settings, words = CAUSES[cause]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    if cause == "dns":
        monkeypatch.setattr(socket, "getaddrinfo", refused_by_dns)
    elif "proxy" in cause:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
    bad = "https://localhost:9/"
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", (bad, bad))
    with pytest.raises(DataUnavailableError) as caught:
        data.mnist(7, 5)
    lines = str(caught.value).splitlines()
    assert len([line for line in lines if re.search(f"^  {bad}: {words}", line)]) == 2
    assert "make room" not in str(caught.value)
    assert files_in(cache) == {}
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", (bad, *server.mirrors("good")))
    if cause != "dns" and "proxy" not in cause:
        assert data.mnist(7, 5).test.labels.tolist() == [0, 1, 2, 3, 4]


def a_file(cache: Path) -> dict[str, str]:
    cache.parent.mkdir(exist_ok=True, parents=True)
    cache.write_bytes(b"")
    return {"XDG_CACHE_HOME": str(cache)}


PLACES: dict[str, Callable[[Path], dict[str, str]]] = {
    "no home": lambda _: {},
    "half an address": lambda _: {"XDG_CACHE_HOME": "cache"},
    "a tilde": lambda _: {"XDG_CACHE_HOME": "~/.cache"},
    "half a home": lambda _: {"HOME": "home"},
    "an empty home": lambda _: {"HOME": ""},
    "a file": a_file,
    "too long": lambda cache: {"XDG_CACHE_HOME": str(cache / ("x" * 300))},
    "not to be written": lambda _: {"XDG_CACHE_HOME": "/proc/self"},
}


@pytest.mark.skipif(sys.platform == "win32", reason="the cache's address has other sources there")
@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("place", PLACES)
def test_without_a_cache_digits_are_drawn(
    place: str, server: Mirrors, tmp_path: Path, small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DDL_DATA")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("good"))
    server.files = {path.name: path.read_bytes() for path in small_mnist.rglob("*.gz")}
    monkeypatch.setattr("pwd.getpwuid", unknown_user)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PLACES[place](tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    before = files_in(tmp_path)
    with pytest.warns(UserWarning, match="MNIST cannot be had, so digits are drawn") as told:
        assert data.digits(3, 2).name == "digits drawn by ddl"
    assert re.search("There is no cache to keep|cannot be kept in the cache", str(told[0].message))
    assert not data.cifar10_is_here()
    assert files_in(tmp_path) == before


def unknown_user(number: int) -> None:
    raise KeyError(f"getpwuid(): uid not found: {number}")


def test_a_redirect_is_followed(
    server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("moved"))
    assert data.mnist(7, 5).train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert files_in(cache) == server.files


def test_the_next_mirror_is_asked(
    server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("login", "good"))
    assert data.mnist(7, 5).test.labels.tolist() == [0, 1, 2, 3, 4]
    assert files_in(cache) == server.files


def test_a_damaged_file_of_a_reader_stays_theirs(
    server: Mirrors, cache: Path, small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In DDL_DATA nothing is deleted, mended or passed over."""
    monkeypatch.setenv("DDL_DATA", str(small_mnist))
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("good"))
    (small_mnist / "MNIST" / "raw" / IMAGES).write_bytes(b"half")
    with pytest.raises(ValueError, match=rf"{IMAGES} is damaged: .*Delete it and copy or download"):
        data.digits(7, 5)
    assert (small_mnist / "MNIST" / "raw" / IMAGES).read_bytes() == b"half"
    assert server.asked == []


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Callable[..., Any] = open

    def on_a_full_disk(path: object, mode: str) -> Any:
        return opened("/dev/full", mode)

    monkeypatch.setattr(fetching, "open", on_a_full_disk, raising=False)


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write where it is forbidden, so the system's answer is played."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    for place in ("unlink", "mkdir", "replace", "write_bytes"):
        monkeypatch.setattr(Path, place, refuse)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(os, "makedirs", refuse)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(
            full_disk,
            "No space left on device",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full"),
        ),
        (read_only, "Permission denied"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"half a file"])
@pytest.mark.usefixtures("left_open")
def test_a_cache_that_cannot_be_written_is_named(
    fault: Callable[[pytest.MonkeyPatch], None],
    message: str,
    before: bytes,
    server: Mirrors,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(datafiles, "MNIST_MIRRORS", server.mirrors("good", "good"))
    if before:
        (cache / "MNIST" / "raw").mkdir(parents=True)
        (cache / "MNIST" / "raw" / IMAGES).write_bytes(before)
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises(DataUnavailableError) as caught:
            data.mnist(7, 5)
        assert not data.digits_are_real()
    data._mnist_is_here.cache_clear()
    assert caught.match(rf"{IMAGES} cannot be kept in the cache .*cache: .*{message}")
    assert caught.match("make room there, or set DDL_DATA")
    assert set(files_in(cache).values()) <= {before}
    check_recovered(server, cache, monkeypatch)


def asking(server: Mirrors, cache: Path, *faults: str) -> subprocess.Popen[str]:
    """Start another process that asks for MNIST."""
    code = (
        "from pathlib import Path; from ddl import data; from ddl.support import datafiles\n"
        f"datafiles.pooch.os_cache = lambda name: Path({str(cache)!r})\n"
        f"datafiles.MNIST_MIRRORS = {server.mirrors(*faults)}\n"
        f"datafiles.MNIST_MD5 = {datafiles.MNIST_MD5}\n"
        "print(int(data.mnist(7, 5).train.images.mul(255).sum()))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8")


def test_a_killed_download_leaves_nothing(
    server: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = asking(server, cache, "stalls")
    assert server.half_sent.wait(60)
    deadline = time.monotonic() + 20
    while not files_in(cache) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (leftover,) = files_in(cache).items()
    assert leftover[0] not in server.files
    server.closing.set()
    check_recovered(server, cache, monkeypatch)
    assert files_in(cache) == server.files | dict([leftover])  # young: it may be a living one's
    grow_old(cache)
    check_recovered(server, cache, monkeypatch)
    assert files_in(cache) == server.files


def test_two_at_once_both_get_whole_files(server: Mirrors, cache: Path) -> None:
    processes = [asking(server, cache, "good") for _ in range(2)]
    printed = [int(process.communicate(timeout=120)[0]) for process in processes]
    pixels = np.random.default_rng(0).integers(0, 256, (7, 28, 28))
    assert printed == [pixels.sum()] * 2
    assert files_in(cache) == server.files


# CIFAR-10 comes as one archive.

BATCHES = {name: [k, k + 1] for k, name in enumerate(datafiles.CIFAR_MD5)}


@pytest.fixture
def cifar(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Mirrors, cache: Path
) -> dict[str, bytes]:
    """The batches of a small CIFAR-10, whose archive the server has."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, labels in BATCHES.items():
        cifar_batch(folder / name, labels)
        monkeypatch.setitem(datafiles.CIFAR_MD5, name, datafiles.md5_of(folder / name))
    archive = tmp_path / datafiles.CIFAR_ARCHIVE[0]
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    md5 = datafiles.md5_of(archive)
    monkeypatch.setattr(datafiles, "CIFAR_ARCHIVE", (archive.name, md5))
    monkeypatch.setattr(datafiles, "CIFAR_MIRRORS", server.mirrors("good"))
    server.files[archive.name] = archive.read_bytes()
    return {name: (folder / name).read_bytes() for name in BATCHES}


def check_cifar(cache: Path, cifar: dict[str, bytes]) -> None:
    """Expect that CIFAR-10 is had whole."""
    found = data.cifar10(50_000, 10_000)
    assert found.name == "CIFAR-10"
    assert found.train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert found.train.images.shape == (10, 3, 32, 32)
    assert found.test.labels.tolist() == [5, 6]
    folder = cache / "cifar-10-batches-py"
    assert {name: (folder / name).read_bytes() for name in cifar} == cifar


def test_cifar_is_unpacked(server: Mirrors, cache: Path, cifar: dict[str, bytes]) -> None:
    check_cifar(cache, cifar)
    check_cifar(cache, cifar)
    assert len(server.asked) == 1


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("fault", ["absent", "truncated", "corrupted", "login", "stalls"])
def test_a_bad_archive_leaves_nothing(
    fault: str,
    server: Mirrors,
    cache: Path,
    cifar: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(datafiles, "CIFAR_MIRRORS", server.mirrors(fault))
        with pytest.raises(DataUnavailableError, match=r"CIFAR-10: cifar-10-python\.tar\.gz is"):
            data.cifar10()
    assert files_in(cache) == {}
    check_cifar(cache, cifar)


@pytest.mark.parametrize("damage", ["half unpacked", "damaged batch", "truncated archive"])
def test_a_damaged_cache_of_cifar_mends_itself(
    damage: str, cache: Path, cifar: dict[str, bytes]
) -> None:
    data.cifar10(1, 1)
    folder = cache / "cifar-10-batches-py"
    if damage == "half unpacked":
        (folder / "data_batch_1").write_bytes(cifar["data_batch_1"][:50])
        for name in ("data_batch_2", "test_batch"):
            (folder / name).unlink()
    elif damage == "damaged batch":
        (folder / "test_batch").write_bytes(cifar["test_batch"][:-1] + b"!")
    else:
        (cache / datafiles.CIFAR_ARCHIVE[0]).write_bytes(b"\x1f\x8b half")
        (folder / "test_batch").unlink()
    check_cifar(cache, cifar)


def test_a_disk_full_while_unpacking_leaves_no_half_batch(
    cache: Path, cifar: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(DataUnavailableError, match=r"tar\.gz cannot be kept in the cache"):
            data.cifar10()
    assert set(files_in(cache)) == {datafiles.CIFAR_ARCHIVE[0]}
    check_cifar(cache, cifar)


def test_a_process_killed_while_unpacking_leaves_no_half_batch(
    cache: Path, cifar: dict[str, bytes]
) -> None:
    code = (
        "import os; from pathlib import Path; from ddl.support import datafiles\n"
        "def write_half(path, content):\n"
        "    path.open('wb').write(content[: len(content) // 2])\n"
        "    os.kill(os.getpid(), 9)\n"
        "Path.write_bytes = write_half\n"
        f"datafiles.pooch.os_cache = lambda name: Path({str(cache)!r})\n"
        f"datafiles.CIFAR_MIRRORS = {datafiles.CIFAR_MIRRORS}\n"
        f"datafiles.CIFAR_ARCHIVE = {datafiles.CIFAR_ARCHIVE}\n"
        "datafiles.download_cifar10()"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode
    folder = cache / "cifar-10-batches-py"
    assert [path.name for path in folder.iterdir() if path.name in cifar] == []
    assert len(list(folder.iterdir())) == 1  # it was at it
    check_cifar(cache, cifar)
    assert len(list(folder.iterdir())) == 1 + len(cifar)  # young: it may be a living one's
    grow_old(cache)
    check_cifar(cache, cifar)
    assert {path.name for path in folder.iterdir()} == set(cifar)


def test_unpacking_never_touches_a_batch_that_is_read(cache: Path, cifar: dict[str, bytes]) -> None:
    """Whoever has a batch open reads it to its end, while another process unpacks it anew."""
    data.cifar10(1, 1)
    with (cache / "cifar-10-batches-py" / "test_batch").open("rb") as file:
        start = file.read(9)
        datafiles.download_cifar10()
        assert start + file.read() == cifar["test_batch"]
        if sys.platform != "win32":
            fresh = cache / "cifar-10-batches-py" / "test_batch"
            assert os.fstat(file.fileno()).st_ino != fresh.stat().st_ino


# Files whose checksum fits and whose content does not.

PIXELS = np.zeros((2, 3, 3), np.uint8)
packed = partial(gzip.compress, mtime=0)  # no clock in it: the same name of a test each time


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file|is not a whole gzip file"),
        (b"<html>", "is not a whole gzip file"),
        (idx(PIXELS)[:-9], "is not a whole gzip file"),
        (idx(PIXELS)[:20] + b"\xff" * 9, "is not a whole gzip file"),
        (packed(b""), "is not an IDX file of bytes"),
        (packed(b"\0\0"), "is not an IDX file of bytes"),
        (packed(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0"), "is not an IDX file of bytes"),  # floats
        (packed(b"\0\0\x08\xff\0\0\0\x01"), "is not an IDX file of bytes"),  # rank 255
        (packed(b"\0\0\x08\x01\0\0\0\x09\x01\x02"), r"claims the shape \[9\], .* 2 bytes"),
        (packed(b"\0\0\x08\x01\0\0\0\x01\x01\x02"), r"claims the shape \[1\], .* 2 bytes"),
        (packed(b"\0\0\x08\x01\xff\xff\xff\xff\x01"), "claims the shape"),
        (
            packed(b"\0\0\x08\x02" + b"\xff\xff\xff\xff" * 2 + b"\x01"),
            "claims the shape",
        ),  # (-1) x (-1)
    ],
)
def test_a_wrong_idx_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{IMAGES} ({message})"):
        datafiles.read_idx(path)


def batch_of(pixels: object, labels: object) -> bytes:
    return pickle.dumps({b"data": pixels, b"labels": labels}, protocol=3)


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


ROWS = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        batch_of(ROWS, [0, 1])[:-40],
        batch_of(Runs(), [0, 1]),
        batch_of(ROWS, [Runs(), 1]),
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        pickle.dumps([1, 2]),
        pickle.dumps({b"data": ROWS}),
        batch_of(ROWS, [0, 1, 2]),
        batch_of(ROWS, [0, 10]),
        batch_of(ROWS, [0, 0.5]),
        batch_of(ROWS, [0, [1]]),
        batch_of(ROWS[:, 1:], [0, 1]),
        batch_of(ROWS.astype(np.float32), [0, 1]),
        batch_of(ROWS.astype(object), [0, 1]),
        batch_of([0, 1], [0, 1]),
    ],
)
def test_a_wrong_batch_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data_batch_1 is not a batch of CIFAR-10"):
        datafiles.read_cifar_batch(path)
    assert not (tmp_path / "owned").exists()


def test_a_right_batch_is_read(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(batch_of(ROWS, [0, 9]))
    pixels, labels = datafiles.read_cifar_batch(tmp_path / "batch")
    assert pixels.shape == (2, 3072)
    assert labels.tolist() == [0, 9]
