"""Distils heavy tabular models into small ones; knows neither ZenML nor MLflow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distillery.library import DistilledClassifier as DistilledClassifier
    from distillery.library import DistilledStudent as DistilledStudent
    from distillery.library import InSampleWarning as InSampleWarning
    from distillery.library import distil as distil
    from distillery.library import load_student as load_student
    from distillery.library import load_teacher as load_teacher
    from distillery.library import save as save

__version__ = "0.1.0"

__all__ = [
    "DistilledClassifier",
    "DistilledStudent",
    "InSampleWarning",
    "distil",
    "load_student",
    "load_teacher",
    "save",
]


def __getattr__(name: str) -> Any:
    """Import the library on first use: the rooms below must not wait for it, nor go in a circle."""
    if name in __all__:
        return getattr(import_module("distillery.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
