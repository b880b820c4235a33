"""What a cached step's answer depends on beside its inputs: our own code and the pinned packages."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "numpy",
    "optuna",
    "pandas",
    "torch",
    "xgboost",
    "lightgbm",
    "catboost",
    "scikit-learn",
    "great-expectations",
    "evidently",
    "zenml",
    "mlflow",
)
GROUND = (
    "distillery/errors.py",
    "distillery/kinds.py",
    "distillery/progress.py",
    "distillery/spec.py",
    "distillery/trees.py",
    "distillery/data",
    "materializers",
    "constraints.txt",
)


def code_policy(*rooms: str) -> CachePolicy:
    """Cache until an input, a parameter, or a file of ``data`` or of these rooms of `distillery` changes."""
    places = [ROOT / place for place in (*GROUND, *(f"distillery/{room}" for room in rooms))]
    files = [file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    return CachePolicy(
        file_dependencies=[str(file.relative_to(ROOT)) for file in files],
        cache_func=installed_versions,
    )


def installed_versions() -> str:
    """Return the versions that decide the numbers, whatever was pinned."""
    return " ".join([sys.version, *(f"{name} {version(name)}" for name in PACKAGES)])
