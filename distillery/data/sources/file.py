"""One's own table: CSV, gzipped CSV, Parquet, or a folder of Parquet files."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import Field, PositiveInt, model_validator

from distillery.data.build import Roles, build_table
from distillery.data.schema import ColumnKind, Label
from distillery.data.splits import SplitSpec
from distillery.data.table import Table
from distillery.data.targets import FEWEST, MOST
from distillery.errors import DataError, shortlist
from distillery.spec import Spec

UNREADABLE = (
    UnicodeDecodeError,
    pd.errors.ParserError,
    pd.errors.EmptyDataError,
    csv.Error,
    zlib.error,
    OSError,
    EOFError,
)


class FileSpec(Spec):
    """A table in a file or folder.

    Attributes:
        path: ``.csv``, ``.csv.gz``, ``.parquet`` or a folder of Parquet files; relative paths
            start at the folder the command runs in.
        target: the column to predict.
        targets: instead of it, two to four columns to be predicted together, each of two values: numbers, of which the
            larger stands for 1, booleans, or the texts no and yes, n and y, false and true, f and t (in any case).
        funnel: with ``targets``, whether each can be 1 only where the one before is, as a conversion after a click.
        positive: with two classes, the one whose probability counts; by default the last in order.
        drop: columns to leave out.
        group: rows with one value of it stay in one split and one fold.
        time: orders the rows; the latest become the test split.
        weight: row weights.
        query: rows are ranked within one value of it, such as a user: it gives ranking metrics and is no feature.
            Without a group, intervals of all metrics resample the rows of a query together.
        privileged: columns the teacher may use and the student may not.
        numeric, categorical: overrides of the inferred column kinds.
        text: columns that are read word by word; hashed TF-IDF for teachers, a short list of terms for students.
        missing: spellings of a missing value, beside the usual ones (empty, NA, NaN, null).
        separator: the CSV's field separator.
        rows: at most so many rows, sampled.
        split: shares, or a ready split column.
    """

    kind: Literal["file"] = "file"
    path: str
    target: str | None = None
    targets: tuple[str, ...] = ()
    funnel: bool = True
    positive: Label | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    query: str | None = None
    privileged: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    separator: str = Field(",", min_length=1, max_length=1)
    rows: PositiveInt | None = None
    split: SplitSpec = Field(default_factory=SplitSpec)

    @model_validator(mode="after")
    def _target_or_targets(self) -> FileSpec:
        if (self.target is None) == (not self.targets):
            got = f"target={self.target!r} and targets={list(self.targets)}"
            raise ValueError(f"a file must have `target`, or several `targets`, but not both, got {got}")
        if self.targets and not FEWEST <= len(self.targets) <= MOST:
            raise ValueError(f"targets must be {FEWEST} to {MOST} columns, got {len(self.targets)}")
        if self.targets and self.positive is not None:
            raise ValueError(f"positive must be left out with several targets, got {self.positive!r}")
        return self

    @model_validator(mode="after")
    def _one_role_each(self) -> FileSpec:
        query = None if self.query == self.group else self.query  # rows of a user may be ranked and stay together
        named = (self.target, *self.targets, self.group, self.time, self.weight, query, self.split.column)
        single = [c for c in named if c]
        twice = [name for name, n in Counter([*single, *self.drop, *self.privileged]).items() if n > 1]
        twice += sorted(n for n, k in Counter([*self.numeric, *self.categorical, *self.text]).items() if k > 1)
        twice += sorted(set(self.text) & {*single, *self.drop})
        if twice:
            raise ValueError(f"a column must have one role, got several for {shortlist(map(repr, twice))}")
        return self

    @property
    def default_scenario(self) -> str:
        return Path(self.path).resolve().name.split(".")[0]

    def load(self, seed: int) -> Table:
        """Read and split the table.

        Raises:
            DataError: the file is absent, empty, unreadable, or not such a table.
        """
        try:
            return build_table(self.read(), self.roles, self.split, seed=seed, rows=self.rows)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error

    @property
    def roles(self) -> Roles:
        """Which column plays which part."""
        return Roles(
            target=self.target or "",
            targets=self.targets,
            funnel=self.funnel,
            positive=self.positive,
            group=self.group,
            time=self.time,
            weight=self.weight,
            query=self.query,
            drop=self.drop,
            privileged=self.privileged,
            kinds=self._kinds(),
        )

    def _kinds(self) -> dict[str, ColumnKind]:
        kinds: dict[str, ColumnKind] = dict.fromkeys(self.numeric, "numeric")
        return kinds | dict.fromkeys(self.categorical, "categorical") | dict.fromkeys(self.text, "text")

    def read(self) -> pd.DataFrame:
        """Return the raw rows.

        Raises:
            DataError: the file is absent, empty, unreadable, or repeats a column name.
        """
        path = Path(self.path)
        if not path.exists():
            raise DataError(f"the file does not exist (looked in {path.absolute().parent}); check source.path")
        if path.is_dir() or path.suffix in {".parquet", ".pq"}:
            return self._blank(_read_parquet(path))
        if path.stat().st_size == 0:
            raise DataError("the file must hold a table, got an empty file")
        return self._read_csv(path)

    def _read_csv(self, path: Path) -> pd.DataFrame:
        try:
            header = _header(path, self.separator)
            _refuse_repeated(header)
            frame = pd.read_csv(
                path,
                sep=self.separator,
                na_values=list(self.missing),
                low_memory=False,
                float_precision="round_trip",  # the same numbers as from Parquet, to the last bit
            )
        except UNREADABLE as e:
            raise DataError(f"the file must be a CSV table (.csv or .csv.gz, UTF-8) or Parquet, got: {e}") from e
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise DataError(f"the file has one column, {header[0]!r}; set source.separator to its field separator")
        if not isinstance(frame.index, pd.RangeIndex):  # pandas takes fields beyond the header for an index
            raise DataError(f"every row must have the header's {len(header)} fields, got rows with more")
        return frame

    def _blank(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Read the spellings in `missing` as missing; then text that is all numbers is numeric again."""
        if not self.missing:
            return frame
        numbers = [float(text) for text in self.missing if _is_number(text)]
        blanks = {c: numbers if pd.api.types.is_numeric_dtype(frame[c].dtype) else self.missing for c in frame.columns}
        return frame.assign(**{c: frame[c].mask(frame[c].isin(blank)) for c, blank in blanks.items() if len(blank)})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _header(path: Path, separator: str) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return next(csv.reader(file, delimiter=separator), [])


def _refuse_repeated(names: list[str]) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(f"column names must differ, got {shortlist(map(repr, repeated))} more than once")


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        for file in [path] if path.is_file() else path.glob("*.parquet"):
            _refuse_repeated(pq.read_schema(file).names)
        dataset = ds.dataset(path, format="parquet", partitioning="hive")
        # A folder's schema is its first file's; later files may hold further columns.
        schemas = [dataset.schema, *(fragment.physical_schema for fragment in dataset.get_fragments())]
        frame: pd.DataFrame = dataset.replace_schema(pa.unify_schemas(schemas)).to_table().to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"the file must be Parquet or a folder of Parquet files, got: {error}") from error
    return frame
