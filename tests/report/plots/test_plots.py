"""Every picture, of sound scenes and of odd ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.report import plots
from distillery.report.plots import PLOTS, draw
from distillery.report.plots.style import Palette
from distillery.report.plots.svg import INK, Sheet, drawing
from distillery.report.plots.view import View
from distillery.report.scene import Drawing, Scene
from distillery.report.texts import LANGUAGES, Texts
from distillery.students import DecisionTreeSpec, LogisticRegressionSpec, MLPSpec
from tests.report.plots.conftest import ROLES, Guess, fit_models, make_raw, make_scene, table_of

SVG = "{http://www.w3.org/2000/svg}"


def checked(scene: Scene, language: Any = "en", *, only: str = "") -> dict[str, Drawing]:
    """Draw a scene, or some pictures of it; each must be a whole, safe SVG that needs nothing from elsewhere."""
    if only:
        view = View(scene, Texts(language))
        made = [plots._drawn(plot, view) for plot in PLOTS if plot.__name__ in only.split()]
        drawings = [one for one in made if one is not None]
    else:
        drawings = list(draw(scene, Texts(language)))
    for one in drawings:
        root = ET.fromstring(one.svg)
        assert root.tag == f"{SVG}svg"
        assert {element.tag for element in root.iter()} & {f"{SVG}script", f"{SVG}foreignObject"} == set()
        links = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links), one.name
        assert "<script" not in one.svg
        assert "<metadata" not in one.svg
        assert INK not in one.svg
        assert "currentColor" in one.svg
    return {one.name: one for one in drawings}


def words(drawing: Drawing) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(drawing.svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def drawings(scene: Scene) -> dict[str, Drawing]:
    return checked(scene)


def test_everything_that_applies_is_drawn_once(drawings: dict[str, Drawing]) -> None:
    """Pixels alone are missing: the rows are no images."""
    assert list(drawings) == [plot.__name__ for plot in PLOTS if plot is not plots.pixels]


def test_the_same_run_gives_the_same_bytes(scene: Scene, drawings: dict[str, Drawing]) -> None:
    """Also where the order of drawing is another."""
    again = draw(replace(scene, students=dict(reversed(scene.students.items()))), Texts("en"))
    assert {one.name: one for one in again} == drawings


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_has_a_title_and_a_caption(language: Any) -> None:
    """In each language, and no others have."""
    texts = Texts(language)
    titled = {key.split(".")[1] for key in texts.keys if re.fullmatch(r"plot\.\w+\.title", key)}
    assert titled == {plot.__name__ for plot in PLOTS}
    for name in titled:
        assert texts(f"plot.{name}.caption").endswith((".", "。"))


def test_the_catalogues_hold_the_same_messages() -> None:
    """A language lacks nothing."""
    one, two = ({key for key in Texts(language).keys if key.startswith("plot.")} for language in LANGUAGES)
    assert one == two


def test_the_report_s_language_is_spoken(scene: Scene) -> None:
    """Axes and roles; no glyph is missing while it is laid out, or this would warn."""
    found = checked(scene, "zh", only="roc")
    assert "假阳性率" in words(found["roc"])
    assert any(word.startswith("学生 small") for word in words(found["roc"]))


def test_a_model_has_one_colour_in_all_pictures(scene: Scene, drawings: dict[str, Drawing]) -> None:
    """Whatever is drawn for it is in its colour, and no two students' signs are alike."""
    palette = Palette.of(scene.report.scorecards)
    looks = {look.key: look for look in (palette[card] for card in scene.report.scorecards.cards)}
    assert len(looks) == len(ROLES)
    seen: dict[str, set[str]] = {key: set() for key in looks}
    for one in drawings.values():
        for group in ET.fromstring(one.svg).iter(f"{SVG}g"):
            if (key := group.get("id", "")) in looks:
                styles = " ".join(e.get("style", "") for e in group.iter())
                seen[key] |= set(re.findall(r"(?:fill|stroke): (#\w{6}|currentColor)", styles))
    expected = {k: {"currentColor" if look.colour == INK else look.colour.lower()} for k, look in looks.items()}
    assert seen == expected
    students = [look for key, look in looks.items() if key.startswith("student")]
    assert len({(look.colour, look.marker) for look in students}) == len(students)
    assert looks["control-1"].colour == looks["student-1"].colour
    assert looks["control-1"].dashes != looks["student-1"].dashes


