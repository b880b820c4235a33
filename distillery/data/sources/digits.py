"""1,797 handwritten digits of 8 x 8 pixels.

Data: the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998,
CC BY 4.0), as scikit-learn ships it. Who wrote which digit is not told, so rows cannot be grouped by writer.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import Field, PositiveInt
from sklearn.datasets import load_digits

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.table import Table
from distillery.spec import Spec


class DigitsSpec(Spec):
    """The built-in small digits: which one is it, 0 to 9?

    Attributes:
        rows: at most so many images, sampled.
        split: by default at random, stratified by digit.
    """

    kind: Literal["digits"] = "digits"
    rows: PositiveInt | None = None
    split: SplitSpec = Field(default_factory=SplitSpec)

    @property
    def default_scenario(self) -> str:
        return "digits"

    def load(self, seed: int) -> Table:
        """Read, sample and split the images."""
        return build_table(read_digits(), Roles(target="digit"), self.split, seed=seed, rows=self.rows)


def read_digits() -> pd.DataFrame:
    """Return every image, one row each: ink 0 to 16 in ``pixel_<row>_<column>``, and ``digit``."""
    frame: pd.DataFrame = load_digits(as_frame=True).frame
    return frame.rename(columns={"target": "digit"})
