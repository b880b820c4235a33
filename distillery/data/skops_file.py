"""scikit-learn models as skops files: no pickle, trusted types only, small, and equal for equal models."""

from __future__ import annotations

import io
import re
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import skops.io as sio

from distillery.errors import ArtifactError, shortlist

# What skops may load beyond its own list.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.metrics.pairwise.rbf_kernel", "sklearn.tree._tree.Tree"]
_SCHEMA = "schema.json"


def dump(model: Any) -> bytes:
    """Return a skops file, compressed, without what differs between two equal models: dates and memory addresses."""
    with ZipFile(io.BytesIO(sio.dumps(model))) as written:
        schema = written.read(_SCHEMA).decode()
        addresses = dict.fromkeys(re.findall(r'"__id__": (\d+)', schema))
        numbers = {address: str(i) for i, address in enumerate(addresses)}
        arrays = {_renumber(n, numbers): written.read(n) for n in written.namelist() if n != _SCHEMA}
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            archive.writestr(ZipInfo(name), arrays[name], ZIP_DEFLATED)  # dated 1980, the format's first day
        archive.writestr(ZipInfo(_SCHEMA), _renumber(schema, numbers), ZIP_DEFLATED)
    return packed.getvalue()


def _renumber(text: str, numbers: dict[str, str]) -> str:
    """Replace the addresses in identifiers and in the names of array files."""
    return re.sub(r'(?<="__id__": )\d+|\d+(?=\.np[yz])', lambda found: numbers.get(found[0], found[0]), text)


def load(content: bytes) -> Any:
    """Read a skops file.

    Raises:
        ArtifactError: it holds types that are not trusted.
    """
    untrusted = set(sio.get_untrusted_types(data=content)) - set(TRUSTED_TYPES)
    if untrusted:
        raise ArtifactError(f"a saved model must hold trusted types only, got {shortlist(sorted(untrusted))}")
    return sio.loads(content, trusted=TRUSTED_TYPES)