def test_names_are_text() -> None:
    """Nothing is read as markup, as a formula, or as the end of a line."""
    names = [
        "<script>alert(1)</script>",
        "$x$",
        "a_b^c & \"d\" 'e'",
        "two\nlines\x00\x07",
        "列名" * 30 + "😀",
        "}{\\frac",
    ]
    raw = make_raw(200).rename(columns={"signal": names[0], "noise": names[1], "count": names[2], "city": names[3]})
    raw[names[4]], raw[names[5]] = raw[names[1]] * 2, raw[names[1]] ** 2
    raw["y"] = np.where(raw["y"] == 1, "<b>ja</b> $y$", "否" * 40)
    table = table_of(raw)
    labels = {
        ("student", "small"): "模型 <i>$a$</i> " + "很长" * 30,
        ("teacher", "big"): "teacher <svg onload=alert(1)>",
    }
    models = {key: Guess(table.schema) for key in ROLES[:2]}
    found = checked(make_scene(table, models=models, labels=labels))
    said = words(found["importance"])
    assert {"<script>alert(1)</script>", "$x$", "two lines", "}{\\frac"} <= set(said)
    assert any(word.startswith("列名列名") and "…" in word and len(word) < 40 for word in said)
    assert any("teacher <svg" in word for word in words(found["roc"]))


def test_more_characters_than_stand_ins() -> None:
    """What cannot be measured any more is a question mark, not a crash; each has its own stand-in."""
    sheet = Sheet(2, 2, Texts("en"))
    letters = [chr(0x4E00 + i) for i in range(600)]
    said = [sheet.say(letter) for letter in letters]
    told_apart = [one for one in said if one != "?"]
    assert len(set(told_apart)) == len(told_apart) > 400
    sheet.figure.text(0, 0, "".join(told_apart))
    with drawing("letters"):
        assert "".join(letters[: len(told_apart)]) in sheet.svg()


def test_real_models_of_two_classes() -> None:
    """A tree that needs all columns, a network, and weights."""
    raw = make_raw(500).assign(w=np.random.default_rng(0).uniform(0.5, 2, 500))
    table = table_of(raw, weight="w")
    specs = [LogisticRegressionSpec(), MLPSpec(epochs=2, widths=(8,), bins=4, augment=None)]
    models = fit_models(table, DecisionTreeSpec(), specs)
    assert "boundaries" in checked(make_scene(table, models=models))


def test_images_and_ten_classes() -> None:
    """Selected pixels over the mean image; only some columns of many, and it is said."""
    rng = np.random.default_rng(0)
    raw = pd.DataFrame(rng.integers(0, 16, (300, 784)), columns=[f"p{i}" for i in range(784)])
    table = table_of(raw.assign(y=np.arange(300) % 10))
    image = Guess(table.schema)
    scene = make_scene(table, models=dict.fromkeys(ROLES[:3], image))
    object.__setattr__(image, "spec", SimpleNamespace(shape=(1, 28, 28)))
    names = "distributions correlation pca importance gates gate_paths factors pixels boundaries"
    found = checked(replace(scene, teacher=image), only=names)
    assert " ".join(found) == names
    assert "3 of 784 columns" in words(found["pixels"])
    assert found["importance"].note == "20 of 784 columns, those that matter most"
    assert found["distributions"].note == "12 of 784 columns, those that matter most"


def many_classes() -> Table:
    rng = np.random.default_rng(0)
    points = {"signal": rng.normal(size=3000), "noise": rng.normal(size=3000)}
    return table_of(pd.DataFrame(points).assign(y=[f"k{i % 300}" for i in range(3000)]))


def few_rows_without_numbers() -> Table:
    raw = make_raw(80)[["city", "y"]]
    return table_of(raw.assign(plan=np.resize(["a", "b", "c"], 80)))


