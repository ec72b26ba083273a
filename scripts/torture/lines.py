"""Wrong command lines, made from the settings of every experiment: each exits 2 with one line, or runs.

A line changes one setting of a composed configuration by Hydra's own overrides, and is then prepared and
checked as the command line does it. What is accepted is not run here, but for a sample of it.
"""

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from experiments.__main__ import main, prepare
from experiments.harness import session
from experiments.harness.errors import UserError
from experiments.harness.overrides import one_line, refuse_words
from experiments.harness.settings import CONF, compose, dotted
from torture.children import Ended, child
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
LINES = [
    "",
    "",
    "=",
    "=1",
    "a",
    "experiment",
    "experiment=",
    "experiment=nope",
    "experiment=null",
    "experiment=1",
    "experiment=[ackley]",
    "experiment=../ackley",
    "~experiment",
    "experiment=ackley ~profile",
    "--resolve",
    "experiment=ackley profile=null",
    "experiment=ackley profile=nope",
    "experiment=ackley profile=quick/cifar",
    "experiment=ackley profile@_global_=paper",
    "experiment=ackley profile@_global_=null",
    "--cfg",
    "--bogus",
    "experiment=ackley ~profile@_global_",
    "experiment=ackley ++profile=../x",
    "experiment=ackley profile.name=x",
    "experiment=ackley executor=null",
    "experiment=ackley executor=nope",
    "experiment=ackley ~executor",
    "--info",
    "experiment=ackley +experiment.x=1",
    "experiment=ackley +optimizer@competitors.x=nope",
    "--cfg=job --bogus",
    "experiment=ackley +optimizer@nowhere=adam",
    "experiment=ackley start.x=1",
    "experiment=ackley start.7=1",
    "experiment=ackley 'paths.results=~nouser/x'",
    "experiment=ackley paths.results=",
    "experiment=ackley --resolve",
    "experiment=ackley paths.results=/proc/none",
    "experiment=ackley paths.data=[1]",
    "--experimental-rerun=x",
    "experiment=ackley --experimental-rerun=x",
    "experiment=ackley --shell-completion",
    "--shell-completion",
    "experiment=ackley --config-name=nope",
    "experiment=ackley --config-path=/nope",
    "--package=x",
    "experiment=ackley --config-dir=/nope",
    "experiment=ackley --info=nothing",
    "experiment=ackley --cfg=nothing",
    "experiment=ackley seed=1,2",
    "experiment=ackley seed=range(3)",
    "experiment=ackley seed=glob(*)",
    "seed=1",
    "experiment=ackley -m seed=glob(*)",
    "experiment=ackley -m seed=range(0)",
    "experiment=ackley -m seed=choice()",
    "experiment=ackley -m seed=1,,2",
    "experiment=nope,nada -m",
    "experiment=mnist -m grid.epochs=glob(*)",
    "experiment=ackley -m seed=range(1,2",
    "experiment=ackley seed=1e400",
    "experiment=ackley seed==1",
    "experiment=ackley seed=${seed}",
    "experiment=ackley hydra=null",
    "experiment=ackley hydra.sweeper=null",
    "experiment=ackley hydra/launcher=nope -m",
    "experiment=ackley competitors=null",
    "experiment=ackley ~competitors",
    "experiment=ackley executor=dask",
    "experiment=mnist grid.values.sgd.lr=[0.1,0.1]",
    "experiment=theory energy.halvings=60",
    "experiment=zakharov long.record_every=1000000",
    "experiment=pde train=[x]",
    "experiment=pde train=[k5,k5]",
    "experiment=cifar dataset=nope seed=x",
    "experiment=two_basin counts={paper: 1}",
    "experiment=ackley executor.workers=100000000000000000000",
    "experiment=ackley search.trials=1 search.trials=x",
    "",
][:-1]
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


_BASES: dict[str, DictConfig] = {}


def _base(experiment: str) -> DictConfig:
    if experiment not in _BASES:
        _BASES[experiment] = compose(f"experiment={experiment}", "profile=smoke", "executor=serial")
    return copy.deepcopy(_BASES[experiment])


def _changed(experiment: str, word: str) -> Any:
    """The job that a line stands for, checked."""
    words, cfg = [f"experiment={experiment}", "profile=smoke", word], _base(experiment)
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
    parts = re.split(r"=", word.lstrip("+~"), maxsplit=1)[0].split(".")
    return any(re.search(rf"\b{re.escape(part)}", message) for part in parts if part)


def _whole(row: Row, line: str, folder: Path) -> None:
    """A line through the command line, in a child in which no experiment is computed."""

    def command() -> int:
        with patch.object(session, "run", lambda jobs, after=None: [job.cfg.check() for job in jobs] and 0):
            return main([word.strip("'") for word in line.split()])

    row.runs += 1
    _judge(row, line, child(command, folder / "whole", seconds=60))


def _run(row: Row, experiment: str, word: str, folder: Path) -> None:
    """An accepted line, run in a child; one that would take long is stopped, as by Ctrl-C."""

    def command() -> int:
        job = _changed(experiment, word)
        paths = job.cfg.paths.model_copy(update={"results": str(folder / "results"), "download": False})
        return session.run([job._replace(cfg=job.cfg.model_copy(update={"paths": paths}))])

    row.runs += 1
    ended = child(command, folder, seconds=20)
    if ended.stopped:
        row.note = f"{int(row.note.split()[0]) + 1 if row.note else 1} stopped after 20 s"
    _judge(row, f"{experiment} {word}", ended)


def _judge(row: Row, line: str, ended: Ended) -> None:
    """A child must run, or print one line that begins with ``error:`` and exit 2."""
    errors = [text for text in ended.err.splitlines() if text.startswith("error: ")]
    row.refused += ended.code == 2
    if "Traceback" in ended.err or "Warning" in ended.err:
        row.fail(f"{line}: {ended.err[-300:]}")
    elif ended.code == 2 and (len(errors) != 1 or ended.err.splitlines()[-1] != errors[0]):
        row.fail(f"{line}: {len(errors)} lines of error: {ended.err[-300:]}")
    elif ended.code not in (0, 2) and not ended.stopped:
        row.fail(f"{line}: exit code {ended.code}: {ended.err[-300:]}")
