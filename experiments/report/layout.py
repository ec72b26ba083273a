"""`layout.yaml`: which figures stand beside which claim, and which answers the README shows."""

from pathlib import Path
from typing import Any

import yaml

from experiments.harness.settings import Finite, Settings


class Line(Settings):
    """A line of the README's summary: one answer, and its claim in words."""

    claim: str
    variant: str
    words: str
    scale: Finite = 1.0


_CONTENT: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("layout.yaml").read_text(encoding="utf-8"))

FIGURES: dict[str, list[str]] = _CONTENT["figures"]
"""Patterns of names of figures, by claim."""
SUMMARY = [Line.model_validate(line) for line in _CONTENT["summary"]]
