"""Training rows that are read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import final

import numpy as np
import torch
from torch import Tensor

from distillery.data.parts import Piece
from distillery.data.rows import Stream
from distillery.networks.reading import Reading
from distillery.networks.training import Batches


@final
class Streamed:
    """In place of `Batches`: pieces of anywhere in the log are read at once, their rows shuffled, the next ones ahead.

    A load of neighbouring rows would be a few hours of the log, which the network learns at the price of the others.

    Args:
        stream: the rows.
        reading: encodes them.
        soft: teacher logits of all rows of the stream's split ``(n, K)``, read as they are needed; or None.
    """

    def __init__(self, stream: Stream, reading: Reading, soft: np.ndarray | None) -> None:
        self.stream, self.reading, self.soft = stream, reading, soft
        self.device = torch.device("cpu")
        self._counts = torch.zeros(reading.scaler.n_codes, dtype=torch.int64)
        self._counted = False
        self._length = len(stream)

    def __len__(self) -> int:
        return self._length

    def to(self, device: torch.device) -> Streamed:
        """Return the same rows, whose batches go to a device."""
        self.device = device
        return self

    def code_counts(self, n: int) -> Tensor:
        """Return how often each of n category codes was used ``(n,)`` in the first epoch's rows."""
        assert n == len(self._counts), "codes are those of the reading"
        return self._counts

    def shuffled(self, size: int) -> Iterator[Batches]:
        """Yield the rows once; what a load leaves over begins the next one's first batch."""
        rest: Batches | None = None
        for batches in self._loads():
            joined = batches if rest is None else rest.joined(batches)
            rest = None
            for batch in joined.shuffled(size):
                if len(batch) == size:
                    yield batch.to(self.device)
                else:
                    rest = batch
        if rest is not None:
            yield rest.to(self.device)

    def _loads(self) -> Iterator[Batches]:
        pieces = self.stream.pieces
        first, *others = self.stream.loads([pieces[i] for i in torch.randperm(len(pieces)).tolist()])
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, first)
            for load in others:
                batches = ahead.result()
                ahead = reader.submit(self._read, load)
                yield batches
            yield ahead.result()
        self._counted = True

    def _read(self, load: list[Piece]) -> Batches:
        rows = self.stream.read(load)
        soft = None if self.soft is None else np.array(self.soft[self.stream.positions(load)])
        batches = Batches.of(self.reading(rows), rows, soft)
        if not self._counted:
            self._counts += batches.code_counts(len(self._counts))
        return batches
