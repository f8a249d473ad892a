"""A teacher's pack: the built site to read from a folder, offline, and its notebooks, as one zip.

    _build/html/  --pack-->  FILE.zip, FILE.zip.sha256

The same site gives the same bytes: names are sorted, and times are those of the zip
format's own beginning. ``SHA256SUMS`` in the zip is read by ``sha256sum --check``.

Usage: python -m tools.pack FILE.zip
"""

import hashlib
import sys
import zipfile
from pathlib import Path

from tools import launch, pages

TOP = "demonstrated-deep-learning"
SITE_ONLY = {"404.html", "sitemap.xml", ".buildinfo", "objects.inv"}  # of use on a server alone
README = """\
# Demonstrated Deep Learning: the teacher's pack

- `site/`: the book. Open `site/index.html`; no network is needed.
  A browser starts the interactive figures from a web server only. In this folder run
  `python3 -m http.server --bind 127.0.0.1 --directory site 8000` and open
  http://127.0.0.1:8000
- `site/launch/`: every page as a notebook with its outputs. To run one, its first
  cell {install}.
- `SHA256SUMS`: `sha256sum --check SHA256SUMS` tells whether all files are as they were made.

Code: BSD-3-Clause (`LICENSE`). Text and figures: CC BY 4.0.
"""


def contents(site: Path) -> dict[str, bytes]:
    """Return what the pack holds: the content of each file by its name in the pack.

    Args:
        site: The folder of the built site.

    Raises:
        FileNotFoundError: If no site is there, or it lacks the notebook of a page.
    """
    needed = ["index.html", *(f"launch/{slug}.ipynb" for slug in pages.slugs())]
    if missing := [name for name in needed if not (site / name).is_file()]:
        raise FileNotFoundError(f"{site} lacks {', '.join(missing)}: run make book")
    files = {
        f"site/{path.relative_to(site).as_posix()}": path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and path.relative_to(site).as_posix() not in SITE_ONLY
    }
    source = launch.package_source()
    install = f"installs the package `ddl` from {source}" if source else "says what to install"
    files["README.md"] = README.format(install=install).encode()
    files["LICENSE"] = (pages.ROOT / "LICENSE").read_bytes()
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files["SHA256SUMS"] = "".join(sums).encode()
    return files


def write_pack(site: Path, target: Path) -> str:
    """Write the pack and, beside it, its checksum.

    Args:
        site: The folder of the built site.
        target: The zip file.

    Returns:
        The SHA-256 of the zip.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as pack:
        for name, content in sorted(contents(site).items()):
            entry = zipfile.ZipInfo(f"{TOP}/{name}")  # its time is 1980-01-01
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # as on Unix, wherever it is made
            pack.writestr(entry, content, zipfile.ZIP_DEFLATED)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    target.with_name(f"{target.name}.sha256").write_text(
        f"{digest}  {target.name}\n", encoding="utf-8", newline="\n"
    )
    return digest


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(write_pack(pages.BUILD / "html", Path(sys.argv[1])), sys.argv[1])
