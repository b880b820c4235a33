"""The table: its schema, where it comes from, how it is split and validated."""

from distillery.data.schema import Column as Column
from distillery.data.schema import RawEncoder as RawEncoder
from distillery.data.schema import Schema as Schema
from distillery.data.table import Rows as Rows
from distillery.data.table import Table as Table

__all__ = ["Column", "RawEncoder", "Rows", "Schema", "Table"]
