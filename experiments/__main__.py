"""The command line: ``python -m experiments experiment=NAME profile=NAME key=value …``."""

import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.harness.errors import JobFailed, UserError, strict
from experiments.harness.overrides import NONE_GIVEN, entries, one_line, refuse_options, refuse_words
from experiments.harness.sections import section_of
from experiments.harness.settings import CONF, Job, compose, load

_BROKEN_PIPE = 141
HELP = """\
Run an experiment of the paper and write its tables and figures to <paths.results>/<profile>/<experiment>.

  python -m experiments experiment=NAME [profile=NAME] [key=value ...]

  python -m experiments claim=ID [key=value ...]

The second form says how long one claim of the paper takes, runs what it needs and prints its verdict; the ids
are in results/report.md. A run that was interrupted goes on where it stopped; a finished one is not repeated.

Experiments:
{experiments}

Profiles (how large the budgets are):
{profiles}

Optimizers, each of which can be added to an experiment, as in the third example:
{optimizers}

Examples:
  python -m experiments experiment={first} profile=smoke
  python -m experiments experiment={first} profile=quick seed=1 paths.results=elsewhere
  python -m experiments experiment={first} +optimizer@competitors.mine={optimizer}
  python -m experiments -m experiment={both} profile=smoke

Options:
  --cfg job        print the settings and stop (with --resolve: as numbers)
  --config-dir DIR look for optimizers, profiles and experiments in DIR too
  -m, --multirun   run every combination of comma-separated values; runs of one experiment and profile share
                   a folder: give each its own, as in  -m seed=0,1 'paths.results=results/seed${{seed}}'
  --hydra-help     all options of Hydra, which reads the settings
"""


def main(argv: Sequence[str] | None = None, conf_dir: Path = CONF, package: str = "experiments") -> int:
    """Do what the command line asks for.

    Args:
        argv: Arguments; those of the process by default.
        conf_dir: Folder of the configuration.
        package: Package of the sections.

    Returns:
        The exit code: 0, 1 for a bug, 2 for a mistake of the user, 130 when interrupted, 141 when
        nobody reads the output any more.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return finish(lambda: _run(arguments, conf_dir, package), "paths.results=FOLDER")


def finish(command: Callable[[], int], folder: str) -> int:
    """Call a command; its exit code, or that of what ended it, after one line about it.

    Args:
        command: Returns its exit code.
        folder: The argument that chooses another folder, for the message when one cannot be written.
    """
    with _interruptible():
        try:
            code = command()
            sys.stdout.flush()
            return code
        except UserError as error:
            return _complain(error)
        except KeyboardInterrupt as signalled:
            print("interrupted; run the same command again to go on", file=sys.stderr)
            return signalled.args[0] if signalled.args else 130
        except BrokenPipeError:
            # Python flushes the standard streams once more at exit, which must not fail again.
            for stream in (sys.stdout, sys.stderr):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return _BROKEN_PIPE
        except OSError as error:
            where = f"cannot write {error.filename}: " if error.filename else ""
            return _complain(f"{where}{error.strerror or type(error).__name__}; choose {folder}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """A context in which SIGTERM and SIGHUP act as Ctrl-C: a scheduler such as SLURM sends TERM first."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    hook, sys.unraisablehook = sys.unraisablehook, _send_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(128 + number)


