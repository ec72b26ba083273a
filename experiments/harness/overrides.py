"""The words of a command line: what is refused before Hydra composes them, and one line for its errors."""

import re
import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.harness.errors import UserError, did_you_mean, unknown_key
from experiments.harness.settings import CONF, compose, dotted

NONE_GIVEN = "no experiment given; add experiment=NAME, one of "
_RAW = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)
"""What Hydra and OmegaConf raise on settings that they did not expect, such as a key below a list."""


@contextmanager
def one_line(arguments: Sequence[str], conf_dir: Path = CONF) -> Iterator[None]:
    """A context in which errors of Hydra, OmegaConf and YAML become user errors."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_one_line(error, arguments, conf_dir)) from error
    except yaml.YAMLError as error:
        raise UserError(f"a file in {conf_dir} is no YAML: {error}") from error
    except OSError as error:
        raise UserError(f"{error}; choose paths.results=FOLDER") from error
    except _RAW as error:
        raise UserError(f"{shlex.join(arguments)}: {error}") from error


def _one_line(error: Exception, arguments: Sequence[str], conf_dir: Path) -> str:
    text = " ".join(str(error).split("full_key:")[0].split()) or type(error).__name__
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not a setting of the form key=value"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name}: no such {group}{did_you_mean(name, error.options or ())}"
    if "You must specify 'experiment'" in text:
        return NONE_GIVEN + ", ".join(entries(conf_dir, "experiment"))
    if match := re.match(r"Could not override '(\w+@[^']+)'", text):
        return f"{match[1]}: there is none to replace; to add it write +{match[1]}=NAME"
    if match := re.match(r"Could not (?:override|delete from config\.) .*?'([^']+)'", text):
        return unknown_key(match[1], _known_keys(arguments, conf_dir))
    return text


def _known_keys(arguments: Sequence[str], conf_dir: Path) -> list[str]:
    """Dotted keys of the configuration that the groups chosen on a command line stand for."""
    chosen = [word.split(",")[0] for word in arguments if re.match(r"\+?[a-z]+(@[\w.]+)?=[\w]", word)]
    groups = [word for word in chosen if re.split("[@=]", word.lstrip("+"))[0] in _groups(conf_dir)]
    return list(dotted(OmegaConf.to_container(compose(*groups, conf_dir=conf_dir))))


def _groups(conf_dir: Path) -> list[str]:
    return sorted(folder.name for folder in conf_dir.glob("*/"))


def entries(conf_dir: Path, group: str) -> dict[str, Path]:
    """The files of a group of the configuration, by name."""
    return {file.stem: file for file in sorted((conf_dir / group).glob("*.yaml"))}


def refuse_options(given: Namespace) -> None:
    """Refuse options of Hydra's parser that have no meaning here.

    Raises:
        UserError: One of them was given.
    """
    for name in ("config_path", "config_name", "shell_completion", "experimental_rerun"):
        if getattr(given, name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option}: not offered; settings are key=value, more files --config-dir FOLDER")
    for name in ("resolve", "package"):
        if getattr(given, name) and not given.cfg:
            raise UserError(f"--{name}: belongs to --cfg job, which prints the settings")


def refuse_words(words: Sequence[str], conf_dir: Path) -> None:
    """Refuse settings that Hydra would take for something else, or fail at.

    Raises:
        UserError: A group has no name of a file, or a sweep has no values.
        HydraException: A word is no setting.
    """
    for word in OverridesParser.create().parse_overrides(list(words)):
        group = word.key_or_group if word.key_or_group in _groups(conf_dir) else ""
        if word.package == "_global_":
            raise UserError(f"{word.input_line}: a profile's budgets belong to it; choose profile=NAME")
        if group and group != "optimizer":
            known = ", ".join(entries(conf_dir, group))
            if word.is_delete():
                raise UserError(f"{word.input_line}: cannot be left out; choose {group}=NAME, one of {known}")
            if not word.is_sweep_override() and not isinstance(word.value(), str):
                raise UserError(f"{word.input_line}: must be a name, one of {known}")
        if word.is_sweep_override() and not group:
            _refuse_sweep(word)


def _refuse_sweep(word: Override) -> None:
    """Refuse a sweep without values, which would run nothing and succeed."""
    if isinstance(word.value(), Glob):
        raise UserError(f"{word.input_line}: glob chooses among files of a group; write the values instead")
    if not list(word.sweep_string_iterator()):
        raise UserError(f"{word.input_line}: there is no value in it")
