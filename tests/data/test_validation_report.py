"""The report of a validation: as JSON, as one message, as a page."""

import subprocess
import sys

import pytest

from distillery.data.validation import ExpectationResult, ValidationReport
from distillery.errors import DataError


def result(*, success=False, **fields):
    """Return a result; by default a failed one."""
    given = {
        "expectation": "ExpectColumnValuesToBeInSet",
        "column": "x",
        "split": "train",
        "checked": 5000,
        "unexpected": 12,
        "examples": ("a", "b"),
        "detail": "",
        "arguments": {"column": "x", "value_set": ["c"]},
        "repair": "mend the values",
    }
    return ExpectationResult(success=success, **{**given, **fields})


def report(*results):
    """Return a report of a table of 8,000 rows."""
    return ValidationReport(results=results, rows=8000, columns=7)


def test_the_message_says_what_where_how_many_and_what_to_do():
    """One line a failure, under one sentence."""
    assert report(result(), result(success=True)).message() == (
        "the table failed 1 of 2 expectations, nothing was trained:\n"
        "  ExpectColumnValuesToBeInSet on column 'x' (train): 12 of 5,000 rows, e.g. 'a', 'b'"
        " – mend the values"
    )


def test_the_message_counts_what_it_leaves_out():
    """Ten failures are spelled out."""
    message = report(*[result()] * 13).message()
    assert message.count("ExpectColumnValuesToBeInSet") == 10
    assert message.endswith("\n  and 3 more")


def test_the_message_names_the_unit():
    """Groups are no rows."""
    assert "12 of 5,000 groups" in result(unit="groups").message


def test_a_failure_without_figures_still_reads():
    """An absent column has no count."""
    bare = result(unexpected=None, examples=(), split=None)
    assert bare.message == "ExpectColumnValuesToBeInSet on column 'x': does not hold – mend the values"


def test_a_failed_report_raises():
    """The error is the message; a report without failures is silent."""
    with pytest.raises(DataError, match=r"failed 1 of 1 expectations, nothing was trained"):
        report(result()).raise_if_failed()
    passed = report(result(success=True))
    passed.raise_if_failed()
    assert (passed.success, passed.message()) == (True, "all 1 expectations hold")


def test_json_gives_the_report_back():
    """Nothing is lost between writing and reading."""
    written = report(result(examples=(1, 2.5, True, None, [1, "a"])), result(success=True))
    assert ValidationReport.model_validate_json(written.model_dump_json()) == written


def test_the_page_escapes_what_the_table_holds():
    """Neither a column name, a value nor a repair can bring markup."""
    evil = "<script>alert('x')</script>|"
    failure, passed = result(column=evil, examples=(evil,), repair=evil), result(success=True, column=evil)
    page = report(failure, passed).to_html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4


def test_the_page_shows_failures_first():
    """What broke stands above what held, which is grouped by expectation."""
    page = report(result(success=True, expectation="ExpectB"), result(expectation="ExpectA")).to_html()
    assert page.index("ExpectA") < page.index("Held") < page.index("ExpectB (1)")
    assert "http" not in page  # stands alone


def test_the_library_is_imported_late():
    """A config costs no seconds of imports."""
    code = "import sys, distillery.data.validation; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
