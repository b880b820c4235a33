"""A small table with texts, and texts that are hard to read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec

WORDS = ["the", "a", "it", "dress", "shirt", "fits", "runs", "wear", "color", "blue", "it's", "bought"]
ODD_TEXTS = (
    *("", " ", "...", "LOVE", "love\nlove", "gloves love?", "lov\u00e9", "\u00e9love", "love_it", "it\u2019s"),
    *(
        "\u0130YI love",
        "\u039f\u0394\u039f\u03a3",
        "\u7684love",
        "\U0001f600love\U0001f600",
        "poor,quality",
        "x" * 5000,
    ),
    *("lo\u212ae", "5", "\tpoor \r\n quality\u00a0", "'love'", "None", "love\u0301"),
)


def make_texts(
    raw: pd.DataFrame | None = None,
    *,
    n: int = 400,
    privileged: tuple[str, ...] = (),
    group: str | None = None,
    split: np.ndarray | None = None,
) -> Table:
    """Whether someone is pleased, which mostly the review says."""
    roles = Roles("y", kinds={"title": "text", "review": "text"}, privileged=privileged, group=group)
    if raw is None:
        rng = np.random.default_rng(3)
        y = rng.integers(0, 2, n)
        raw = pd.DataFrame({"size": rng.normal(size=n) + 0.5 * y, "shop": rng.choice(["a", "b"], n)})
        raw["title"] = [None if rng.random() < 0.1 else _title(rng, label) for label in y]
        raw["review"] = [None if rng.random() < 0.05 else _review(rng, label) for label in y]
        raw["y"] = y
        if group:
            raw[group] = [f"p{i}" for i in rng.integers(0, 12, n)]
    return build_table(raw, roles, SplitSpec() if split is None else split, seed=0)


def _title(rng: np.random.Generator, label: int) -> str:
    return f"{rng.choice(['Great', 'Nice'] if label ^ (rng.random() < 0.2) else ['Meh', 'Hm'])} {rng.choice(WORDS)}"


def _review(rng: np.random.Generator, label: int) -> str:
    said = rng.choice(["Love it!", "so soft"] if label ^ (rng.random() < 0.1) else ["poor quality", "sent it back"])
    words = rng.choice(WORDS, rng.integers(3, 9)).tolist()
    return " ".join([*words[:2], str(said), *words[2:]])
