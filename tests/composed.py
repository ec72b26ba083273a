"""The settings of an experiment, as a command line would give them."""

import importlib

import hydra
from hydra.core.global_hydra import GlobalHydra

from experiments.harness.settings import CONF, Base, load


def composed(experiment: str, *overrides: str, profile: str = "paper") -> Base:
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("config", [f"experiment={experiment}", f"profile={profile}", *overrides])
    settings: Base = load(cfg, importlib.import_module(f"experiments.{experiment}").Config)
    return settings
