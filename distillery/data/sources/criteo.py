"""The log of Criteo's display advertising challenge, as published: 40 fields a line, tabs between, no header.

Layout: "Display Advertising Challenge" (Criteo, 2014), file ``train.txt``; it is not shipped with Distillery.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from distillery.data.build import Roles
from distillery.data.log.reader import LogReader, Made
from distillery.data.log.reading import TextLog
from distillery.data.log.spec import LogFileSpec
from distillery.data.log.values import numbers_or_missing, whole_numbers
from distillery.data.schema import ColumnKind
from distillery.errors import DataError

NUMBERS = tuple(f"I{i}" for i in range(1, 14))
HASHES = tuple(f"C{i}" for i in range(1, 27))
LAYOUT = ("label", *NUMBERS, *HASHES)


class CriteoSpec(LogFileSpec):
    """Criteo's log: was the advertisement clicked? Lines are in the order of time, so the last ones are the test split.

    Tab-separated text, gzipped or not. ``label`` is the target, ``I1`` to ``I13`` are whole numbers and ``C1``
    to ``C26`` hashes, all of which may be missing. A line whose label or number cannot be read is a bad one.
    """

    kind: Literal["criteo"] = "criteo"

    def reader(self) -> LogReader:
        file = TextLog(
            Path(self.path),
            separator="\t",
            layout=LAYOUT,
            types={},
            chunk_rows=self.chunk_rows,
            max_bad_rows=self.max_bad_rows,
        )
        names = file.schema.names
        if set(names) != set(LAYOUT):
            raise DataError(f"{self.path}: a log of kind criteo must have the columns label, I1 to I13 and C1 to C26")
        kinds: dict[str, ColumnKind] = dict.fromkeys(NUMBERS, "numeric")
        kinds |= dict.fromkeys(HASHES, "categorical")
        roles = Roles(target="label", positive=1)
        made = {"label": Made("label", _label)}
        return LogReader(file, roles, kinds, made, _good, ("label", *NUMBERS), self.rows, ordered=True)


def _good(chunk: pa.Table) -> pa.Array:
    good = np.isin(whole_numbers(chunk["label"]), (0, 1))
    for name in NUMBERS:
        good &= numbers_or_missing(chunk[name])
    return pa.array(good)


def _label(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(whole_numbers(labels).astype(np.int8))])
