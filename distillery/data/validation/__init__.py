"""Holds a table to its expectations before anything is trained on it."""

from distillery.data.validation.report import ExpectationResult as ExpectationResult
from distillery.data.validation.report import ValidationReport as ValidationReport
from distillery.data.validation.run import validate_table as validate_table
from distillery.data.validation.spec import ExpectationSpec as ExpectationSpec
from distillery.data.validation.spec import ValidationSpec as ValidationSpec

__all__ = ["ExpectationResult", "ExpectationSpec", "ValidationReport", "ValidationSpec", "validate_table"]
