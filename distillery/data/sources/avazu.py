"""The log of Avazu's click-through rate competition, as published: one advertisement shown a line.

Layout: "Click-Through Rate Prediction" (Avazu, 2014), file ``train``; it is not shipped with Distillery.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from distillery.data.build import Roles
from distillery.data.log.generated import COLUMNS
from distillery.data.log.reader import LogReader, Made
from distillery.data.log.reading import LogFile, ParquetLog, TextLog
from distillery.data.log.spec import LogFileSpec
from distillery.data.log.values import whole_numbers
from distillery.data.schema import ColumnKind
from distillery.errors import DataError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class AvazuSpec(LogFileSpec):
    """Avazu's log: was the advertisement clicked? The latest rows are the test split.

    ``.csv`` or ``.csv.gz``, with its header or without one, or the same columns as Parquet. Every column is
    categorical; ``id`` is left out, and ``hour`` (YYMMDDHH) becomes ``weekday``, ``hour`` (0 to 23) and ``time``.
    """

    kind: Literal["avazu"] = "avazu"

    def reader(self) -> LogReader:
        return avazu_reader(self._file(), rows=self.rows)

    def _file(self) -> LogFile:
        path = Path(self.path)
        if path.is_dir() or path.suffix in {".parquet", ".pq"}:
            return ParquetLog(path, chunk_rows=self.chunk_rows, max_bad_rows=self.max_bad_rows)
        return TextLog(
            path, separator=",", layout=COLUMNS, types={}, chunk_rows=self.chunk_rows, max_bad_rows=self.max_bad_rows
        )


def avazu_reader(file: LogFile, *, rows: int | None) -> LogReader:
    """Return what reads a log of Avazu's columns.

    Raises:
        DataError: ``click`` or ``hour`` is missing.
    """
    names = file.schema.names
    absent = [name for name in ("click", "hour") if name not in names]
    if absent:
        raise DataError(f"a log of kind avazu must have the columns click and hour, got no {' and no '.join(absent)}")
    features = ["weekday", "hour", *(name for name in names if name not in {"id", "click", "hour"})]
    kinds: dict[str, ColumnKind] = dict.fromkeys(features, "categorical")
    made = {
        "weekday": Made("hour", _weekday),
        "hour": Made("hour", _hour),
        "time": Made("hour", _time),
        "click": Made("click", _click),
    }
    roles = Roles(target="click", positive=1, time="time")
    return LogReader(file, roles, kinds, made, _good, ("click", "hour"), rows)


def _good(chunk: pa.Table) -> pa.Array:
    click, stamp = whole_numbers(chunk["click"]), whole_numbers(chunk["hour"])
    return pa.array(np.isin(click, (0, 1)) & _dates(stamp).notna().to_numpy())


def _dates(stamps: np.ndarray) -> pd.Series:
    """Return the points in time of stamps such as 14102100, missing for what is none."""
    codes, different = pd.factorize(stamps)
    texts = pd.Series(different).astype(str).str.zfill(8)
    return pd.to_datetime(texts, format="%y%m%d%H", errors="coerce").take(codes).reset_index(drop=True)


def _weekday(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    days = _dates(whole_numbers(stamps)).dt.dayofweek.to_numpy(np.int32)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(days), pa.array(DAYS))])


def _hour(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(whole_numbers(stamps) % 100)])


def _time(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(whole_numbers(stamps))])


def _click(clicks: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(whole_numbers(clicks).astype(np.int8))])
