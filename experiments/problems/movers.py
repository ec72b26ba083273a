"""Who moves where nothing is searched: an optimizer with all its settings."""

from dataclasses import dataclass

from bbi.laws import BornInfeld
from bbi.simulate import Rule
from bbi.step import ECD, GDM
from experiments.harness.config import one_of, positive
from experiments.harness.contenders import check_complete, check_known, check_parameter
from experiments.harness.errors import UserError
from experiments.problems.conserved import NO_BOUNCES


@dataclass
class Mover:
    """An optimizer with all its settings; of BBI's, those not given are without bounces.

    Attributes:
        optimizer: ``bbi``, ``gdm`` or ``sgd``.
        label: How figures and report name it.
        settings: By name.
    """

    optimizer: str
    label: str
    settings: dict[str, float]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown optimizer, or settings that do not suit it."""
        one_of(f"{name}.optimizer", self.optimizer, ("bbi", "gdm", "sgd"))
        for key, value in self.settings.items():
            check_known(f"{name}.settings", self.optimizer, key)
            check_parameter(f"{name}.settings.{key}", key, value)
        check_complete(name, self.optimizer, self.settings, f"{name}.settings")

    def rule(self) -> tuple[Rule, dict[str, float]]:
        """The rule for :func:`simulate` and its settings."""
        if self.optimizer == "bbi":
            return ECD(BornInfeld(), bounces=False), {**self.settings, **NO_BOUNCES}
        return GDM(), dict(self.settings)


def check_movers(name: str, movers: dict[str, Mover], needed: tuple[str, ...]) -> None:
    """Raise :class:`UserError` unless each optimizer of ``needed`` has a mover, as they are compared."""
    for optimizer in needed:
        if optimizer not in {mover.optimizer for mover in movers.values()}:
            raise UserError(f"{name}.movers: one must have the optimizer {optimizer}: they are compared")


def check_fit(name: str, values: list[float]) -> None:
    """Raise :class:`UserError` unless there are three different values above 0: an exponent is fitted."""
    for value in values:
        positive(name, value)
    if len(set(values)) < 3:
        raise UserError(f"{name}={values}: must be three values or more, as an exponent is fitted")
