"""A temporary folder that lives as long as what lies in it is used."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import final


@final
class LentFolder:
    """A new temporary folder; it is removed when nothing refers to this object any more, or when Python ends.

    Attributes:
        path: where it is.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="distillery-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
