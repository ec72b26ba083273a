"""The command line: ``python -m experiments experiment=NAME profile=NAME key=value …``."""

import importlib
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from experiments.harness.errors import PartDone, UserError, did_you_mean, strict
from experiments.harness.settings import CONF, dotted, explain, load, unknown_key

HELP = """\
Run an experiment of the paper and write its tables and figures to <paths.results>/<profile>/<experiment>.

  python -m experiments experiment=NAME [profile=NAME] [key=value ...]

A run that was interrupted goes on where it stopped; a finished one is not repeated.

Experiments:
{experiments}

Profiles (how large the budgets are):
{profiles}

Examples:
  python -m experiments experiment={first} profile=smoke
  python -m experiments experiment={first} profile=quick seed=1 paths.results=elsewhere
  python -m experiments -m experiment={both} profile=smoke

Options:
  --cfg job        print the settings and stop (with --resolve: as numbers)
  -m, --multirun   run every combination of comma-separated values; runs of one experiment and profile share
                   a folder: give each its own, as in  -m seed=0,1 'paths.results=results-${{seed}}'
  --hydra-help     all options of Hydra, which reads the settings
"""


def main(argv: Sequence[str] | None = None, conf_dir: Path = CONF, package: str = "experiments") -> int:
    """Do what the command line asks for.

    Args:
        argv: Arguments; those of the process by default.
        conf_dir: Folder of the configuration.
        package: Package of the experiments' modules.

    Returns:
        The exit code: 0, 1 for a bug, 2 for a mistake of the user, 130 when interrupted, 141 when
        nobody reads the output any more.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments, conf_dir, package)
        sys.stdout.flush()
        return code
    except UserError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes the standard streams once more at exit, which must not fail again.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 141


def _run(arguments: list[str], conf_dir: Path, package: str) -> int:
    """Let Hydra compose each job and run it; the exit code is that of the worst job."""
    if {"-h", "--help"} & set(arguments):
        print(_help(conf_dir), end="")
        return 0
    arguments.sort(key=lambda word: word not in ("-m", "--multirun"))  # argparse wants it before the settings
    _check_options(arguments)
    codes = [0]
    broken: list[BrokenPipeError] = []

    def job(cfg: DictConfig) -> None:
        # Hydra prints its own text around an exception, and ends a sweep at the first: none may get there.
        try:
            _execute(cfg, conf_dir, package)
        except UserError as error:
            codes.append(_complain(error))
        except BrokenPipeError as error:
            broken.append(error)
        except Exception:
            traceback.print_exc()
            codes.append(1)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
    original, sys.argv = sys.argv, ["experiments", *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir), config_name="config")(job)()
    except BrokenPipeError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_one_line(error, arguments, conf_dir)) from error
    except yaml.YAMLError as error:
        raise UserError(f"a file in {conf_dir} is no YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise UserError(f"{error}; choose paths.results=FOLDER") from error
    finally:
        sys.argv = original
    if broken:
        raise broken[0]
    return max(codes)


def _execute(cfg: DictConfig, conf_dir: Path, package: str) -> None:
    """Run one experiment unless its results are there, and draw its figures from the tables."""
    _check_budgets(cfg, conf_dir)
    module = importlib.import_module(f"{package}.{cfg.experiment}")
    settings = load(cfg, module.Config)
    # Not before the settings are known to be right: these take a second to import.
    from experiments.harness import plotting as figures
    from experiments.harness import workers
    from experiments.harness.store import Lab, read_tables

    command = "python -m experiments " + shlex.join(HydraConfig.get().overrides.task)
    with Lab(settings, command) as lab:
        if lab.finished():
            _say(f"{settings.experiment}: finished before with these settings; nothing to compute")
        else:
            try:
                with workers.started(settings.workers, module.__name__, settings):
                    workers.compute(module, lab)
            except PartDone as done:
                _say(f"{settings.experiment}: {done}")
                return
            lab.finish()
    with figures.style():
        drawn = module.figures(read_tables(lab.folder), settings)
    try:
        figures.save(drawn, lab.folder / "figures")
    except OSError as error:
        raise UserError(f"cannot write to {lab.folder}: {error}; choose paths.results=FOLDER") from error
    _say(f"{settings.experiment}: tables and figures are in {lab.folder}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _complain(error: UserError) -> int:
    _say(f"error: {error}")
    return 2


def _help(conf_dir: Path) -> str:
    experiments, profiles = _entries(conf_dir, "experiment"), _entries(conf_dir, "profile")
    names = [*experiments, "NAME"]
    return HELP.format(
        experiments="\n".join(
            f"  {name:<12} section {entry.get('section', '?')}: {entry.get('title', '')}"
            for name, entry in experiments.items()
        ),
        profiles="\n".join(f"  {name:<12} {entry.get('about', '')}" for name, entry in profiles.items()),
        first=names[0],
        both=",".join(names[:2]),
    )


def _entries(conf_dir: Path, group: str) -> dict[str, dict[str, Any]]:
    """What the files of a group of the configuration say, by name."""
    return {file.stem: yaml.safe_load(file.read_text()) for file in sorted((conf_dir / group).glob("*.yaml"))}


def _check_options(arguments: list[str]) -> None:
    """Refuse what Hydra's own parser would refuse, in one line."""
    strict(get_args_parser()).parse_args(arguments)


def _check_budgets(cfg: DictConfig, conf_dir: Path) -> None:
    """Refuse a budget in the profile that no experiment asks for, such as a misspelt one."""
    text = "".join(file.read_text() for file in (conf_dir / "experiment").glob("*.yaml"))
    known = {"profile", "profile.name", "profile.about"}
    for name in re.findall(r"oc\.select:\s*(profile\.[\w.]+)", text):
        parts = name.split(".")
        known |= {".".join(parts[: length + 1]) for length in range(len(parts))}
    for key in dotted(cfg.profile, "profile"):
        if key not in known:
            raise UserError(unknown_key(key, sorted(known)))


def _one_line(error: Exception, arguments: list[str], conf_dir: Path) -> str:
    """One line for an error of Hydra or OmegaConf."""
    text = " ".join(str(error).split("full_key:")[0].split()) or type(error).__name__
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not a setting of the form key=value"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name}: no such {group}{did_you_mean(name, error.options or ())}"
    if "You must specify 'experiment'" in text:
        return (
            f"no experiment given; add experiment=NAME, one of {', '.join(_entries(conf_dir, 'experiment'))}"
        )
    if match := re.match(r"Could not (?:override|delete from config\.) .*?'([^']+)'", text):
        return unknown_key(match[1], _known_keys(arguments, conf_dir))
    if isinstance(error.__cause__, OmegaConfBaseException):
        return explain(error.__cause__)
    return explain(error) if isinstance(error, OmegaConfBaseException) else text


def _known_keys(arguments: list[str], conf_dir: Path) -> list[str]:
    """Dotted keys of the configuration that the experiment and profile of a command line stand for."""
    GlobalHydra.instance().clear()
    groups = [word.split(",")[0] for word in arguments if re.match(r"(experiment|profile)=", word)]
    with hydra.initialize_config_dir(str(conf_dir), version_base="1.3"):
        return dotted(hydra.compose("config", groups))


if __name__ == "__main__":
    sys.exit(main())
