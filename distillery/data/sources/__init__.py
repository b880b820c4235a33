"""Where tables come from; a new source is a new file here and a word in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distillery.data.sources.file import FileSpec as FileSpec
from distillery.data.sources.flights import FlightsSpec as FlightsSpec

SourceSpec = Annotated[FlightsSpec | FileSpec, Field(discriminator="kind")]

__all__ = ["FileSpec", "FlightsSpec", "SourceSpec"]
