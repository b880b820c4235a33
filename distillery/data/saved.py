"""The two files every saved model begins with: its spec and its schema."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from distillery.data.schema import Schema

SPEC_FILE, SCHEMA_FILE = "spec.json", "schema.json"


def header_files(spec: BaseModel, schema: Schema) -> dict[str, bytes]:
    """Return ``spec.json`` and ``schema.json``."""
    return {SPEC_FILE: spec.model_dump_json().encode(), SCHEMA_FILE: schema.model_dump_json().encode()}


def read_schema(files: Mapping[str, bytes]) -> Schema:
    """Read what `header_files` wrote of the schema."""
    return Schema.model_validate_json(files[SCHEMA_FILE])
