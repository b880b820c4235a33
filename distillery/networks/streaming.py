"""Training rows that are read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import final

import numpy as np
import torch
from torch import Tensor

from distillery.data.parts import Piece
from distillery.data.rows import Stream
from distillery.networks.reading import Reading
from distillery.networks.training import Batches

LOAD_ROWS = 1 << 18  # that lie in memory at once; as many are read ahead


@final
class Streamed:
    """In place of `Batches`: pieces from anywhere in the log are loaded together, and their rows shuffled.

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
        self._counted: set[Piece] = set()
        self._length = len(stream)

    def __len__(self) -> int:
        return self._length

    def to(self, device: torch.device) -> Streamed:
        """Return the same rows, whose batches go to a device."""
        self.device = device
        return self

    def code_counts(self, n: int) -> Tensor:
        """Return how often each of n category codes was used ``(n,)`` in the rows read so far, each counted once."""
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
        first, *others = self._planned()
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._load, first)
            for pieces in others:
                batches = ahead.result()
                ahead = reader.submit(self._load, pieces)
                yield batches
            yield ahead.result()

    def _planned(self) -> list[list[Piece]]:
        """Return the pieces in random order, as they are loaded together."""
        pieces = self.stream.pieces
        loads: list[list[Piece]] = [[]]
        for i in torch.randperm(len(pieces)).tolist():
            if sum(piece.rows for piece in loads[-1]) + pieces[i].rows > LOAD_ROWS and loads[-1]:
                loads.append([])
            loads[-1].append(pieces[i])
        return loads

    def _load(self, pieces: list[Piece]) -> Batches:
        return reduce(Batches.joined, map(self._read, pieces))

    def _read(self, piece: Piece) -> Batches:
        rows = self.stream.read(piece)
        soft = None if self.soft is None else np.array(self.soft[self.stream.positions(piece)])
        batches = Batches.of(self.reading(rows), rows, soft)
        if piece not in self._counted:
            self._counted.add(piece)
            self._counts += batches.code_counts(len(self._counts))
        return batches
