"""The catalogues: every language says everything, and every message can be written."""

from __future__ import annotations

import pytest
from jinja2 import Environment, meta

from distillery.evaluation import COSTS, METRICS, RANKING_METRICS
from distillery.promotion import GatesSpec
from distillery.report.texts import FILTERS, LANGUAGES, Texts

ONLY_TRANSLATED = ("metric.", "cost.", "ranking.")  # in English they stand beside the metrics themselves


def values_of(texts: Texts, key: str) -> set[str]:
    """What a message needs."""
    environment = Environment(autoescape=True)
    environment.filters |= dict.fromkeys(FILTERS, str)
    return meta.find_undeclared_variables(environment.parse(texts._messages[key])) - {"t"}


def test_every_language_has_every_message() -> None:
    """The same keys, and each message needs the same values."""
    english, *others = (Texts(language) for language in LANGUAGES)
    for other in others:
        assert {key for key in other.keys if not key.startswith(ONLY_TRANSLATED)} == english.keys
        for key in english.keys:
            assert values_of(other, key) == values_of(english, key), key


def test_metrics_and_costs_are_translated() -> None:
    """Title, unit and definition of each."""
    chinese = Texts("zh")
    for kind, known in (("metric", METRICS), ("cost", COSTS), ("ranking", RANKING_METRICS)):
        for name in known:
            assert {f"{kind}.{name}.{part}" for part in ("title", "unit", "definition")} <= chinese.keys


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_gate_has_a_title(language: str) -> None:
    """And says what it asks for."""
    texts = Texts(language)  # type: ignore[arg-type]
    for gate in GatesSpec.model_fields:
        assert {f"gate.{gate}.title", f"gate.{gate}.asked"} <= texts.keys


def test_an_unknown_message_and_a_missing_value_are_errors() -> None:
    """A report never goes out with a hole in it."""
    with pytest.raises(KeyError):
        Texts("en")("no.such")
    with pytest.raises(Exception, match="scenario"):
        Texts("en")("report.title")
