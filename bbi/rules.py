"""Ensemble rules by an optimizer's settings."""

import math
from typing import Any

from bbi.laws import BornInfeld, Power, Separable
from bbi.step import ECD, GDM

TECHNICAL = ("fused", "foreach", "seed")


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k not in TECHNICAL}


_CACHE: dict[str, Any] = {}


def ecd(law: Any, **settings: Any) -> tuple[Any, dict[str, Any]]:
    s = _plain(settings)
    variant, eps1, nu = s.pop("variant", "paper"), s.pop("eps1", 1e-10), s.pop("nu", 0.0)
    free = (s.get("n_bounces"), s.get("t1")) == (0, math.inf) and not nu
    key = repr((law, variant, eps1, nu, free))
    if key not in _CACHE:
        _CACHE[key] = ECD(law, reading=variant, eps1=eps1, nu=nu, bounces=not free)
    return _CACHE[key], s


def bbi(**settings: Any) -> tuple[Any, dict[str, Any]]:
    return ecd(BornInfeld(), **settings)


def ecdsep(eta: float = 1.0, nu: float = 1e-5, s: float = 1.0, f0: Any = 0.0, **settings: Any) -> tuple[Any, dict[str, Any]]:
    return ecd(Power(Separable(s), eta), nu=nu, eps1=0.0, delta_v=f0, **settings)


_GDM = GDM()


def gdm(**settings: Any) -> tuple[Any, dict[str, Any]]:
    return _GDM, _plain(settings)
