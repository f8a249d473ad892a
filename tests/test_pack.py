"""The teacher's pack: complete, the same bytes each time, with checksums that fit."""

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tools import pack, pages


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site as small as one can be."""
    files = ["index.html", "404.html", "sitemap.xml", "_static/site.css"]
    for name in [*files, *(f"launch/{slug}.ipynb" for slug in pages.slugs())]:
        path = tmp_path / "html" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"This is {name}.\n", encoding="utf-8")
    return tmp_path / "html"


def test_pack_has_the_site_and_every_notebook(site: Path, tmp_path: Path) -> None:
    pack.write_pack(site, tmp_path / "out" / "pack.zip")
    with zipfile.ZipFile(tmp_path / "out" / "pack.zip") as opened:
        names = {name.removeprefix(f"{pack.TOP}/") for name in opened.namelist()}
        assert all(name.startswith(f"{pack.TOP}/") for name in opened.namelist())
    notebooks = {f"site/launch/{slug}.ipynb" for slug in pages.slugs()}
    own = {"README.md", "LICENSE", "SHA256SUMS"}
    # What only a server needs holds absolute addresses: it stays out.
    assert names == {"site/index.html", "site/_static/site.css"} | notebooks | own


def test_same_site_gives_same_bytes(site: Path, tmp_path: Path) -> None:
    first = pack.write_pack(site, tmp_path / "first.zip")
    for path in sorted(site.rglob("*"), reverse=True):  # other times, rights and order
        path.rename(path.with_name("moved"))
        path.with_name("moved").rename(path)
        os.utime(path, (0, 0))
        path.chmod(0o700)
    assert pack.write_pack(site, tmp_path / "second.zip") == first
    (site / "index.html").write_text("Another text.", encoding="utf-8")
    assert pack.write_pack(site, tmp_path / "third.zip") != first


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum on this machine")
def test_checksums_find_a_changed_file(site: Path, tmp_path: Path) -> None:
    digest = pack.write_pack(site, tmp_path / "pack.zip")
    assert digest == hashlib.sha256((tmp_path / "pack.zip").read_bytes()).hexdigest()
    check = ["sha256sum", "--check", "--quiet"]
    subprocess.run([*check, "pack.zip.sha256"], cwd=tmp_path, check=True)
    with zipfile.ZipFile(tmp_path / "pack.zip") as opened:
        opened.extractall(tmp_path)
    folder = tmp_path / pack.TOP
    subprocess.run([*check, "SHA256SUMS"], cwd=folder, check=True)
    listed = {
        line.split("  ")[1]
        for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    }
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == listed | {"SHA256SUMS"}
    (folder / "site" / "index.html").write_text("x", encoding="utf-8")
    done = subprocess.run([*check, "SHA256SUMS"], cwd=folder, capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert "site/index.html: FAILED" in done.stdout


def test_no_pack_without_a_whole_site(site: Path, tmp_path: Path) -> None:
    (site / "launch" / "gating.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks launch/gating\.ipynb: run make book"):
        pack.write_pack(site, tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip.sha256").exists()
