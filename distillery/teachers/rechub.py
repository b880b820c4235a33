"""A ranking model of the package torch-rechub as a teacher; the package is an extra."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, final

import torch
from pydantic import Field, JsonValue, PositiveInt
from torch import Tensor, nn

from distillery.data.schema import Schema
from distillery.errors import InputError, did_you_mean, shortlist
from distillery.networks.fitted import output_count
from distillery.networks.network import BOUND
from distillery.networks.reading import Reading
from distillery.teachers.torch_teacher import TorchTeacherSpec

PACKAGE = "torch_rechub"
CERTAIN = 1e-6  # probabilities are clipped to [1e-6, 1 - 1e-6]: log odds of ±13.8
CROSS_LAYERS = 3  # where a model must be told and `params` does not
# Which features each of their arguments takes; what multiplies fields takes sparse ones, for a number has no vector.
TAKES = {
    "features": "all",
    "deep_features": "all",
    "wide_features": "sparse",
    "fm_features": "sparse",
    "sparse_features": "sparse",
    "dense_features": "dense",
}


@final
class RechubSpec(TorchTeacherSpec):
    """A torch-rechub model, trained as every other network here; needs the extra ``rechub``.

    Its models give probabilities, so its logits are log odds, clipped at ±13.8. With more than two classes there is
    a model for each, and their log odds are the logits. It cannot be exported.

    Attributes:
        model: the class in ``torch_rechub.models.ranking``.
        params: further arguments of that class, such as ``n_cross_layers``.
        embedding: dimensions of a category's vector, and of a bin's.
        bins: per numeric column, at least 1: it enters as a number, and by its bin as a category.
        frequencies: waves play no part here.
        epochs: by default few; vectors of rare categories are learnt by heart in more.
        widths: units of the dense network's hidden layers.
    """

    kind: Literal["rechub"] = "rechub"
    model: Literal["WideDeep", "DeepFM", "DCN", "DCNv2", "AutoInt"] = "DeepFM"
    params: dict[str, JsonValue] = Field(default_factory=dict)
    bins: int = Field(12, ge=1, le=256)
    frequencies: Literal[0] = 0
    embedding: PositiveInt = 8
    widths: tuple[PositiveInt, ...] = Field((256, 128), min_length=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: PositiveInt = 6

    def encoder(self, reading: Reading) -> LogOdds:  # type: ignore[override]  # raw columns to logits, in one piece
        """Return the model itself, with what feeds it.

        Raises:
            InputError: the package is not installed, or the model does not take ``params``.
        """
        return LogOdds([self.fresh(reading) for _ in range(output_count(reading.schema))], reading)

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return nothing more: the model's answer is the logits."""
        return nn.Identity()

    def fresh(self, reading: Reading) -> nn.Module:
        """Return one model with fresh weights, fed with the columns as features of the package.

        Raises:
            InputError: the package is not installed, or the model does not take ``params``.
        """
        ranking, features = _package("models.ranking"), _package("basic.features")
        dense = [features.DenseFeature(name) for name in _numbers(reading.schema)]
        sizes = _sizes(reading)
        sparse = [features.SparseFeature(name, size, embed_dim=self.embedding) for name, size in sizes.items()]
        model = getattr(ranking, self.model)
        given: Mapping[str, Any] = {"all": sparse + dense, "sparse": sparse, "dense": dense}
        tower = {"dims": list(self.widths), "dropout": self.dropout, "activation": "relu"}
        own = {name: given[kind] for name, kind in TAKES.items()} | {"mlp_params": tower}
        known = [name for name in inspect.signature(model).parameters if name not in {*own, "kwargs"}]
        for name in self.params:
            if name not in known:
                raise InputError(
                    f"params of {self.model} must be among {shortlist(known, 20) or 'none'}, got"
                    f" {name!r}{did_you_mean(name, known)}"
                )
        every = own | {"n_cross_layers": CROSS_LAYERS} | self.params
        network: nn.Module = model(**{n: every[n] for n in inspect.signature(model).parameters if n in every})
        return network


def _package(module: str) -> Any:
    if find_spec(PACKAGE) is None:
        raise InputError(
            "teacher kind `rechub` needs the package torch-rechub, which is not installed; install the extra `rechub`"
        )
    return import_module(f"{PACKAGE}.{module}")


def _numbers(schema: Schema) -> list[str]:
    """Return what the numbers are called inside the model; a column's own name may not be one of a module."""
    return [f"number_{j}" for j in range(len(schema.numeric))]


def _sizes(reading: Reading) -> dict[str, int]:
    """Return how many values each sparse feature has: a number's bins and one for missing, a category's codes."""
    ends = [*reading.scaler.offsets.tolist(), reading.scaler.n_codes]
    bins = {f"bin_{j}": len(edges) for j, edges in enumerate(reading.edges)}  # one bin less than edges
    return bins | {f"code_{j}": ends[j + 1] - ends[j] for j in range(len(reading.schema.categorical))}


@final
class LogOdds(nn.Module):
    """Models that answer with a probability, as logits.

    Shape: numbers ``(n, d_numeric)``, missing ``(n, d_indicated)``, codes ``(n, d_categorical)`` ``-> (n, outputs)``.

    Args:
        models: one per output, from named columns to ``(n,)``.
        reading: how rows were read.
    """

    def __init__(self, models: list[nn.Module], reading: Reading) -> None:
        super().__init__()
        self.models, self.width = nn.ModuleList(models), len(models)
        self.indicated, self.offsets = reading.scaler.indicated.tolist(), reading.scaler.offsets.tolist()
        for j, edges in enumerate(reading.edges):
            self.register_buffer(f"inner_{j}", torch.from_numpy(edges[1:-1]).float(), persistent=False)
        self.last = [len(edges) - 1 for edges in reading.edges]

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Return log odds."""
        if self.training and len(numbers) == 1:  # batch normalization has no spread of a single row
            return self.forward(*(torch.cat([x, x]) for x in (numbers, missing, codes)))[:1]
        columns = self._columns(numbers, missing, codes)
        return torch.stack([torch.logit(model(columns), eps=CERTAIN) for model in self.models], dim=1)

    def _columns(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> dict[str, Tensor]:
        columns = {f"code_{j}": codes[:, j] - offset for j, offset in enumerate(self.offsets)}
        for j, last in enumerate(self.last):
            x = numbers[:, j].contiguous()
            inside = torch.bucketize(x, self.get_buffer(f"inner_{j}"))
            if j in self.indicated:
                inside = torch.where(missing[:, self.indicated.index(j)] > 0, last, inside)
            columns |= {f"number_{j}": x.clamp(-BOUND, BOUND), f"bin_{j}": inside}
        return columns
