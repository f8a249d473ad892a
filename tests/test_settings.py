import re
import sys
from importlib.metadata import version

import pytest
import torch

import ddl
from ddl.support.settings import budget, provenance, scale, seed, seed_value


@pytest.mark.parametrize(("size", "epochs"), [("smoke", 2), ("cpu", 5), ("gpu", 20)])
def test_budget_follows_the_scale(monkeypatch: pytest.MonkeyPatch, size: str, epochs: int) -> None:
    monkeypatch.setenv("DDL_SCALE", size)
    assert budget(cpu=5, gpu=20) == epochs
    assert budget(cpu=5, gpu=20, smoke=1) == (1 if size == "smoke" else epochs)


def test_smoke_is_never_more_than_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SCALE", "smoke")
    assert budget(cpu=1, gpu=20) == 1


def test_scale_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDL_SCALE", raising=False)
    for there, expected in ((True, "gpu"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert scale() == expected


def test_seed_gives_the_same_numbers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = []
    for value in ("3", "3", "4"):
        monkeypatch.setenv("DDL_SEED", value)
        generator = seed()
        draws.append((torch.rand(1).item(), torch.rand(1, generator=generator).item()))
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[2][0]
    assert draws[0][1] != draws[2][1]


def test_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="gpu must be positive, got 0"):
        budget(cpu=1, gpu=0)
    monkeypatch.setenv("DDL_SCALE", "huge")
    with pytest.raises(ValueError, match="DDL_SCALE must be one of smoke, cpu, gpu, got 'huge'"):
        scale()
    monkeypatch.setenv("DDL_SEED", "-1")
    with pytest.raises(ValueError, match="DDL_SEED must be a non-negative integer, got '-1'"):
        seed_value()


def test_a_page_says_how_it_ran(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_SCALE", "cpu")
    monkeypatch.setenv("DDL_SEED", "7")
    ddl.about_this_run()
    assert "cpu size" in (out := capsys.readouterr().out)
    assert "seed 7" in out


def test_provenance_says_when_on_what_and_with_which_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = provenance("torch")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", here["ended"])
    assert here["device"] == "CPU"
    assert here["versions"] == {
        "python": sys.version.split()[0],
        "torch": version("torch"),
    }
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "some GPU")
    assert provenance()["device"] == "some GPU"
