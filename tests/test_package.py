"""What a wheel contains and says, by setuptools' own reading of pyproject.toml."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from setuptools.config.pyprojecttoml import read_configuration

import bbi

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return read_configuration(str(ROOT / "pyproject.toml"))  # type: ignore[no-any-return]


def test_a_wheel_is_the_optimizer_and_all_of_it(settings: dict[str, Any]) -> None:
    modules = {file.parent.relative_to(ROOT) for file in (ROOT / "bbi").rglob("*.py")}
    found = settings["tool"]["setuptools"]["packages"]
    assert sorted(found) == sorted(".".join(folder.parts) for folder in modules)
    assert (ROOT / "bbi/py.typed").is_file()
    assert settings["tool"]["setuptools"]["package-data"] == {"bbi": ["py.typed"]}


def test_the_version_has_one_place(settings: dict[str, Any]) -> None:
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["project"]["version"] == bbi.__version__
    assert version("bbi") == bbi.__version__  # of the installation; after a change: make install


def test_an_sdist_has_every_folder_of_the_project() -> None:
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft")}
    folders = {f.name for f in ROOT.iterdir() if f.is_dir() and not f.name.startswith((".", "__"))}
    assert grafted == folders - {"bbi.egg-info", "build", "dist", "shared"}
