"""Ranking within queries: closed forms, scikit-learn's values, ties, weights, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from distillery.data import Schema
from distillery.errors import InputError
from distillery.evaluation import EvaluationSpec
from distillery.evaluation.ranking import Ranking, RankingExam, relevant_classes


def exam(y: np.ndarray, queries: np.ndarray, **changes: object) -> RankingExam:
    """Two classes and a few resamples."""
    settings = {"weights": None, "k": 3, "start": None, "replicates": 50, "confidence": 0.9, "seed": 0}
    return RankingExam(np.asarray(y), np.asarray(queries), [0, 1], **(settings | changes))


def binary(score: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, 2)``."""
    return np.column_stack([1 - np.asarray(score), score])


def ranked(y: np.ndarray, queries: np.ndarray, score: np.ndarray, **changes: object) -> dict[str, float]:
    """The three values."""
    found = exam(y, queries, **changes).measure(binary(score)).ranking(None, None)
    return {name: one.value for name, one in found.metrics.items()}


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """400 rows of 30 queries of unequal length, scores with ties."""
    rng = np.random.default_rng(0)
    queries = rng.integers(0, 30, 400) ** 2 // 30
    score = rng.integers(0, 12, 400) / 12
    return (rng.random(400) < 0.2 + 0.6 * score).astype(int), queries, score


def test_a_query_by_hand() -> None:
    """Relevant rows stand first and third of four: 3 of 4 pairs are right, half of them among the first two."""
    found = ranked([1, 0, 1, 0], [7, 7, 7, 7], [0.9, 0.8, 0.7, 0.1], k=2)
    assert found["gauc"] == pytest.approx(3 / 4)
    assert found["ndcg"] == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert found["recall"] == pytest.approx(1 / 2)


def test_a_grouped_area_weighs_queries_by_their_rows() -> None:
    """One query of two rows is right, one of four is wrong."""
    found = ranked([1, 0, 0, 0, 0, 1], [1, 1, 2, 2, 2, 2], [0.9, 0.1, 0.9, 0.8, 0.7, 0.1])
    assert found["gauc"] == pytest.approx(2 / 6)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_values_are_scikit_learns(k: int, many: tuple[np.ndarray, ...]) -> None:
    """Ties included: it averages over their orders, too."""
    y, queries, score = many
    areas, gains, sizes = [], [], []
    for one in np.unique(queries):
        at = queries == one
        if 0 < y[at].sum() < at.sum():
            areas.append(roc_auc_score(y[at], score[at]))
            gains.append(ndcg_score([y[at]], [score[at]], k=k))
            sizes.append(at.sum())
    found = ranked(y, queries, score, k=k)
    assert found["gauc"] == pytest.approx(np.average(areas, weights=sizes))
    assert found["ndcg"] == pytest.approx(np.mean(gains))


def test_recall_of_ties_is_what_their_orders_give_on_average(many: tuple[np.ndarray, ...]) -> None:
    """Scores without ties, made by shuffling the tied ones many times."""
    y, queries, score = many
    rng = np.random.default_rng(1)
    orders = [ranked(y, queries, score + 1e-6 * rng.random(len(y)))["recall"] for _ in range(300)]
    assert ranked(y, queries, score)["recall"] == pytest.approx(np.mean(orders), abs=3 * np.std(orders) / 300**0.5)


def test_row_weights_count_in_the_grouped_area() -> None:
    """A row of weight 2 is two rows; one of weight 0 is none."""
    y, queries, score = np.array([1, 0, 0, 1]), np.zeros(4, int), np.array([0.8, 0.9, 0.1, 0.5])
    twice = ranked(np.append(y, 0), np.zeros(5, int), np.append(score, 0.9))
    assert ranked(y, queries, score, weights=np.array([1, 2, 1, 1]))["gauc"] == pytest.approx(twice["gauc"])
    assert ranked(y, queries, score, weights=np.array([1, 0, 1, 1]))["gauc"] == 1


