"""What every saved model begins with, its spec and its schema, and what seals an artifact's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from distillery.data.schema import Schema

SPEC_FILE, SCHEMA_FILE, MANIFEST = "spec.json", "schema.json", "manifest.json"


def header_files(spec: BaseModel, schema: Schema) -> dict[str, bytes]:
    """Return ``spec.json`` and ``schema.json``."""
    return {SPEC_FILE: spec.model_dump_json().encode(), SCHEMA_FILE: schema.model_dump_json().encode()}


def read_schema(files: Mapping[str, bytes]) -> Schema:
    """Read what `header_files` wrote of the schema."""
    return Schema.model_validate_json(files[SCHEMA_FILE])


def seal(files: Mapping[str, bytes | Path]) -> bytes:
    """Return the content of ``manifest.json``: the SHA-256 of each file; written last, it says all is there."""
    return json.dumps({name: digest(files[name]) for name in sorted(files)}, indent=1).encode()


def digest(content: bytes | Path) -> str:
    """Return the SHA-256 that a manifest holds of a file, given its content or where it lies."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:  # never whole in memory
        return hashlib.file_digest(file, "sha256").hexdigest()
