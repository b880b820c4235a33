"""How well rows are ranked within their query, such as a user: intervals and differences by resampling queries.

Where everything or nothing of a query is relevant no order of its rows is right or wrong: such queries, and rows
without one, are left out. Rows with one score stand in every order of theirs at once, so that every value is a mean
over these orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from distillery.data.schema import Label
from distillery.errors import InputError, shortlist
from distillery.evaluation._resampling import Resamples, checked_weights
from distillery.evaluation.metrics import Metric
from distillery.evaluation.quality import Comparison, Estimate, compare, estimate

RANKING_METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(
            "gauc",
            "Grouped AUC",
            True,
            "probability",
            "ROC AUC within each query, averaged over queries by their rows (Zhu et al. 2017, arXiv:1703.02091)."
            " Row weights count here, and in no other ranking metric.",
        ),
        Metric(
            "ndcg",
            "NDCG@k",
            True,
            "0 to 1",
            "Relevant rows among a query's first k, discounted by the logarithm of their place, as a share of the best"
            " order's (Järvelin & Kekäläinen 2002); averaged over queries.",
        ),
        Metric(
            "recall",
            "Recall@k",
            True,
            "share of rows",
            "Share of a query's relevant rows that stand among its first k; averaged over queries.",
        ),
    )
}


class Ranking(BaseModel):
    """How one model ranks rows within their query.

    Attributes:
        metrics: every metric in `RANKING_METRICS` with its interval.
        k: how many of a query's first rows NDCG and recall look at.
        queries: how many are measured: those with relevant and other rows.
        left_out: how many are not.
        relevant: the classes that are relevant.
        versus_teacher, lift: score minus the teacher's, and minus the control's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, Estimate]
    k: int
    queries: int
    left_out: int
    relevant: tuple[Label, ...]
    versus_teacher: dict[str, Comparison] = Field(default_factory=dict)
    lift: dict[str, Comparison] = Field(default_factory=dict)

    def flat(self) -> dict[str, Estimate]:
        """Return the metrics by the names a tracker has them by: ``gauc``, ``ndcg_at_10``, ``recall_at_10``."""
        return {name if name == "gauc" else f"{name}_at_{self.k}": one for name, one in self.metrics.items()}


def relevant_classes(classes: Sequence[Label], start: Label | None) -> int:
    """Return the place of the first relevant class; all from there on are relevant.

    Args:
        classes: in order.
        start: the first relevant one; by default the last class.

    Raises:
        InputError: it is none of them, or the first.

    >>> relevant_classes([0, 1], None), relevant_classes([1, 2, 3, 4, 5], 4)
    (1, 3)
    """
    if start is None:
        return len(classes) - 1
    if start not in classes[1:]:
        known = shortlist(map(repr, classes[1:]))
        raise InputError(
            f"evaluation.relevant_from must be one of the classes after the first ({known}), got {start!r}"
        )
    return list(classes).index(start)


@final
@dataclass(frozen=True)
class _Order:
    """The rows of some queries, sorted by falling score within their query; rows of one score are a block.

    Attributes:
        query: of each sorted row ``(n,)``, 0 .. Q - 1.
        block: of each sorted row ``(n,)``, 0 .. b - 1.
        relevant: 1.0 where a sorted row is relevant ``(n,)``.
        weights: of the sorted rows ``(n,)``.
        place: of each sorted row within its query ``(n,)``, from 0.
        block_query: the query of each block ``(b,)``.
    """

    query: np.ndarray
    block: np.ndarray
    relevant: np.ndarray
    weights: np.ndarray
    place: np.ndarray
    block_query: np.ndarray

    @classmethod
    def of(cls, relevant: np.ndarray, score: np.ndarray, query: np.ndarray, weights: np.ndarray) -> _Order:
        order = np.lexsort((-score, query))
        query, score = query[order], score[order]
        new_query = np.append(True, query[1:] != query[:-1])
        new_block = new_query | np.append(True, score[1:] != score[:-1])
        places = np.arange(len(order))
        place = places - np.maximum.accumulate(np.where(new_query, places, 0))
        block = np.cumsum(new_block) - 1
        return cls(query, block, relevant[order].astype(float), weights[order], place, query[new_block])

    def per_query(self, values: np.ndarray) -> np.ndarray:
        """Sum the rows' values ``(n,)`` over each query ``(Q,)``."""
        return np.bincount(self.query, values)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give every row of a block the block's mean of the values ``(n,)``."""
        return np.asarray((np.bincount(self.block, values) / np.bincount(self.block))[self.block])

    def auc(self) -> np.ndarray:
        """Return the area under each query's ROC curve ``(Q,)``; rows count by weight."""
        positive, negative = self.weights * self.relevant, self.weights * (1 - self.relevant)
        above, tied = np.bincount(self.block, positive), np.bincount(self.block, negative)
        running = np.cumsum(above)
        starts = np.flatnonzero(np.append(True, self.block_query[1:] != self.block_query[:-1]))
        before = (running - above)[starts][self.block_query]  # positives of earlier queries
        pairs = np.bincount(self.block_query, tied * (running - before - above / 2))
        return np.asarray(pairs / (self.per_query(positive) * self.per_query(negative)))

    def ndcg(self, k: int) -> np.ndarray:
        """Return the share of the best order's discounted gain among each query's first k ``(Q,)``."""
        discount = np.where(self.place < k, 1 / np.log2(self.place + 2), 0)
        gain = self.per_query(self.spread(discount) * self.relevant)
        steps = np.cumsum(1 / np.log2(np.arange(k) + 2))
        counts = self.per_query(self.relevant).astype(np.int64)
        return np.asarray(gain / steps[np.minimum(counts, k) - 1])

    def recall(self, k: int) -> np.ndarray:
        """Return the share of each query's relevant rows among its first k ``(Q,)``."""
        found = self.per_query(self.spread((self.place < k).astype(float)) * self.relevant)
        return np.asarray(found / self.per_query(self.relevant))