def test_what_has_no_right_order_is_left_out() -> None:
    """Queries of one class, and rows without a query."""
    y, queries = np.array([1, 0, 1, 1, 0, 0]), np.array([3, 3, 5, 5, -1, 9])
    found = exam(y, queries).measure(binary(np.full(6, 0.5))).ranking(None, None)
    assert (found.queries, found.left_out, found.metrics["gauc"].value) == (1, 2, 0.5)
    assert exam([1, 1], [0, 0]).measure(binary([0.1, 0.2])) is None


def test_of_few_queries_there_are_no_intervals(many: tuple[np.ndarray, ...]) -> None:
    """Every resample of two would look alike; of thirty they differ."""
    few = exam([1, 0, 0, 1], [0, 0, 1, 1]).measure(binary([0.9, 0.1, 0.9, 0.1])).ranking(None, None)
    assert (few.metrics["gauc"].value, few.metrics["gauc"].low) == (0.5, None)
    y, queries, score = many
    wide = exam(y, queries).measure(binary(score)).ranking(None, None).metrics["gauc"]
    assert wide.low < wide.value < wide.high


def test_models_are_compared_on_the_same_resamples(many: tuple[np.ndarray, ...]) -> None:
    """A model against itself differs by nothing; against noise it is better, and the differences are paired."""
    y, queries, score = many
    shared = exam(y, queries)
    good, same = shared.measure(binary(score)), shared.measure(binary(score))
    noise = shared.measure(binary(np.random.default_rng(3).random(len(y))))
    found = good.ranking(teacher=same, control=noise)
    assert {c.verdict for c in found.versus_teacher.values()} == {"no difference shown"}
    assert found.versus_teacher["gauc"].difference.high == 0
    assert found.lift["gauc"].verdict == "better"
    assert Ranking.model_validate_json(found.model_dump_json()) == found


def test_the_order_of_rows_and_the_scale_of_scores_do_not_matter(many: tuple[np.ndarray, ...]) -> None:
    """It is a ranking."""
    y, queries, score = many
    order = np.random.default_rng(2).permutation(len(y))
    assert ranked(y[order], queries[order], score[order]) == pytest.approx(ranked(y, queries, score))
    assert ranked(y, queries, score**3 / 2) == pytest.approx(ranked(y, queries, score))


def test_of_more_classes_the_later_ones_are_relevant() -> None:
    """Ratings from 4: the score is the chance of 4 or 5."""
    y, queries = np.array([4, 0, 3]), np.zeros(3, int)
    proba = np.array([[0, 0, 0, 0.6, 0.4], [0, 0, 0.1, 0, 0.9], [0.2, 0.2, 0, 0.3, 0.3]])
    settings = {"weights": None, "k": 1, "replicates": 5, "confidence": 0.9, "seed": 0}
    five = RankingExam(y, queries, [1, 2, 3, 4, 5], start=4, **settings).measure(proba).ranking(None, None)
    assert (five.relevant, five.metrics["gauc"].value) == ((4, 5), 0.5)
    top = RankingExam(y, queries, [1, 2, 3, 4, 5], start=None, **settings).measure(proba).ranking(None, None)
    assert top.relevant == (5,)


def test_what_is_relevant_is_checked_before_anything_is_trained() -> None:
    """A class of the table, which names a query."""
    schema = Schema(columns=(), target="stars", classes=(1, 2, 3), query="user")
    EvaluationSpec(relevant_from=3).check(schema)
    EvaluationSpec().check(schema.model_copy(update={"query": None}))
    with pytest.raises(InputError, match=r"after the first \(2, 3\), got 7"):
        EvaluationSpec(relevant_from=7).check(schema)
    with pytest.raises(InputError, match="must come with a query to rank within, got 3 and no query"):
        EvaluationSpec(relevant_from=3).check(schema.model_copy(update={"query": None}))


@pytest.mark.parametrize("start", [1, 6])
def test_relevance_begins_after_the_first_class(start: int) -> None:
    """Were all relevant there would be nothing to rank."""
    with pytest.raises(InputError, match=r"relevant_from must be one of the classes after the first \(2, 3\), got"):
        relevant_classes([1, 2, 3], start)
