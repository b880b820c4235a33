"""A made-up log of shown advertisements with the columns of Avazu's, from a known truth."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from distillery.data.log.generated import GeneratedLog
from distillery.data.log.reader import LogReader
from distillery.data.log.spec import LogSpec
from distillery.data.sources.avazu import avazu_reader


class CtrLogSpec(LogSpec):
    """A generated log: was the advertisement clicked? No real log of advertisements comes with Distillery.

    Attributes:
        rows: how many there are; more rows have more sites, advertisements and devices.
        seed: decides the log, apart from the run's seed.
    """

    kind: Literal["ctr_log"] = "ctr_log"
    rows: PositiveInt = 200_000
    seed: NonNegativeInt = 0

    def reader(self) -> LogReader:
        return avazu_reader(GeneratedLog(self.rows, self.seed, chunk_rows=self.chunk_rows), rows=None)
