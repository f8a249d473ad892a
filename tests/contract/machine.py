"""A machine as Colab and Binder lend it: torch, numpy, matplotlib and Jupyter, no checkout.

The packages are those of this environment: a folder of links to them, which the new
environment sees behind its own packages. So pip finds them installed, and cannot remove
them: what it would change, it puts beside them, where `versions` sees it.
"""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

LENT = ("torch", "numpy", "matplotlib", "ipykernel")
VERSIONS = """
import json
from importlib import metadata
names = {d.name for d in metadata.distributions()}
print(json.dumps({name: metadata.version(name) for name in names}))"""


class Machine:
    """An environment with what Colab has, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        lent = folder / "lent"
        link_packages(lent)
        # The pip that comes with Python may be too old to take a package from a local folder.
        new = [sys.executable, "-m", "venv", "--upgrade-deps"]
        subprocess.run([*new, folder / "venv"], check=True, stdout=subprocess.DEVNULL)
        self.python = folder / "venv" / "bin" / "python"
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
        kernel = folder / "jupyter" / "kernels" / "machine"
        kernel.mkdir(parents=True)
        command = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "Machine", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        self.jupyter_path = kernel.parent.parent

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment variables, without those that lead to this checkout."""
        left_out = ("PYTHON", "VIRTUAL_ENV", "DDL_", "GITHUB_", "COVERAGE", "PYTEST")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        bin_first = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        return kept | {"PATH": bin_first, "OMP_NUM_THREADS": "1"} | more

    def run(self, *command: str | Path, cwd: Path) -> str:
        """Run a command on the machine; return what it prints.

        Raises:
            RuntimeError: If it fails, with what it said.
        """
        done = subprocess.run(
            command, cwd=cwd, env=self.environment(), capture_output=True, encoding="utf-8"
        )
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def versions(self, cwd: Path) -> dict[str, str]:
        """Return the version of each package that Python finds first."""
        return json.loads(self.run(self.python, "-c", VERSIONS, cwd=cwd))


def link_packages(folder: Path) -> None:
    """Fill a folder with links to the packages in `LENT` and those that they need."""
    folder.mkdir()
    wanted, seen = list(LENT), set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(found.locate_file(top)))
        needed = map(Requirement, found.requires or [])
        wanted += [n.name for n in needed if not n.marker or n.marker.evaluate({"extra": ""})]
