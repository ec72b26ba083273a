"""Section 4.4: a nonlinear Poisson equation with two solutions. Which one does a network become?"""

from dataclasses import dataclass

from matplotlib.figure import Figure

from experiments.harness.errors import UserError
from experiments.harness.settings import Base, one_of
from experiments.harness.statistics import Estimate
from experiments.harness.store import Lab, Tables
from experiments.pde import estimates as pde_claims
from experiments.pde import figures as pde_figures
from experiments.pde.outcome import Thresholds
from experiments.pde.units import Engine, Study, Task


@dataclass(kw_only=True)
class Config(Base):
    """Settings of section 4.4.

    Attributes:
        problems: By name.
        train: Names of those that networks are trained on.
        shoot: Names of those whose radial solutions are looked for.
        engine: How networks are trained.
        thresholds: How they are judged.
    """

    problems: dict[str, Task]
    train: list[str]
    shoot: list[str]
    engine: Engine
    thresholds: Thresholds

    def validate(self) -> None:
        """Problems that exist, and can be told apart."""
        super().validate()
        if not self.train and not self.shoot:
            raise UserError("train=[] shoot=[]: nothing to do; name a problem in one of them")
        labels = [self.problems[name].label for name in {*self.train, *self.shoot} & self.problems.keys()]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise UserError(f"problems: two of them are {twice[0]}; train and shoot one at a time")
        for key in ("train", "shoot"):
            for name in getattr(self, key):
                one_of(key, name, tuple(self.problems))
        runs = {name: [c.runs for c in self.problems[name].contenders.values()] for name in self.train}
        for name, each in runs.items():
            if not each:
                raise UserError(f"problems.{name}.contenders={{}}: keep one, or take {name} out of train")
        if not self.shoot and not any(map(sum, runs.values())):
            raise UserError(
                "shoot=[]: nothing to do, as no contender in train has runs; give one a run or more"
            )


def run(cfg: Config, lab: Lab) -> None:
    """Find the radial solutions by shooting; train networks, and say which solution each became."""
    studies = {
        name: Study(lab, task, cfg.engine, cfg.thresholds)
        for name, task in cfg.problems.items()
        if name in (*cfg.shoot, *cfg.train)
    }
    lab.units([studies[name].shooting() for name in cfg.shoot], "shooting")
    lab.units([unit for name in cfg.train for unit in studies[name].trainings()], "training")


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Fig. 7, the proof of the search for the second solution, and the errors against the iteration."""
    return pde_figures.figures(tables, cfg)


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.4."""
    return pde_claims.claims(tables, cfg)
