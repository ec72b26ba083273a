"""Sections 2 and 3.3 and appendix A: what the equations of motion say by themselves, without any tuning."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.harness.settings import Base
from experiments.harness.store import Lab, Unit
from experiments.images import sources as images
from experiments.landscapes import volumes as phase_space
from experiments.theory import conservation as conserved
from experiments.theory import diffusion as wandering
from experiments.theory import stopping as valleys
from experiments.theory.estimates import claims
from experiments.theory.figures import figures

__all__ = ["Config", "claims", "figures", "run"]


@dataclass(kw_only=True)
class Config(Base):
    """What is checked, and how long."""

    energy: conserved.Energy
    family: conserved.Family
    stall: valleys.Stall
    shallow: valleys.Shallow
    overshoot: valleys.Overshoot
    tuned: valleys.Tuned
    volumes: phase_space.Volumes
    diffusion: wandering.Diffusion


def run(cfg: Config, lab: Lab) -> None:
    """All checks, as units of work that any process may take."""
    lab.units(list(_units(cfg, lab)), "checks")


def _units(cfg: Config, lab: Lab) -> Iterator[Unit]:
    yield from conserved.energy(cfg.energy, lab)
    yield from conserved.family(cfg.family, lab)
    yield from valleys.stall(cfg.stall, lab)
    yield from valleys.shallow(cfg.shallow)
    yield from valleys.overshoot(cfg.overshoot, lab)
    yield from valleys.tuned(cfg.tuned, lab)
    yield from phase_space.volumes(cfg.volumes)
    yield from wandering.diffusion(cfg.diffusion, lab, images.load_for(lab, "mnist"))
