"""Image-like rows: the columns are pixels, in order."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, PositiveInt
from torch import nn

from distillery.data import Rows, Schema
from distillery.errors import DataError, shortlist
from distillery.networks.fitted import NetworkFields
from distillery.networks.network import CanvasEncoder, convolutions
from distillery.networks.reading import Reading
from distillery.networks.settings import EncodingFields


class ImageFields(NetworkFields):
    """A convolutional network; bins, waves and embeddings play no part.

    Attributes:
        shape: channels, height and width; the table has one numeric column per pixel, row by row.
        channels: of the 3 × 3 convolutions.
        units: of the dense layer after them.
    """

    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    channels: tuple[PositiveInt, ...] = Field((16, 32), min_length=1)
    units: PositiveInt = 64

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return convolutions and dense layers."""
        return convolutions(self.shape, self.channels, self.units, outputs, dropout=self.dropout)

    def encoder(self, reading: Reading) -> CanvasEncoder:
        """Return what places the columns on the canvas."""
        return CanvasEncoder(reading.positions, math.prod(self.shape))

    def learn_reading(
        self, schema: Schema, train: Rows, soft: np.ndarray | None, positions: np.ndarray | None
    ) -> Reading:
        """Learn one scale for all pixels.

        Raises:
            DataError: the columns are no such image.
        """
        if positions is None and len(schema.columns) != math.prod(self.shape):
            raise DataError(
                f"shape {list(self.shape)} must have a column per pixel, {math.prod(self.shape)} in all, got a table"
                f" of {len(schema.columns)}; mend `shape`, or drop the columns that are no pixels"
            )
        if schema.categorical:
            text = shortlist(repr(c.name) for c in schema.categorical)
            raise DataError(f"the pixels of an image must be numeric, got categories in {text}; drop these columns")
        plain = EncodingFields(bins=0, frequencies=0)
        return Reading.learn(plain, schema, train, soft, one_scale=True, positions=positions)
