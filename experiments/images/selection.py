"""From trials to evolutions: which settings each protocol chooses, and the long runs with them."""

from collections.abc import Mapping

import pandas as pd

from experiments.competitors import PARAMETERS, Contender
from experiments.harness.search import best
from experiments.harness.store import Tables
from experiments.images.config import ClassificationConfig
from experiments.images.study import Study, setting


def evolve(study: Study, cfg: ClassificationConfig, trials: pd.DataFrame) -> None:
    """Evolve the best settings of every contender under every protocol, and check what BBI conserves.

    Where two protocols choose the same settings, they share the runs. A contender whose trials all failed is
    left out. The choices are rows of ``runs`` too (stage ``selected``).

    Args:
        study: The trainings.
        cfg: The contenders, the protocols and how long an evolution is.
        trials: The table of all trials.
    """
    contenders, protocols = cfg.contenders, cfg.protocols
    chosen: dict[tuple[str, str], dict[str, float]] = {}
    for protocol in protocols.values():
        for name, contender in contenders.items():
            mine = trials[(trials["contender"] == name) & (trials["protocol"] == protocol.label)]
            if (found := best(mine, _searched(contender, mine))) is not None:
                chosen[protocol.label, name] = {**contender.fixed, **found}
    key = {"selected": [[*who, settings] for who, settings in chosen.items()], **study.key}
    study.lab.unit(key, lambda: _rows(chosen, contenders, study))
    runs = {protocol.label: protocol.runs for protocol in protocols.values()}
    # Run by run, so that at any moment all contenders have been run about equally often.
    order = [(run, who) for run in range(max(runs.values())) for who in chosen if run < runs[who[0]]]
    units = [
        study.evolution(name, contenders[name], chosen[protocol, name], run, cfg.epochs)
        for run, (protocol, name) in order
    ]
    first = {name: settings for (_, name), settings in reversed(chosen.items())}  # of the first protocol
    units += [
        study.conservation(name, contenders[name], settings, cfg.checked_steps)
        for name, settings in first.items()
        if contenders[name].optimizer == "bbi"
    ]
    study.lab.units(units, "evolutions")


def _searched(contender: Contender, trials: pd.DataFrame) -> list[str]:
    """The parameters of a contender that its trials tell apart."""
    searched = [key for key in PARAMETERS[contender.optimizer] if key not in contender.fixed]
    return [key for key in searched if key in trials and trials[key].notna().all()]


def _rows(
    chosen: Mapping[tuple[str, str], Mapping[str, float]],
    contenders: Mapping[str, Contender],
    study: Study,
) -> Tables:
    """What was trained on (stage ``data``, there even if nothing could be chosen), and what was chosen."""
    images = study.images
    data = {"data": images.name, "comparable": images.comparable, "train_images": study.train_images}
    rows = [{"stage": "data", **data, "protocol": "", "contender": "", "setting": ""}]
    for (protocol, name), settings in chosen.items():
        who = {"stage": "selected", "protocol": protocol, "contender": name, "setting": setting(settings)}
        searched = {key: value for key, value in settings.items() if key not in contenders[name].fixed}
        rows.append({**who, **data, **searched})
    return {"runs": pd.DataFrame(rows)}
