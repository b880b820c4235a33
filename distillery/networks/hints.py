"""Hints: a hidden layer of the student is to foretell one of the teacher's; Romero et al. (2015), arXiv:1412.6550."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from distillery.networks.network import Network
from distillery.spec import Spec


class HintSpec(Spec):
    """How strongly the student's last hidden layer follows the teacher's.

    Attributes:
        weight: of the mean squared error, in standard deviations of each of the teacher's units, beside the loss.
            The teacher has seen these rows: unlike soft labels, hints are not cross-fitted.
    """

    weight: PositiveFloat = 0.1


@final
class Hinted(nn.Module):
    """A network in training, with a linear map from its last hidden layer to the teacher's; it is not kept.

    Shape: what the network takes, in training with the teacher's standardised activations ``(n, h)`` and the rows'
    weights ``(n,)`` behind it, ``-> (n, K)`` logits.
    """

    # DIFF the paper trains up to the hint first, and on labels afterwards; here both are one loss.
    # DIFF soft labels are cross-fitted, but activations of different teachers share no axes: hints are in sample.

    def __init__(self, network: Network, units: int, weight: float) -> None:
        super().__init__()
        assert isinstance(network.body, nn.Sequential), "a network with hints has layers one behind the other"
        last = network.body[-1]
        assert isinstance(last, nn.Linear), "its last layer is linear"
        self.network, self.weight = network, weight
        self.regressor = nn.Linear(last.in_features, units)
        self._gap: Tensor | None = None

    def forward(
        self,
        numbers: Tensor,
        missing: Tensor,
        codes: Tensor,
        hidden: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the network's logits."""
        if hidden is None or weights is None:
            z: Tensor = self.network(numbers, missing, codes)
            return z
        *layers, last = self.network.body.children()
        x = nn.Sequential(*layers)(self.network.encoded(numbers, missing, codes))
        rows = functional.mse_loss(self.regressor(x), hidden, reduction="none").mean(dim=1)
        self._gap = (rows * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return self.network.logits(last(x))

    def penalty(self) -> Tensor:
        """Return what the last rows' hints add to the loss."""
        assert self._gap is not None, "asked for before any rows"
        return self.weight * self._gap


def standardised(hidden: np.ndarray) -> Tensor:
    """Return activations less their means, over their deviations; units that never change are left out.

    Args:
        hidden: ``(n, h)``.

    Returns:
        ``(n, moving units)`` float32.

    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0], [1.0]]
    """
    spread = hidden.std(axis=0)
    moving = spread > 0
    return torch.from_numpy(
        ((hidden - hidden.mean(axis=0)) / np.where(moving, spread, 1))[:, moving].astype(np.float32)
    )
