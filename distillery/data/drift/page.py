"""Evidently's page of the columns that drifted most."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd

from distillery.data.drift.pairs import Pair
from distillery.data.drift.stattests import quiet, stat_test

# Evidently writes names into a script as they are, and its charts read some tags.
LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "&": "＆"})
LONGEST = 60


def draw_page(pairs: Sequence[Pair], thresholds: Sequence[float], note: str) -> str:
    """Return a page that stands alone, most of its 4 MB Evidently's own script; empty where there are no pairs.

    Args:
        pairs: in the order of the page; both sides of each must have values.
        thresholds: from where on each counts as drifted.
        note: what the page shows and what it leaves out.
    """
    if not pairs:
        return ""
    named = dict(zip(harmless([_title(pair) for pair in pairs]), pairs, strict=True))
    with quiet():
        page = _render(named, thresholds)
    return page.replace("<body>", f'<body>\n<p style="font: 15px system-ui; margin: 1rem">{html.escape(note)}</p>', 1)


def _render(pairs: dict[str, Pair], thresholds: Sequence[float]) -> str:
    """Let Evidently compare the pairs once more, as the figures were made, and draw them."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  seconds, as in stattests
    from evidently.metrics import ValueDrift  # noqa: PLC0415  as above

    for pair in pairs.values():
        stat_test(pair.method)  # so that Evidently knows it
    # One after the other: the table of its preset lists p-values upside down, what drifted most last.
    metrics = [
        ValueDrift(column=name, method=pair.method, threshold=threshold)
        for (name, pair), threshold in zip(pairs.items(), thresholds, strict=True)
    ]
    kinds = DataDefinition(
        numerical_columns=[name for name, pair in pairs.items() if pair.numeric],
        categorical_columns=[name for name, pair in pairs.items() if not pair.numeric],
    )
    sides = [_shown(pair) for pair in pairs.values()]
    train, other = (
        Dataset.from_pandas(pd.concat([side[i] for side in sides], axis=1, keys=list(pairs)), data_definition=kinds)
        for i in range(2)
    )
    page: str = Report(metrics).run(other, train).get_html_str(as_iframe=False)
    return page


def _title(pair: Pair) -> str:
    return pair.column if pair.part == "values" else f"missing: {pair.column}"


def _shown(pair: Pair) -> tuple[pd.Series, pd.Series]:
    """Return both sides with harmless categories."""
    if pair.numeric:
        return pair.train, pair.other
    categories = list(pd.concat([pair.train, pair.other]).unique())
    names = dict(zip(categories, harmless(categories), strict=True))
    return pair.train.map(names), pair.other.map(names)


def harmless(names: Sequence[str]) -> list[str]:
    """Return names that no browser takes for markup, on one line, each different from the others.

    >>> harmless(["<b>", "a|  b", "‹b›"])
    ['‹b›', 'a| b', '‹b› (2)']
    """
    found: list[str] = []
    for name in names:
        line = " ".join(name.translate(LOOKALIKES).split()) or "–"
        line = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
        free, number = line, 2
        while free in found:
            free, number = f"{line} ({number})", number + 1
        found.append(free)
    return found
