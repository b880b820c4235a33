"""What a config may say about validation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, field_validator

from distillery.data.table import Split
from distillery.spec import Spec


class ExpectationSpec(Spec):
    """An expectation of Great Expectations, by its class name.

    Whether the class exists is only known once the library is imported (seconds), so a config
    is held to the form of the name; the name itself is checked before anything is validated.

    Attributes:
        type: such as ``ExpectColumnValuesToBeBetween`` (or ``expect_column_values_to_be_between``).
        arguments: as its documentation names them.
        split: the rows it looks at; None for all.
    """

    type: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    split: Split | None = None

    @field_validator("type")
    @classmethod
    def _looks_like_an_expectation(cls, name: str) -> str:
        if not (name.isidentifier() and name.lower().startswith("expect")):
            example = "ExpectColumnValuesToBeBetween"
            raise ValueError(f"type must be an expectation's class name such as {example}, got {name!r}")
        return name


class ValidationSpec(Spec):
    """What every table is held to, built from its schema, and what the config adds.

    Shares are judged in each split by itself.

    Attributes:
        mostly: share of present values that must lie in the column's range.
        mostly_known: share of present values that must be categories seen in training.
        range_tolerance: how far beyond the training range a value may lie, in widths of it.
        max_missing: share of missing values in a column, at most.
        max_shared_rows: share of validation and test rows that stand in training too, features
            and target alike. Coarse columns repeat by chance, so this is a bound, not zero.
        max_unique_categories: distinct values over rows of a categorical column, at most; above it
            the column is an identifier.
        constant_columns: ``refuse`` columns of one value in training; ``allow`` is for images,
            whose borders are empty, and only counts them.
        expectations: further ones.
        drift: whether the splits are compared with training, too; some seconds. It stops no run.
    """

    mostly: float = Field(0.99, gt=0, le=1)
    mostly_known: float = Field(0.95, gt=0, le=1)
    range_tolerance: float = Field(1.0, ge=0)
    max_missing: float = Field(0.98, ge=0, le=1)
    max_shared_rows: float = Field(0.10, ge=0, le=1)
    max_unique_categories: float = Field(0.5, gt=0, le=1)
    constant_columns: Literal["refuse", "allow"] = "refuse"
    expectations: tuple[ExpectationSpec, ...] = ()
    drift: bool = True