@final
class RankingExam:
    """The test rows by query, and the resamples of queries that all models share.

    Args:
        y: class indices ``(n,)``.
        queries: of the rows ``(n,)``, as integers; below 0 where a row has none.
        classes: the K class labels, in order.
        weights: of the rows ``(n,)``, or None; those of weight 0 are left out.
        k: how many of a query's first rows NDCG and recall look at.
        start: the first relevant class; by default the last of all.
        replicates: resamples of the queries.
        confidence: of the intervals.
        seed: of the resamples.

    Raises:
        InputError: ``start`` is no class that can begin the relevant ones.
    """

    def __init__(
        self,
        y: np.ndarray,
        queries: np.ndarray,
        classes: Sequence[Label],
        *,
        weights: np.ndarray | None,
        k: int,
        start: Label | None,
        replicates: int,
        confidence: float,
        seed: int,
    ) -> None:
        self.first, self.k, self.confidence = relevant_classes(classes, start), k, confidence
        self.classes = tuple(classes[self.first :])
        relevant, weights = y >= self.first, checked_weights(weights, len(y))
        asked = (queries >= 0) & (weights > 0)
        known, codes = np.unique(queries[asked], return_inverse=True)
        hits, sizes = np.bincount(codes, relevant[asked], len(known)), np.bincount(codes, minlength=len(known))
        mixed = (hits > 0) & (hits < sizes)
        self.rows = np.flatnonzero(asked)[mixed[codes]]
        self.query = (np.cumsum(mixed) - 1)[codes[mixed[codes]]]
        self.relevant, self.weights = relevant[self.rows], weights[self.rows]
        self.n_queries, self.left_out = int(mixed.sum()), int((~mixed).sum())
        self._mass = np.bincount(self.query, self.weights, self.n_queries)
        self._drawn = self._draw(replicates, seed) if self.n_queries else None

    def _draw(self, replicates: int, seed: int) -> Resamples | None:
        """Draw how often each query counts; None where there are too few to say anything by it."""
        drawn = Resamples.draw(self.n_queries, replicates, seed, groups=np.arange(self.n_queries))
        return drawn if drawn.enough else None

    def measure(self, proba: np.ndarray) -> RankedModel | None:
        """Measure a model by its probabilities ``(n, K)``; a row's score is the chance that it is relevant.

        None where no query has both relevant and other rows.
        """
        if not self.n_queries:
            return None
        score = proba[self.rows, self.first :].sum(axis=1)
        order = _Order.of(self.relevant, score, self.query, self.weights)
        per_query = {"gauc": order.auc(), "ndcg": order.ndcg(self.k), "recall": order.recall(self.k)}
        return RankedModel(self, self._means(per_query))

    def _means(self, per_query: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Average values per query ``(Q,)`` over the queries, and over each resample of them ``(1 + B,)``."""
        even = np.ones(self.n_queries)
        mass = np.column_stack([self._mass if name == "gauc" else even for name in per_query])
        both = np.hstack([np.column_stack(list(per_query.values())) * mass, mass])
        sums = [both.sum(axis=0)[None]]
        sums += [counts @ both for _, counts in self._drawn.chunks()] if self._drawn else []
        means = np.divide(*np.hsplit(np.vstack(sums), 2))
        return dict(zip(per_query, means.T, strict=True))


@final
@dataclass(frozen=True)
class RankedModel:
    """A model's ranking metrics on the rows and on each resample of the queries.

    Attributes:
        exam: what it was measured on.
        values: metric to its value, and behind it those of the resamples ``(1 + B,)``.
    """

    exam: RankingExam
    values: dict[str, np.ndarray]

    def ranking(self, teacher: RankedModel | None, control: RankedModel | None) -> Ranking:
        """Return the metrics with intervals, and the differences to teacher and control."""
        exam = self.exam
        return Ranking(
            metrics={m: estimate(float(v[0]), v[1:], exam.confidence) for m, v in self.values.items()},
            k=exam.k,
            queries=exam.n_queries,
            left_out=exam.left_out,
            relevant=exam.classes,
            versus_teacher=self._minus(teacher),
            lift=self._minus(control),
        )

    def _minus(self, other: RankedModel | None) -> dict[str, Comparison]:
        if other is None:
            return {}
        differences = {name: values - other.values[name] for name, values in self.values.items()}
        return {name: compare(float(d[0]), d[1:], self.exam.confidence) for name, d in differences.items()}
