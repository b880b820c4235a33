"""Where tables come from; a new source is a new file here and a word in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distillery.data.sources.diamonds import DiamondsSpec as DiamondsSpec
from distillery.data.sources.digits import DigitsSpec as DigitsSpec
from distillery.data.sources.file import FileSpec as FileSpec
from distillery.data.sources.flights import FlightsSpec as FlightsSpec
from distillery.data.sources.mnist import MNISTSpec as MNISTSpec
from distillery.data.sources.reviews import ReviewsSpec as ReviewsSpec

SourceSpec = Annotated[
    FlightsSpec | FileSpec | DigitsSpec | MNISTSpec | DiamondsSpec | ReviewsSpec,
    Field(discriminator="kind"),
]

__all__ = ["DiamondsSpec", "DigitsSpec", "FileSpec", "FlightsSpec", "MNISTSpec", "ReviewsSpec", "SourceSpec"]
