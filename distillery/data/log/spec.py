"""What every log source can be told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from distillery.data.log.reader import LogReader
from distillery.data.log.reading import CHUNK_ROWS
from distillery.data.splits import SplitSpec
from distillery.data.table import Table
from distillery.spec import Spec


class LogSpec(Spec, ABC):
    """A log too long for memory.

    Attributes:
        kind: names it.
        rows: at most the first so many rows; null for all.
        split: shares of training, validation and test, by time where the log has one.
        chunk_rows: rows read at a time.
        min_count: categories of fewer training rows are rare.
        buckets: so many vectors per column are shared, by hashing, among rare and unseen categories;
            with 0 they are all read as one, as unseen.
        most_categories: at most so many categories per column, the most frequent; the others are rare.
        keep_negatives: share of the negative training rows kept, in (0, 1]; probabilities are corrected for it.
            Null keeps all.
        sample: at most so many rows per split are held in memory, by what needs rows rather than chunks.
    """

    kind: str
    rows: PositiveInt | None = None
    split: SplitSpec = Field(default_factory=lambda: SplitSpec(train=0.8, valid=0.1, test=0.1))
    chunk_rows: PositiveInt = CHUNK_ROWS
    min_count: PositiveInt = 10
    buckets: NonNegativeInt = 0
    most_categories: PositiveInt = 100_000
    keep_negatives: Annotated[float, Field(gt=0, le=1)] | None = None
    sample: PositiveInt = 200_000

    @property
    def default_scenario(self) -> str:
        return self.kind

    @abstractmethod
    def reader(self) -> LogReader:
        """Return what reads the log in chunks.

        Raises:
            DataError: the log is absent or has not the columns it must have.
        """

    def load(self, seed: int) -> Table:
        """Read the log in chunks and keep it as a table on disk.

        Raises:
            DataError: the log is absent, unreadable, or not such a log.
        """
        from distillery.data.log.ingest import load_log  # noqa: PLC0415  it knows this class

        table: Table = load_log(self, seed)
        return table


class LogFileSpec(LogSpec, ABC):
    """A log in a file or folder.

    Attributes:
        path: the file, or a folder of Parquet files; relative paths start at the folder the command runs in.
        max_bad_rows: so many rows that cannot be read are left out, beyond them the log is refused: a count,
            or below 1 a share of its rows.
    """

    path: str
    max_bad_rows: Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, lt=1)] = 0.001

    @property
    def default_scenario(self) -> str:
        return Path(self.path).resolve().name.split(".")[0]
