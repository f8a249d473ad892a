"""Fetching one file from one mirror, and saying in words what went wrong."""

import io
import re
import time

import pooch
import requests

SECONDS = 5  # until an unanswered mirror counts as out of reach
SLOWEST = 20_000  # bytes a second of a mirror worth waiting for: MNIST in ten minutes

SIGNS = {  # in an error, and what they mean
    "sslerror|certificate": "its certificate cannot be checked (REQUESTS_CA_BUNDLE, the clock)",
    "proxy|socks": "the proxy does not let through (HTTPS_PROXY, NO_PROXY)",
    "timeout|timed out": "no answer in time",
    "resol|name or service": "its name is not known here (DNS)",
    "httperror": "it has no such file, or refuses it",
    "valueerror": "what came is not the file, perhaps the page of a login",
}


def fetch(url: str, output_file: str, _: object = None) -> None:
    """Download, then write, so that an error is either the network's or the disk's.

    Args:
        url: The file's address.
        output_file: Where it is written.

    Raises:
        requests.RequestException: If it does not come, for whatever reason.
        OSError: If it cannot be written.
    """
    content = io.BytesIO()
    downloader = pooch.HTTPDownloader(timeout=SECONDS, progressbar=_Pace())  # pyright: ignore[reportArgumentType]
    try:
        downloader(url, content, None)
    except requests.RequestException:
        raise
    except OSError as error:  # a file of certificates that is not there, say
        raise requests.ConnectionError(f"{type(error).__name__}: {error}") from error
    with open(output_file, "wb") as file:
        file.write(content.getbuffer())


class _Pace:
    """Stands where pooch would draw a progress bar: gives up on a mirror that only drips."""

    def __init__(self) -> None:
        self.total, self.had, self.started = 0, 0, time.monotonic()

    def update(self, count: int) -> None:
        self.had += count
        seconds = time.monotonic() - self.started
        if seconds > SECONDS and self.had < SLOWEST * seconds:
            raise requests.Timeout(f"less than {SLOWEST:,} bytes a second")

    def reset(self) -> None:
        self.started = time.monotonic()

    def close(self) -> None:
        pass


def told(error: Exception) -> str:
    """Return what went wrong with a mirror: in words, then as the error itself says it."""
    own = f"{type(error).__name__}: {error}"
    known = (words for sign, words in SIGNS.items() if re.search(sign, own.lower()))
    return f"{next(known, 'the connection broke')}; {own}"