def endless_and_empty() -> Table:
    """Values that no source lets in, but a split may hold none, and a model's rows may be anything."""
    table = table_of(make_raw(200))
    table.frame["city"] = None
    table.frame["signal"] = np.nan
    table.frame["noise"] = np.where(np.arange(200) % 9 == 0, np.inf, -np.finfo(np.float32).max)
    return table


ODD: dict[str, Callable[[], Table]] = {
    "26 classes": lambda: table_of(make_raw(1040).assign(y=lambda f: [chr(97 + i % 26) for i in range(len(f))])),
    "300 classes": many_classes,
    "20 test rows, no numbers": few_rows_without_numbers,
    "one column": lambda: table_of(make_raw(200)[["signal", "y"]]),
    "one category column": lambda: table_of(make_raw(200)[["city", "y"]]),
    "infinite and missing": endless_and_empty,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tables(name: str) -> None:
    """Nothing warns or fails, and what does not apply is left out."""
    table = ODD[name]()
    scene = make_scene(table, models={key: Guess(table.schema) for key in ROLES[: 2 if name == "300 classes" else 3]})
    by_class = "front distributions pca roc precision_recall reliability confusion boundaries tsne soft_labels"
    found = checked(scene, "zh", only=by_class if "classes" in name else "")
    assert {"roc", "reliability", "confusion", "distributions", "front"} <= set(found)
    assert len(scene.table.schema.numeric) > 1 or "correlation" not in found
    if name == "300 classes":
        assert found["confusion"].note == "300 个类别中的 26 个"
    if name == "infinite and missing":
        assert words(found["distributions"]).count("没有值") == 2


def test_constant_predictions_and_one_class(scene: Scene) -> None:
    """Models that say the same of every row; test rows of one class have no curves."""
    models = {key: Guess(scene.table.schema, 0.0) for key in ROLES}
    constant = make_scene(scene.table, models=models)
    names = "front roc precision_recall reliability confusion predictions boundaries tsne soft_labels"
    assert list(checked(constant, only=names)) == sorted(names.split(), key=[p.__name__ for p in PLOTS].index)
    alone = replace(constant.predictions, y=np.zeros_like(constant.predictions.y))
    found = checked(replace(constant, predictions=alone), only="roc precision_recall reliability confusion")
    assert set(found) == {"reliability", "confusion"}


def test_what_is_absent_is_not_drawn(scene: Scene) -> None:
    """A report without importance, slices, costs, gates, factors or training still has its other pictures."""
    cards = scene.report.scorecards
    absent = {"importance": None, "slices": None, "cost": None}
    bare = cards.model_copy(update={"cards": tuple(card.model_copy(update=absent) for card in cards.cards)})
    fields = {"scorecards": bare, "gate_paths": {}, "factors": (), "training": (), "selections": ()}
    gone = "front importance importance_spread gates gate_paths factors pixels slices slice_losses boundaries training"
    assert checked(replace(scene, report=scene.report.model_copy(update=fields)), only=gone) == {}


def test_many_models_lose_their_controls_first(scene: Scene) -> None:
    """And it is said."""
    keys = [("teacher", "big"), *((role, f"s{i}") for i in range(7) for role in ("student", "control"))]
    models = {key: Guess(scene.table.schema, 2.0) for key in keys}
    found = checked(make_scene(scene.table, models=models), only="roc confusion training slices boundaries")
    assert found["roc"].note == "the controls are left out"
    assert not any(word.startswith("control") for word in words(found["roc"]))
    assert found["confusion"].note == "6 of 8 models"


def test_a_failure_is_not_swallowed(scene: Scene) -> None:
    """Whoever writes the report must hear of it."""

    class Broken:
        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            raise ArithmeticError("no answer")

    with pytest.raises(ArithmeticError, match="no answer"):
        checked(replace(scene, teacher=Broken()), only="boundaries")  # type: ignore[arg-type]


def test_the_caller_s_settings_are_kept(scene: Scene, drawings: dict[str, Drawing]) -> None:
    """Neither what matplotlib is set to, nor the caller's own settings in the pictures."""
    with mpl.rc_context({"font.size": 30.0}):
        before = dict(mpl.rcParams)
        assert checked(scene, only="roc")["roc"] == drawings["roc"]
        assert dict(mpl.rcParams) == before
