"""Wrong command lines, made from the settings of every experiment: each exits 2 with one line, or runs.

A line changes one setting of a composed configuration by Hydra's own overrides, and is then prepared and
checked as the command line does it. What is accepted is not run here, but for a sample of it.
"""

import copy
import functools
import random
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from experiments.__main__ import main, prepare
from experiments.harness import session
from experiments.harness.errors import UserError
from experiments.harness.overrides import one_line, refuse_words
from experiments.harness.settings import CONF, Job, compose, dotted
from torture.children import child, judge
from torture.outcome import Deadline, Row
from torture.runs import EXPERIMENTS

VALUES = (
    "abc", "''", "null", "true", "nan", "-nan", ".nan", "inf", "-inf", "-1", "0", "1", "1.5", "1e3", "-1e-9",
    "1e400", "1e-320", "9999999999999999999999999", "-9223372036854775809", "[]", "{}", "[1]", "[nan]",
    "[null]", "[1,1]", "[abc]", "[[1,2],[3]]", "{a: 1}", "{_target_: os.getcwd}", "{_target_: 1}",
    "${oc.env:NOPE}", "${nothing}", "${seed}", "'a b'", "../x", "/proc/none", "☃", "a.b.c", "os.getcwd",
    "torch.nn.Linear", '"\\n"',
)  # fmt: skip
"""Given to every setting, whatever its type."""
SHAPES = (
    "~{key}",
    "{key}x=1",
    "+{key}.x=1",
    "+{key}.0=1",
    "{key}.0.0=1",
    "++{key}={{}}",
    "{key}=",
    "+{key}=2",
)
"""What else is done to a setting: deleted, misspelt, nested, added again."""
WORDS = (
    "~profile", "profile=null", "profile=nope", "profile=quick/cifar", "profile@_global_=paper",
    "profile@_global_=null", "~profile@_global_", "++profile=../x", "profile.name=x", "executor=null",
    "executor=nope", "~executor", "executor=dask", "executor.workers=100000000000000000000",
    "+experiment.x=1", "+optimizer@competitors.x=nope", "+optimizer@nowhere=adam", "competitors=null",
    "~competitors", "start.x=1", "start.7=1", "'paths.results=~nouser/x'", "paths.results=",
    "paths.results=/proc/none", "paths.data=[1]", "seed=1,2", "seed=range(3)", "seed=glob(*)", "seed=1e400",
    "seed==1", "seed=${seed}", "search.trials=1 search.trials=x", "hydra=null", "hydra.sweeper=null",
    "hydra/launcher=nope -m", "-m seed=glob(*)", "-m seed=range(0)", "-m seed=choice()", "-m seed=1,,2",
    "-m seed=range(1,2", "--resolve", "--experimental-rerun=x", "--shell-completion", "--config-name=nope",
    "--config-path=/nope", "--config-dir=/nope", "--info=nothing", "--cfg=nothing",
)  # fmt: skip
"""Given to one experiment."""
LINES = (
    "", "", "=", "=1", "a", "experiment", "experiment=", "experiment=nope", "experiment=null", "experiment=1",
    "experiment=[ackley]", "experiment=../ackley", "~experiment", "experiment=nope,nada -m", "seed=1",
    "--resolve", "--cfg", "--bogus", "--info", "--cfg=job --bogus", "--experimental-rerun=x",
    "--shell-completion", "--package=x", "experiment=mnist -m grid.epochs=glob(*)",
    "experiment=mnist grid.values.sgd.lr=[0.1,0.1]", "experiment=theory energy.halvings=60",
    "experiment=zakharov long.record_every=1000000", "experiment=pde train=[x]",
    "experiment=pde train=[k5,k5]", "experiment=cifar dataset=nope seed=x",
    "experiment=two_basin counts={paper: 1}",
    *(f"experiment=ackley {words}" for words in WORDS),
)  # fmt: skip
"""Whole lines, through the command line itself."""


def attack(seed: int, count: int, deadline: Deadline, folder: Path) -> Iterator[Row]:
    """``count`` lines that change one setting, :data:`LINES`, and a sample of what was accepted, run."""
    row, accepted = Row("lines", "one setting of an experiment changed"), list[tuple[str, str]]()
    with row.timed():
        for experiment, word in _words(seed, count):
            if not deadline:
                break
            _one(row, experiment, word, accepted)
        row.note = f"{len(accepted)} accepted"
    yield row
    row = Row("lines", "whole lines")
    with row.timed():
        for line in LINES:
            _whole(row, line, folder)
    yield row
    row = Row("lines", "accepted lines, run with the smoke budgets")
    with row.timed():
        for experiment, word in random.Random(seed).sample(accepted, min(len(accepted), count // 60)):
            if not deadline:
                break
            _run(row, experiment, word, folder / f"accepted{row.runs}")
    yield row


def _words(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """An experiment and a word that changes one of its settings; no two are the same."""
    pool = [
        (name, change)
        for name in EXPERIMENTS
        for key in dotted(OmegaConf.to_container(_base(name)))
        if key not in ("experiment", "profile")
        for change in (*(f"{key}={value}" for value in VALUES), *(shape.format(key=key) for shape in SHAPES))
    ]
    yield from random.Random(seed).sample(pool, min(count, len(pool)))


@functools.cache
def _base(experiment: str) -> DictConfig:
    return compose(f"experiment={experiment}", "profile=smoke", "executor=serial")


def _changed(experiment: str, word: str) -> Job:
    """The job that a line stands for, checked."""
    words, cfg = [f"experiment={experiment}", "profile=smoke", word], copy.deepcopy(_base(experiment))
    with one_line(words):
        refuse_words([word], CONF)
        ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides([word]), cfg)
    job = prepare(cfg, words)
    job.cfg.check()
    return job


def _one(row: Row, experiment: str, word: str, accepted: list[tuple[str, str]]) -> None:
    row.runs += 1
    try:
        _changed(experiment, word)
        accepted.append((experiment, word))
    except UserError as error:
        row.refused += 1
        if not _names(word, str(error)):
            row.fail(f"{experiment} {word}: the key is not in: {error}")
    except (Exception, SystemExit) as error:
        row.fail(f"{experiment} {word}: {type(error).__name__}: {error}")


def _names(word: str, message: str) -> bool:
    """Whether a message names the key, or the group of settings that it belongs to."""
    parts = word.lstrip("+~").partition("=")[0].split(".")
    return any(re.search(rf"\b{re.escape(part)}", message) for part in parts if part)


def _whole(row: Row, line: str, folder: Path) -> None:
    """A line through the command line, in a child in which no experiment is computed."""

    def command() -> int:
        with patch.object(session, "run", lambda jobs, after=None: [job.cfg.check() for job in jobs] and 0):
            return main([word.strip("'") for word in line.split()])

    judge(row, line, child(command, folder / "whole", seconds=60), limited=True)


def _run(row: Row, experiment: str, word: str, folder: Path) -> None:
    """An accepted line, run in a child; one that would take long is stopped, as by Ctrl-C."""

    def command() -> int:
        job = _changed(experiment, word)
        paths = job.cfg.paths.model_copy(update={"results": str(folder / "results"), "download": False})
        return session.run([job._replace(cfg=job.cfg.model_copy(update={"paths": paths}))])

    ended = child(command, folder, seconds=20)
    if ended.stopped:
        row.note = f"{int(row.note.split()[0]) + 1 if row.note else 1} stopped after 20 s"
    judge(row, f"{experiment} {word}", ended, limited=True)
