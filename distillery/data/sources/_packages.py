"""Data that come in an installed package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from distillery.errors import DataError


def package_folder(package: str, *, source: str) -> Path:
    """Return where an installed package lies, without importing it.

    Raises:
        DataError: it is not installed; names the source that needs it.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"source `{source}` needs the package {package}, which is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0])