def _send_again(lost: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came while an object was deleted, where Python drops exceptions."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    number = lost.exc_value.args[0] - 128 if lost.exc_value.args else signal.SIGINT
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()


def _run(arguments: list[str], conf_dir: Path, package: str) -> int:
    """Compose the settings and run the experiment; the exit code.

    Where there are options, Hydra runs the jobs. It composes the settings twice, which takes a second.
    """
    if {"-h", "--help"} & set(arguments):
        print(_help(conf_dir), end="")
        return 0
    if claims := [word.partition("=")[2] for word in arguments if word.startswith("claim=")]:
        return _claim(claims, [word for word in arguments if not word.startswith("claim=")], package)
    arguments.sort(key=lambda word: word not in ("-m", "--multirun"))  # argparse wants it before the settings
    given = strict(get_args_parser()).parse_args(arguments)  # refuses in one line what Hydra would refuse
    refuse_options(given)
    with one_line(arguments, conf_dir):
        refuse_words(given.overrides, conf_dir)
    if not any(word.startswith(("-", "hydra")) for word in arguments):
        with one_line(arguments, conf_dir):
            cfg = compose(*arguments, conf_dir=conf_dir)
        return _experiment(cfg, arguments, conf_dir, package)
    codes = [0]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
    original, sys.argv = sys.argv, ["experiments", *arguments]

    def job(cfg: DictConfig) -> None:
        _job(cfg, conf_dir, package, codes)

    try:
        with one_line(arguments, conf_dir):
            hydra.main(version_base="1.3", config_path=str(conf_dir), config_name="config")(job)()
    except JobFailed as failed:
        return int(failed.args[0])
    finally:
        sys.argv = original
    if _BROKEN_PIPE in codes:
        raise BrokenPipeError
    return max(codes)


def _claim(claims: Sequence[str], given: Sequence[str], package: str) -> int:
    """Say how long one claim takes, run its experiment or use what is finished, and print its verdict."""
    from experiments.harness import session
    from experiments.report import claim

    if len(claims) > 1:
        raise UserError(f"claim={claims[1]}: only one claim at a time; claim={claims[0]} was given, too")
    overrides = claim.plan(claims[0], given)
    with one_line(overrides):
        refuse_words(overrides, CONF)
        job = prepare(compose(*overrides), overrides, package)
    print(claim.expectation(job.cfg, given), flush=True)
    code = 0 if claim.stands(job.cfg, given) else session.run([job])
    if code == 0:
        print(*claim.verdict(claims[0], job.cfg), sep="\n")
    return code


def _job(cfg: DictConfig, conf_dir: Path, package: str, codes: list[int]) -> None:
    """Run one experiment; the exit code is appended to ``codes``.

    Hydra prints its own text around an exception. A job of a multirun raises :class:`JobFailed` all the same,
    since a launcher may run it in another process, where ``codes`` is a copy.
    """
    try:
        code = _experiment(cfg, HydraConfig.get().overrides.task, conf_dir, package)
    except UserError as error:
        code = _complain(error)
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except Exception:
        traceback.print_exc()
        code = 1
    codes.append(code)
    if code and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise JobFailed(code)


def _experiment(cfg: DictConfig, overrides: Sequence[str], conf_dir: Path, package: str) -> int:
    """Run the experiment of a composed configuration; the exit code."""
    name = cfg.get("experiment")
    if not isinstance(name, str):
        given = "" if name is None else f"experiment={name}: "
        raise UserError(given + NONE_GIVEN + ", ".join(entries(conf_dir, "experiment")))
    job = prepare(cfg, overrides, package)
    from experiments.harness import session  # it imports pandas, which takes half a second

    return session.run([job])


def prepare(cfg: DictConfig, overrides: Sequence[str], package: str = "experiments") -> Job:
    """An experiment to run, from a composed configuration and the overrides that it was composed with.

    Raises:
        UserError: A setting is unknown, of the wrong type or out of range.
    """
    section = section_of(cfg, package)
    return Job(load(cfg, section.Config), section, f"python -m experiments {shlex.join(overrides)}")


def _complain(error: UserError | str) -> int:
    """Print a user error in one line; its exit code."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return 2


def _help(conf_dir: Path) -> str:
    experiments = [(name, OmegaConf.load(file)) for name, file in entries(conf_dir, "experiment").items()]
    profiles = {name: file.read_text().splitlines()[1] for name, file in entries(conf_dir, "profile").items()}
    names, optimizers = [name for name, _ in experiments], list(entries(conf_dir, "optimizer"))
    return HELP.format(
        experiments="\n".join(f"  {name:<12} section {e.section}: {e.title}" for name, e in experiments),
        profiles="\n".join(f"  {name:<12} {first.lstrip('# ')}" for name, first in profiles.items()),
        optimizers="  " + ", ".join(optimizers),
        first=names[0],
        both=",".join(names[:2]),
        optimizer=optimizers[0],
    )


if __name__ == "__main__":
    # Under its own name: launchers send functions to other processes by the name of their module.
    from experiments.__main__ import main as command
    from experiments.harness.quiet import quiet

    quiet()
    sys.exit(command())
