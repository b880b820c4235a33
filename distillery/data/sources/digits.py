"""1,797 handwritten digits of 8 x 8 pixels.

Data: the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998,
CC BY 4.0), as scikit-learn ships it. Who wrote which digit is not told, so rows cannot be grouped by writer.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
from sklearn.datasets import load_digits

from distillery.data.build import Roles
from distillery.data.sources._packages import BuiltInSpec


class DigitsSpec(BuiltInSpec):
    """The built-in small digits: which one is it, 0 to 9? By default they are split at random, stratified by digit."""

    kind: Literal["digits"] = "digits"

    @property
    def roles(self) -> Roles:
        return Roles(target="digit")

    def read(self) -> pd.DataFrame:
        """Return every image, one row each: ink 0 to 16 in ``pixel_<row>_<column>``, and ``digit``."""
        frame: pd.DataFrame = load_digits(as_frame=True).frame
        return frame.rename(columns={"target": "digit"})
