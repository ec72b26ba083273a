"""Settings: what is accepted, and the one line that refuses the rest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from experiments.__main__ import main
from experiments.competitors import Contender, Range, Search
from experiments.harness.errors import UserError
from experiments.harness.settings import CONF, Base, load, native_bf16, portable, positive
from experiments.images.config import ClassificationConfig
from tests.composed import composed


@dataclass(kw_only=True)
class Config(Base):
    search: Search
    contenders: dict[str, Contender] = field(default_factory=dict)
    tolerance: float = 0.5

    def validate(self) -> None:
        super().validate()
        positive("tolerance", self.tolerance)


GOOD = """
experiment: hill
title: a hill
section: "4.1"
profile: {name: quick, hill: {trials: 7}}
search: {trials: "${oc.select:profile.hill.trials,500}", steps: 200}
contenders:
  gdm:
    optimizer: gdm
    label: GDM
    fixed: {momentum: 0.9}
    space: {lr: {low: 1e-4, high: 0.5}}
"""


def settings(*changes: str) -> Config:
    cfg = OmegaConf.create(GOOD)
    for change in changes:
        key, _, value = change.partition("=")
        parsed = OmegaConf.create(f"x: {value}")
        assert isinstance(parsed, DictConfig)
        OmegaConf.update(cfg, key, parsed._get_node("x"), merge=False, force_add=True)
    assert isinstance(cfg, DictConfig)
    return load(cfg, Config)


def test_plain_python_comes_out() -> None:
    got = settings()
    assert got.profile == "quick" and got.search == Search(trials=7, steps=200, batch=1)
    assert type(got.contenders) is dict and type(got.contenders["gdm"].fixed) is dict
    assert got.contenders["gdm"].space == {"lr": Range(1e-4, 0.5, "linear")}
    assert "paths" not in portable(got) and portable(got)["search"]["trials"] == 7


def test_the_papers_budget_stands_where_the_profile_says_nothing() -> None:
    assert settings("profile={name: paper}").search.trials == 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("search.trails=3", "search.trails: no such setting (did you mean 'search.trials'?)"),
        ("trials=3", "trials: no such setting (did you mean 'search.trials'?)"),
        ("contenders.gdm.lable=x", "did you mean 'contenders.gdm.label'"),
        ("typo=3", "typo: no such setting (allowed: "),
        ("search.trials=abc", "search.trials=abc: must be a whole number"),
        ("search.trials=1e3", "search.trials=1000.0: must be a whole number"),
        ("search.trials=true", "search.trials=True: must be a whole number"),
        ("tolerance=much", "tolerance=much: must be a number"),
        ("search.trials=0", "search.trials=0: must be 1 or more"),
        ("search.batch=-1", "search.batch=-1: must be 1 or more"),
        ("search=3", "search: "),
        ("search.steps=null", "search.steps: "),
        ("seed=-1", "seed=-1: must be 0 or more"),
        ("seed='${nothing}'", "nothing"),
        ("tolerance=.nan", "tolerance=nan: must be above 0"),
        (
            "contenders.gdm.optimizer=adamw",
            "contenders.gdm.optimizer=adamw: not known (did you mean 'adam'?)",
        ),
        ("contenders.gdm.fixed.momentum=1.5", "fixed.momentum=1.5: momentum must be between 0.0 and 1.0"),
        ("contenders.gdm.fixed={lr: -0.1}", "fixed.lr=-0.1: lr must be finite and 0.0 or more"),
        ("contenders.gdm.fixed={momentun: 0.5}", "gdm has no such parameter (did you mean 'momentum'?)"),
        ("contenders.gdm.fixed={lr: 0.1}", "lr is both fixed and searched"),
        ("contenders.gdm.space={lr: {low: 1}}", "contenders.gdm.space.lr.high: "),
        ("contenders.gdm.space={lr: {low: 1, high: 1}}", "low must be finite and below high"),
        ("contenders.gdm.space={lr: {low: -1, high: 1}}", "lr must be finite and 0.0 or more"),
        ("contenders.gdm.space={lr: {low: 0, high: 1, scale: log}}", "a log scale needs a bound above 0"),
        (
            "contenders.gdm.space={lr: {low: 0, high: 1, scale: lin}}",
            "scale=lin: not known (did you mean 'linear'",
        ),
        ("contenders.gdm={optimizer: bbi, label: B, fixed: {t0: 1.5}}", "t0=1.5: t0 must be a whole number"),
        (
            "contenders.gdm={optimizer: bbi, label: B, fixed: {t1: .nan}}",
            "t1=nan: t1 must be finite and 1 or more",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_line(change: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        settings(change)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_gamma_range_bounds_the_momentum() -> None:
    """Footnote 9: γ = −log μ, so that γ from 0 to ∞ is μ from 1 to 0; a negative γ would be μ above 1."""
    settings("contenders.gdm={optimizer: gdm, label: G, space: {momentum: {low: 0, high: 5, scale: neglog}}}")
    with pytest.raises(UserError, match="momentum must be between"):
        settings(
            "contenders.gdm={optimizer: gdm, label: G, space: {momentum: {low: -1, high: 5, scale: neglog}}}"
        )


@pytest.mark.parametrize(
    ("axis", "middle"),
    [
        (Range(2.0, 4.0), 3.0),
        (Range(1e-6, 1e-2, "log"), 1e-4),
        (Range(0.0, 0.9999, "one_minus_log"), 0.99),
        (Range(0.0, 2.0, "neglog"), math.exp(-1.0)),
    ],
)
def test_scales(axis: Range, middle: float) -> None:
    """The coordinate's ends are the value's bounds, and its middle is the mean on the named scale."""
    low, high = axis.coordinates()
    assert axis.value((low + high) / 2) == pytest.approx(middle, rel=1e-12)
    ends = sorted([axis.value(low), axis.value(high)])
    assert ends == pytest.approx(list(axis.bounds()), rel=1e-12)
    assert axis.bounds()[0] <= ends[0] and ends[1] <= axis.bounds()[1]


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
    for device, native in want.items():
        for experiment, profile in (("cifar", "paper"), ("mnist", "quick")):
            cfg = composed(experiment, f"engine.device={device}", profile=profile)
            assert isinstance(cfg, ClassificationConfig)
            assert cfg.engine.bf16 is native and portable(cfg)["engine"]["bf16"] is native
        exact = composed("mnist", f"engine.device={device}", profile="paper")
        assert isinstance(exact, ClassificationConfig) and exact.engine.bf16 is False  # as the paper
        given = composed("cifar", f"engine.device={device}", "engine.bf16=true")
        assert isinstance(given, ClassificationConfig) and given.engine.bf16 is True


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_every_profile_can_be_printed_and_loaded(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    for profile in sorted(path.stem for path in (CONF / "profile").glob("*.yaml")):
        assert main([f"experiment={experiment}", f"profile={profile}", "--cfg", "job", "--resolve"]) == 0
        out, err = capsys.readouterr()
        assert f"experiment: {experiment}" in out and err == ""
        assert composed(experiment, profile=profile).profile == profile
