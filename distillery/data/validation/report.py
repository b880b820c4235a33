"""The result of a validation: as data, as one message, as a page."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, JsonValue

from distillery.errors import DataError

MOST_NAMED = 10  # failures that the message spells out


class ExpectationResult(BaseModel):
    """One expectation and what was found.

    Attributes:
        expectation: its name.
        column: the column it is about, if it is about one.
        split: the rows it looked at; None for all.
        success: whether it held.
        checked: units looked at.
        unexpected: how many broke it; None where it judges a figure of the whole column.
        unit: what is counted: rows, groups, classes, columns.
        examples: up to five offending values; a bound on a share leaves room for some.
        detail: the figure observed, or why it could not be computed.
        arguments: it was called with.
        repair: what to do when it fails.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    expectation: str
    column: str | None
    split: str | None
    success: bool
    checked: int
    unexpected: int | None
    unit: str = "rows"
    examples: tuple[JsonValue, ...]
    detail: str
    arguments: dict[str, JsonValue]
    repair: str

    @property
    def message(self) -> str:
        """The failure in one sentence."""
        where = f" on column {self.column!r}" if self.column is not None else ""
        rows = f" ({self.split})" if self.split else ""
        count = "" if self.unexpected is None else f"{self.unexpected:,} of {self.checked:,} {self.unit}"
        values = f", e.g. {', '.join(map(repr, self.examples))}" if self.examples else ""
        found = "; ".join(part for part in (count + values, self.detail) if part) or "does not hold"
        return f"{self.expectation}{where}{rows}: {found} – {self.repair}"


class ValidationReport(BaseModel):
    """Every expectation a table was held to.

    Attributes:
        results: in the order they were planned.
        rows, columns: of the table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: tuple[ExpectationResult, ...]
    rows: int
    columns: int

    @property
    def failures(self) -> list[ExpectationResult]:
        """The expectations that did not hold."""
        return [result for result in self.results if not result.success]

    @property
    def success(self) -> bool:
        """Whether all held."""
        return not self.failures

    def message(self) -> str:
        """Return the one message of a run: each failure with what to do, the first ones spelled out."""
        failures = self.failures
        if not failures:
            return f"all {len(self.results)} expectations hold"
        head = f"the table failed {len(failures)} of {len(self.results)} expectations, nothing was trained:"
        more = [f"and {len(failures) - MOST_NAMED} more"] if len(failures) > MOST_NAMED else []
        return "\n  ".join([head, *(failure.message for failure in failures[:MOST_NAMED]), *more])

    def raise_if_failed(self) -> None:
        """Stop a run on a failed table.

        Raises:
            DataError: an expectation does not hold; see `message`.
        """
        if not self.success:
            raise DataError(self.message())

    def to_html(self) -> str:
        """Return a page that stands alone: failures first."""
        loader = PackageLoader("distillery.data.validation", ".")
        environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        passed = [result for result in self.results if result.success]
        return environment.get_template("report.html.jinja").render(report=self, passed=passed)
