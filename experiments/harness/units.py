"""Units of work: calls of module-level functions with plain arguments, which return tables.

A unit is known by its key, the name of the function and all its arguments as JSON. The key is all that is
needed to compute it, in this process, in another one or on another machine.
"""

import contextlib
import contextvars
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pydantic
import pydantic_core

from experiments.harness import provenance, tables, usercode
from experiments.harness.errors import UserError
from experiments.harness.tables import Tables


@dataclass(frozen=True)
class Unit:
    """A call that can be stored and sent: the function's name and its arguments, as JSON."""

    key: str

    @property
    def digest(self) -> str:
        """SHA-256 of the key."""
        return hashlib.sha256(self.key.encode()).hexdigest()


def unit(function: Callable[..., Tables], **arguments: Any) -> Unit:
    """The call ``function(**arguments)`` as a unit of work.

    Args:
        function: Of a module, so that its name is enough to find it again. It returns tables by name:
            ``trials``, ``runs``, ``curves``, with columns int64, float64, bool or str.
        arguments: Numbers, text, lists, dictionaries and pydantic models of these. Everything on which the
            result depends is among them, seeds included. The code of a user's own classes among them is
            part of the key.
    """
    plain = pydantic_core.to_jsonable_python(arguments, by_alias=True, inf_nan_mode="constants")
    call = {"function": f"{function.__module__}:{function.__qualname__}", "arguments": plain}
    code = usercode.digests(plain)
    return Unit(json.dumps(call | {"code": code} if code else call))


@dataclass(frozen=True)
class Surroundings:
    """What a unit finds where it is computed; its result does not depend on it.

    Attributes:
        data: Folder of the data sets, or None.
        download: Whether data sets may be fetched from the network.
        checkpoint: File for the state of a long unit, or None where no state is saved.
    """

    data: str | None = None
    download: bool = True
    checkpoint: Path | None = None


_surroundings: contextvars.ContextVar[Surroundings] = contextvars.ContextVar("surroundings")


def surroundings() -> Surroundings:
    """The surroundings of the unit that is being computed."""
    return _surroundings.get(Surroundings())


@contextlib.contextmanager
def within(found: Surroundings) -> Iterator[None]:
    """Compute with these surroundings."""
    token = _surroundings.set(found)
    try:
        yield
    finally:
        _surroundings.reset(token)


class Done(NamedTuple):
    """The result of a unit.

    Attributes:
        tables: By name.
        seconds: How long it took.
        made: What computed it, :func:`experiments.harness.provenance.maker` as JSON.
    """

    tables: Tables
    seconds: float
    made: str


def perform(key: str, found: Surroundings) -> Done:
    """Compute the unit with this key, with one thread: cores are used by processes.

    Results therefore do not depend on the number of cores.

    Args:
        key: Of :class:`Unit`.
        found: The surroundings; the checkpoint is that of this unit.

    Raises:
        UserError: A user's own class has other code here than where the key was made.
    """
    call = json.loads(key)
    expected, code = call.get("code", {}), usercode.digests(call["arguments"])
    if code != expected:
        names = ", ".join(sorted(code.keys() | expected.keys()))
        raise UserError(f"{names}: its module is not that of the main process; give both the same, run again")
    module, _, name = call["function"].partition(":")
    # Validation makes the annotated types, such as pydantic models, of the plain arguments again.
    function = pydantic.validate_call(getattr(importlib.import_module(module), name))
    if torch := sys.modules.get("torch"):  # which the function's module has imported if it is needed
        torch.set_num_threads(1)
    start = time.perf_counter()
    with within(found):
        result = {name: tables.plain(frame) for name, frame in function(**call["arguments"]).items()}
    if strange := result.keys() - tables.FILES.keys():
        raise ValueError(f"tables are called {', '.join(tables.FILES)}, not {', '.join(strange)}")
    seconds = time.perf_counter() - start
    return Done(result, seconds, json.dumps(provenance.maker(), sort_keys=True))


def derived_seed(seed: int, *labels: object) -> int:
    """A seed below 2⁶³ that follows from the configuration's ``seed`` and ``labels``.

    Competitors that should meet the same points use the same labels.
    """
    text = json.dumps([seed, *map(str, labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
