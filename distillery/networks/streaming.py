"""Training rows that are read from disk file by file, and encoded as they come."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import final

import numpy as np
import torch
from torch import Tensor

from distillery.data.rows import Stream
from distillery.networks.reading import Reading
from distillery.networks.training import Batches


@final
class Streamed:
    """In place of `Batches`: the files come in random order, and the rows within each; one file is read ahead.

    Args:
        stream: the rows.
        reading: encodes them.
        soft: teacher logits of all rows of the stream's split ``(n, K)``, read as they are needed; or None.
    """

    def __init__(self, stream: Stream, reading: Reading, soft: np.ndarray | None) -> None:
        self.stream, self.reading, self.soft = stream, reading, soft
        self.device = torch.device("cpu")
        self._counts = torch.zeros(reading.scaler.n_codes, dtype=torch.int64)
        self._counted: set[int] = set()
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
        """Yield the rows once; what a file leaves over begins the next one's first batch."""
        rest: Batches | None = None
        for batches in self._files():
            joined = batches if rest is None else rest.joined(batches)
            rest = None
            for batch in joined.shuffled(size):
                if len(batch) == size:
                    yield batch.to(self.device)
                else:
                    rest = batch
        if rest is not None:
            yield rest.to(self.device)

    def _files(self) -> Iterator[Batches]:
        files = self.stream.files
        order = [files[i] for i in torch.randperm(len(files)).tolist()]
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, order[0])
            for file in [*order[1:], None]:
                batches = ahead.result()
                if file is not None:
                    ahead = reader.submit(self._read, file)
                yield batches

    def _read(self, file: int) -> Batches:
        rows = self.stream.read(file)
        soft = None if self.soft is None else np.array(self.soft[self.stream.positions(file)])
        batches = Batches.of(self.reading(rows), rows, soft)
        if file not in self._counted:
            self._counted.add(file)
            self._counts += batches.code_counts(len(self._counts))
        return batches
