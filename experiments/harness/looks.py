"""How competitors look in figures: label, colour and marker, on which no result depends.

So results count as finished when only looks have changed, and figures of old tables are drawn with today's.
"""

from collections.abc import Mapping
from typing import Any

LOOKS = ("label", "color", "marker")
"""In every mapping of the settings that has a colour: competitors, and the laws of the family."""


def without_looks(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain data, without looks."""
    return {
        key: without_looks(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in LOOKS or "color" not in settings
    }


def with_looks(settings: Mapping[str, Any], today: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain data, with the looks of ``today``'s where these have the same competitor."""
    mine = {
        key: with_looks(value, today[key])
        if isinstance(value, Mapping) and isinstance(today.get(key), Mapping)
        else value
        for key, value in settings.items()
    }
    if "color" in settings and settings.get("_target_") == today.get("_target_"):
        mine |= {key: today[key] for key in LOOKS if key in today}
    return mine
