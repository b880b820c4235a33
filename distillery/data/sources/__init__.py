"""Where tables come from; a new source is a new file here and a word in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distillery.data.sources.avazu import AvazuSpec as AvazuSpec
from distillery.data.sources.criteo import CriteoSpec as CriteoSpec
from distillery.data.sources.ctr_log import CtrLogSpec as CtrLogSpec
from distillery.data.sources.diamonds import DiamondsSpec as DiamondsSpec
from distillery.data.sources.digits import DigitsSpec as DigitsSpec
from distillery.data.sources.file import FileSpec as FileSpec
from distillery.data.sources.flights import FlightsSpec as FlightsSpec
from distillery.data.sources.flights_funnel import FlightsFunnelSpec as FlightsFunnelSpec
from distillery.data.sources.mnist import MNISTSpec as MNISTSpec
from distillery.data.sources.movielens import MovieLensSpec as MovieLensSpec
from distillery.data.sources.parquet_log import ParquetLogSpec as ParquetLogSpec
from distillery.data.sources.reviews import ReviewsSpec as ReviewsSpec

_LogSpec = AvazuSpec | CriteoSpec | ParquetLogSpec | CtrLogSpec
SourceSpec = Annotated[
    FlightsSpec
    | FileSpec
    | DigitsSpec
    | MNISTSpec
    | DiamondsSpec
    | FlightsFunnelSpec
    | MovieLensSpec
    | ReviewsSpec
    | AvazuSpec
    | CriteoSpec
    | ParquetLogSpec
    | CtrLogSpec,
    Field(discriminator="kind"),
]

__all__ = [
    "AvazuSpec",
    "CriteoSpec",
    "CtrLogSpec",
    "DiamondsSpec",
    "DigitsSpec",
    "FileSpec",
    "FlightsFunnelSpec",
    "FlightsSpec",
    "MNISTSpec",
    "MovieLensSpec",
    "ParquetLogSpec",
    "ReviewsSpec",
    "SourceSpec",
]
