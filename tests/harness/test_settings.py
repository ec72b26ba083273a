"""Settings: what is accepted, and the one line that refuses the rest."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from pydantic import Field

from experiments.__main__ import main
from experiments.competitors import Competitor
from experiments.harness.devices import native_bf16
from experiments.harness.errors import UserError
from experiments.harness.ranges import Range
from experiments.harness.sections import section_of
from experiments.harness.settings import (
    CONF,
    Count,
    Experiment,
    FitPoints,
    NonNegative,
    PlanePoint,
    Positive,
    Settings,
    compose,
    load,
)
from tests.composed import composed


class Search(Settings):
    trials: Count
    steps: Count
    batch: Count = 1


class Config(Experiment):
    search: Search
    competitors: dict[str, Competitor] = Field(default_factory=dict)
    tolerance: Positive = 0.5
    side: NonNegative = 0.0
    start: PlanePoint = Field(default=[0.0, 0.0])
    lags: FitPoints = Field(default=[1.0, 2.0, 3.0])
    names: Annotated[list[str], Field(min_length=1)] = Field(default=["a"])


GOOD = """
experiment: hill
title: a hill
section: "4.1"
profile: quick
search: {trials: 7, steps: 200}
competitors:
  gdm:
    _target_: torch.optim.SGD
    label: GDM
    color: red
    fixed: {momentum: 0.9}
    space: {lr: {low: 1e-4, high: 0.5}}
"""


def settings(*changes: str) -> Config:
    cfg = OmegaConf.create(GOOD)
    for change in changes:
        key, _, value = change.partition("=")
        parsed: Any = OmegaConf.create(f"x: {value}")
        OmegaConf.update(cfg, key, parsed._get_node("x"), merge=False, force_add=True)
    return load(cfg, Config)  # type: ignore[arg-type]


def test_plain_python_comes_out() -> None:
    got = settings()
    assert got.profile == "quick" and got.search == Search(trials=7, steps=200, batch=1)
    assert type(got.competitors) is dict and type(got.competitors["gdm"].fixed) is dict
    assert got.competitors["gdm"].space == {"lr": Range(low=1e-4, high=0.5, scale="linear")}
    assert not {"paths", "executor"} & got.portable().keys()
    assert load(got.portable(), Config) == got


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("search.trails=3", "search.trails: no such setting (did you mean 'search.trials'?)"),
        ("trials=3", "trials: no such setting (did you mean 'search.trials'?)"),
        ("competitors.gdm.lable=x", "did you mean 'competitors.gdm.label'"),
        ("typo=3", "typo: no such setting (allowed: "),
        ("search.trials=abc", "search.trials=abc: must be a whole number"),
        ("search.trials=1e3", "search.trials=1000.0: must be a whole number"),
        ("search.trials=true", "search.trials=True: must be a whole number"),
        ("search.trials=12345678901234567890123", "must be 1e+09 or less"),
        ("tolerance=much", "tolerance=much: must be a number"),
        ("search.trials=0", "search.trials=0: must be 1 or more"),
        ("side=-1", "side=-1: must be 0 or more"),
        ("search=3", "search=3: must be a mapping"),
        ("search.steps=null", "search.steps=None: must be a whole number"),
        ("search={steps: 3}", "search.trials: must be given"),
        ("seed='${nothing}'", "nothing"),
        ("seed='???'", "seed: must be given"),
        ("tolerance=.nan", "tolerance=nan: must be a finite number"),
        ("start=[1]", "start=[1]: must be a list of 2 or more"),
        ("start=[1, 2, 3]", "must be a list of 2 or fewer"),
        ("lags=[1, 2, 2]", "lags=[1, 2, 2]: must be three different values or more"),
        ("names=[]", "names=[]: must be a list of 1 or more"),
        ("executor.kind=dusk", "executor.kind=dusk: not known (did you mean 'dask'?)"),
        ("paths.results=''", "paths.results=: must be given, not empty"),
        ("competitors.gdm.ensemble=elementwize", "=elementwize: not known (did you mean 'elementwise'?)"),
        ("competitors.gdm.fixed={lr: 0.1}", "lr is both fixed and searched"),
        ("competitors.gdm.space={lr: {low: 1, high: 1}}", "low=1.0 must be below high=1.0"),
        ("competitors.gdm.space={lr: {low: 0, high: 1, scale: log}}", "must be above 0 on a log scale"),
        ("competitors.gdm.space={lr: {low: -1e3, high: 1, scale: neglog}}", "-700 or more on a neglog scale"),
        ("competitors.gdm.space={lr: {low: 0, high: 1, scale: lin}}", "(did you mean 'linear'"),
    ],
)
def test_bad_settings_are_refused_in_one_line(change: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        settings(change)
    assert "\n" not in str(caught.value)


CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists(), reason="there is no /proc/cpuinfo here")
@pytest.mark.skipif(not hasattr(torch.cpu, "get_capabilities"), reason="this torch cannot ask the processor")
def test_the_kernel_knows_of_the_same_bfloat16() -> None:
    words = set(CPUINFO.read_text().split())
    assert native_bf16("cpu") == bool({"avx512_bf16", "amx_bf16", "bf16", "svebf16"} & words)


@pytest.mark.parametrize(
    ("able", "gpu", "want"),
    [
        ({"avx2": True}, None, {"cpu": False, "cuda": False, "auto": False}),
        ({"avx512_bf16": True}, None, {"cpu": True, "cuda": False, "auto": True}),
        ({"amx_bf16": True}, False, {"cpu": True, "cuda": False, "auto": False}),
        ({"avx512_bf16": False}, True, {"cpu": False, "cuda": True, "auto": True}),
        (None, None, {"cpu": False, "cuda": False, "auto": False}),
    ],
    ids=["neither", "processor", "old GPU", "GPU", "old torch"],
)
def test_bfloat16_is_chosen_where_it_is_native(
    able: Mapping[str, bool] | None,
    gpu: bool | None,
    want: Mapping[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    if able is not None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or gpu
    )
    assert {device: native_bf16(device) for device in want} == want
    quick = compose("experiment=mnist", "profile=quick", "engine.device=cpu")
    assert load(quick, section_of(quick).Config).engine.bf16 is want["cpu"]


def test_bfloat16_as_the_paper_and_as_it_is_given() -> None:
    assert composed("mnist").engine.bf16 is False
    assert composed("cifar", "engine.bf16=true").engine.bf16 is True


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_every_profile_can_be_printed_and_loaded(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    for profile in sorted(path.stem for path in (CONF / "profile").glob("*.yaml")):
        assert main([f"experiment={experiment}", f"profile={profile}", "--cfg", "job", "--resolve"]) == 0
        out, err = capsys.readouterr()
        assert f"experiment: {experiment}" in out and err == ""
        printed = yaml.safe_load(out)
        assert load(printed, section_of(printed).Config).profile == profile


def test_a_profile_reduces_only_what_there_is() -> None:
    """Each file of a profile is about an experiment; that its keys exist, loading it has shown."""
    names = {file.stem for file in (CONF / "experiment").glob("*.yaml")}
    assert {file.stem for file in (CONF / "profile").glob("*/*.yaml")} <= names
