"""Settings of section 4.5 for MNIST."""

from itertools import product
from typing import Annotated, Self

from pydantic import Field, model_validator

from experiments.competitors import refuse_bad
from experiments.harness.settings import Count, Different, Finite, Settings
from experiments.images.config import ClassificationConfig

Values = Annotated[list[Finite], Field(min_length=1), Different]


class Grid(Settings):
    """Settings tried for ``epochs`` each: every combination of ``values``, by competitor and setting.

    A competitor without values has ``per_axis`` of them, evenly spaced, on each axis of its own space.
    """

    epochs: Count
    values: dict[str, Annotated[dict[str, Values], Field(min_length=1)]]
    per_axis: Count


class Config(ClassificationConfig):
    """Settings of section 4.5 for MNIST."""

    grid: Grid

    @model_validator(mode="after")
    def _the_grid_suits_the_competitors(self) -> Self:
        for name, axes in self.grid.values.items():
            key = f"grid.values.{name}"
            if name not in self.competitors:
                raise ValueError(f"{key}: no such competitor (there are {', '.join(self.competitors)})")
            for setting in axes.keys() & self.competitors[name].fixed.keys():
                fixed = f"competitors.{name}.fixed"
                raise ValueError(f"{key}.{setting}: is in {fixed}; keep one of the two")
        return self

    def check(self, key: str = "") -> None:
        """Check the competitors, with every value of their grids too."""
        super().check(key)
        for name, axes in self.grid.values.items():
            first = {setting: values[0] for setting, values in axes.items()}
            for setting, values in axes.items():
                for value in values:
                    where = f"grid.values.{name}.{setting}"
                    refuse_bad(where, self.competitors[name], {**first, setting: value})

    def axes(self, name: str) -> dict[str, list[float]]:
        """The grid of a competitor: values by setting."""
        if name in self.grid.values:
            return self.grid.values[name]
        return {
            setting: axis.spaced(self.grid.per_axis) for setting, axis in self.competitors[name].space.items()
        }

    def searched(self, name: str) -> list[str]:
        """The settings in the grid of a competitor."""
        return list(self.axes(name))

    def cells(self, name: str) -> list[dict[str, float]]:
        """All settings in the grid of a competitor; none where nothing is searched."""
        axes = self.axes(name)
        if not axes:
            return []
        return [dict(zip(axes, map(float, point), strict=True)) for point in product(*axes.values())]
