"""What the user did wrong, in one line."""

from argparse import ArgumentParser
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake that the user can put right.

    The message names the bad value, what is allowed and what to do next; the command line prints it after
    ``error:`` and exits with code 2. Line breaks, which come from the messages of libraries, become blanks.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class OtherVersion(UserError):
    """The settings of a finished experiment are not those that its section has today."""


class JobFailed(Exception):
    """A job of a multirun failed and has printed why; the exit code is the argument."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """A remark to put behind an error about ``word``.

    Args:
        word: What was given.
        allowed: What could have been given.

    Returns:
        `` (did you mean 'x'?)`` when one of ``allowed`` is near, otherwise `` (allowed: a, b)``.
    """
    options = sorted(set(allowed))
    near = get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f" (allowed: {', '.join(options) or 'nothing'})"


def unknown_key(key: str, keys: list[str]) -> str:
    """One line for a setting ``key`` that is none of ``keys``, with the nearest of them."""
    parent, _, leaf = key.rpartition(".")
    same_leaf = [name for name in keys if name.rpartition(".")[2] == leaf]
    beside = [name for name in keys if name.rpartition(".")[0] == parent]
    near = get_close_matches(key, keys, n=1, cutoff=0.7)
    pool = same_leaf or near or beside or [name for name in keys if "." not in name]
    return f"{key}: no such setting{did_you_mean(key, pool)}"


def strict(parser: ArgumentParser) -> ArgumentParser:
    """The same parser, made to raise :class:`UserError` where it would print its usage and exit."""

    def refuse(message: str) -> None:
        raise UserError(f"{message}; see --help")

    parser.error = refuse  # type: ignore[assignment, method-assign]
    return parser
