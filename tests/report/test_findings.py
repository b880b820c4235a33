"""Each conclusion follows from the report's numbers, and is silent where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from distillery.data.drift import ColumnDrift, DriftReport, SplitDrift
from distillery.data.parts import LogFacts
from distillery.evaluation import Comparison, Estimate, WholeScores
from distillery.evaluation.slices import Slice, SliceSearch
from distillery.promotion import StagedModel
from distillery.report.findings import conclude
from distillery.report.model import Finding, InheritedFacts, Report, SelectionFacts, SoftLabelFacts
from distillery.report.spec import ReportSpec
from distillery.report.texts import LANGUAGES, Texts
from distillery.students import Inherited, Selected
from tests.report.shown import shown_numbers

Make = Callable[..., Report]


def comparison(value: float, verdict: str) -> Comparison:
    low, high = {"better": (value - 0.01, -0.0001), "worse": (0.0001, value + 0.01)}.get(
        verdict, (value - 0.0011, value + 0.0011)
    )
    return Comparison(difference=Estimate(value=value, low=low, high=high), verdict=verdict)  # type: ignore[arg-type]


def with_card(report: Report, role: str, **changes: Any) -> Report:
    """The report with one role's card changed."""
    cards = tuple(c.model_copy(update=changes) if c.role == role else c for c in report.scorecards.cards)
    return report.model_copy(update={"scorecards": report.scorecards.model_copy(update={"cards": cards})})


@pytest.fixture
def sound(report: Make) -> Report:
    """A report with nothing to warn of: the student is better than its control, which is worse than the teacher."""
    one = with_card(report(), "control", versus_teacher={"log_loss": comparison(0.05, "worse")})
    calm = Estimate(value=0.001, low=-0.002, high=0.003)
    for role in ("teacher", "student", "control"):
        card = next(c for c in one.scorecards.cards if c.role == role)
        one = with_card(one, role, quality=card.quality.model_copy(update={"overconfidence": calm}))
    return one


def findings(report: Report, **spec: Any) -> dict[str, Finding]:
    return {one.code: one for one in conclude(report, ReportSpec(**spec), Texts("en"))}


def warned(report: Report, **spec: Any) -> set[str]:
    return {code for code, one in findings(report, **spec).items() if one.severity == "warning"}


def baseline(report: Report, *, loss: str, size: int, latency: float) -> Report:
    """The report with a baseline of some bytes and latency, and the student's verdict against it."""
    student = report.focus
    assert student.cost is not None
    onnx = student.cost.model_copy(update={"runtime": "onnx"})
    report = with_card(report, "student", cost=onnx, versus_baseline={"log_loss": comparison(0.001, loss)})
    cost = onnx.model_copy(update={"bytes": size * onnx.bytes, "latency_p50_us": latency * onnx.latency_p50_us})
    rival = report.teacher.model_copy(update={"role": "baseline", "name": "booster", "cost": cost})
    cards = (*report.scorecards.cards, rival)
    return report.model_copy(update={"scorecards": report.scorecards.model_copy(update={"cards": cards})})


def slices(report: Report, *, increase: float, p: float | None) -> Report:
    found = Slice(
        column="carrier",
        category="AA",
        rows=200,
        share=0.08,
        disagreement=0.2,
        disagreement_elsewhere=0.05,
        disagreement_p=p,
        loss_increase=Estimate(value=increase, low=None, high=None),
        loss_increase_elsewhere=0.0,
        loss_p=p,
    )
    return with_card(
        report, "student", slices=SliceSearch(looked_at=9, least_rows=30, disagreeing=(found,), losing=(found,))
    )


def test_a_sound_report_has_no_warnings(sound: Report) -> None:
    """Nothing is said for the sake of saying it; what was kept and saved is."""
    assert warned(sound) == set()
    assert {"kept", "saved", "lift_shown", "agreed"} <= set(findings(sound))


def test_warnings_come_first(sound: Report) -> None:
    """Whatever follows from the rest."""
    kinds = [one.severity for one in conclude(with_card(sound, "teacher", rows=90), ReportSpec(), Texts("en"))]
    assert kinds == sorted(kinds, reverse=True)
    assert kinds[0] == "warning"


def test_a_teacher_no_better_than_the_prior(sound: Report) -> None:
    """The prior's loss is the bound."""
    loss = sound.teacher.quality.metrics["log_loss"].value
    assert loss is not None
    for prior, said in ((loss, True), (loss + 0.01, False)):
        cards = sound.scorecards.model_copy(update={"prior_log_loss": prior})
        assert ("no_better_than_prior" in warned(sound.model_copy(update={"scorecards": cards}))) == said


@pytest.mark.parametrize(
    ("loss", "size", "latency", "said"),
    [
        ("no difference shown", 1, 1.0, True),
        ("worse", 1, 1.5, True),
        ("better", 1, 1.0, False),
        ("no difference shown", 2, 1.0, False),
        ("no difference shown", 1, 1.6, False),
    ],
)
def test_compile_do_not_distil(sound: Report, loss: str, size: int, latency: float, said: bool) -> None:
    """Said where the compiled baseline is not shown to be worse and costs up to half as much again."""
    found = findings(baseline(sound, loss=loss, size=size, latency=latency))
    assert ("compile_instead" in found) == said
    if said:
        assert found["compile_instead"].text.startswith("Compile, do not distil: the baseline booster")
        assert found["compile_instead"].values["latency_ratio"] == pytest.approx(latency)


def test_a_wide_interval_does_not_speak_for_compiling(sound: Report) -> None:
    """It leaves room for a gain that would matter."""
    wide = Comparison(difference=Estimate(value=0.0, low=-0.2, high=0.2), verdict="no difference shown")
    one = baseline(sound, loss="no difference shown", size=1, latency=1.0)
    assert "compile_instead" in findings(one)
    assert "compile_instead" not in findings(with_card(one, "student", versus_baseline={"log_loss": wide}))


def test_a_baseline_without_a_file_or_an_interval_proves_nothing(sound: Report) -> None:
    """What was measured in Python cannot be compared with a file."""
    one = baseline(sound, loss="no difference shown", size=1, latency=1.0)
    cost = one.scorecards.of_role("baseline")[0].cost
    assert cost is not None
    assert "compile_instead" not in findings(
        with_card(one, "baseline", cost=cost.model_copy(update={"runtime": "python"}))
    )
    unknown = Comparison(difference=Estimate(value=0.0, low=None, high=None), verdict="no difference shown")
    assert "compile_instead" not in findings(with_card(one, "student", versus_baseline={"log_loss": unknown}))


@pytest.mark.parametrize(
    ("verdict", "code"), [("worse", "harm"), ("better", "lift_shown"), ("no difference shown", "lift_not_shown")]
)
def test_what_distillation_brought(sound: Report, verdict: str, code: str) -> None:
    """One sentence a candidate: it helped, it did harm, or neither is shown."""
    value = {"worse": 0.02, "better": -0.02}.get(verdict, 0.0)
    found = findings(with_card(sound, "student", lift={"log_loss": comparison(value, verdict)}))
    assert {"harm", "lift_shown", "lift_not_shown"} & set(found) == {code}
    assert found[code].values["difference"]["value"] == value  # type: ignore[index,call-overload]


def test_a_teacher_barely_ahead_of_the_control(sound: Report) -> None:
    """Not shown to be ahead at all, or only by a fiftieth of its gain over knowing nothing."""
    level = with_card(sound, "control", versus_teacher={"log_loss": comparison(0.0, "no difference shown")})
    assert "teacher_not_ahead" in warned(level)
    teacher, control = (
        c.quality.metrics["log_loss"].value for c in (sound.teacher, sound.scorecards.of_role("control")[0])
    )
    assert teacher is not None
    assert control is not None
    for share, said in ((0.99, True), (0.9, False)):
        loss = Estimate(value=0.6 - share * (0.6 - teacher), low=None, high=None)
        quality = sound.scorecards.of_role("control")[0].quality
        one = with_card(
            sound, "control", quality=quality.model_copy(update={"metrics": quality.metrics | {"log_loss": loss}})
        )
        cards = one.scorecards.model_copy(update={"prior_log_loss": 0.6})
        one = one.model_copy(update={"scorecards": cards})
        assert ("teacher_barely_ahead" in warned(one)) == said


@pytest.mark.parametrize(
    ("value", "low", "teacher", "said"),
    [(0.05, 0.03, 0.001, True), (0.05, -0.01, 0.001, False), (0.005, 0.004, 0.001, False), (0.05, 0.03, 0.06, False)],
)
def test_an_overconfident_student(sound: Report, value: float, low: float, teacher: float, said: bool) -> None:
    """Shown, above a hundredth, and more than its teacher."""
    for role, gap in (
        ("student", Estimate(value=value, low=low, high=0.1)),
        ("teacher", Estimate(value=teacher, low=0, high=1)),
    ):
        card = next(c for c in sound.scorecards.cards if c.role == role)
        sound = with_card(sound, role, quality=card.quality.model_copy(update={"overconfidence": gap}))
    assert ("overconfident" in warned(sound)) == said


@pytest.mark.parametrize(
    ("share", "p", "limit", "said"),
    [
        (0.2, 0.01, 0.05, True),
        (0.2, 0.2, 0.05, False),
        (0.2, None, 0.05, False),
        (0.02, 0.01, 0.05, False),
        (0.2, 0.01, 0.5, False),
    ],
)
def test_a_slice_that_lost_too_much(sound: Report, share: float, p: float | None, limit: float, said: bool) -> None:
    """More than the allowed share of the teacher's loss, and shown after correction."""
    loss = sound.teacher.quality.metrics["log_loss"].value
    assert loss is not None
    one = slices(sound, increase=share * loss, p=p)
    assert ("slice_lost" in warned(one, max_slice_loss=limit)) == said
    assert ("disagrees_most" in findings(one)) == (p == 0.01)
    if said:
        assert "where carrier = AA (200 test rows)" in findings(one)["slice_lost"].text


def test_labels_data_and_files(sound: Report) -> None:
    """Each in one sentence."""
    in_sample = SoftLabelFacts(method="in_sample", folds=None, train_log_loss=0.1)
    assert warned(sound.model_copy(update={"soft_labels": in_sample})) == {"in_sample"}
    ready = in_sample.model_copy(update={"ready_made": "models:/churn/3"})
    assert warned(sound.model_copy(update={"soft_labels": ready})) == {"ready_made"}
    assert warned(with_card(sound, "teacher", rows=90)) == {"few_rows"}
    assert warned(with_card(sound, "teacher", export_problem="no form")) == {"no_file"}
    staged = sound.verdict.model_copy(update={"staged": StagedModel(version="3", other_data=True)})
    assert warned(sound.model_copy(update={"verdict": staged})) == {"staged_other_data"}


def constant(report: Report) -> Report:
    return with_card(report, "student", quality=report.focus.quality.model_copy(update={"constant": True}))


def privileged(report: Report, *, gain: float, spread: float = 0.01) -> Report:
    """The report with a teacher whose ROC AUC is by so much lower without privileged columns."""
    less = Comparison(difference=Estimate(value=-gain, low=-gain - spread, high=-gain + spread), verdict="worse")
    card = report.teacher.model_copy(
        update={"role": "regular_teacher", "versus_teacher": {"auc_roc": less, "log_loss": comparison(0.02, "worse")}}
    )
    report = with_card(report, "student", versus_regular={"log_loss": comparison(-0.003, "better")})
    cards = (*report.scorecards.cards, card)
    return report.model_copy(update={"scorecards": report.scorecards.model_copy(update={"cards": cards})})


@pytest.mark.parametrize(
    ("gain", "spread", "limit", "said"),
    [(0.2, 0.05, 0.1, True), (0.12, 0.05, 0.1, False), (0.05, 0.01, 0.1, False), (0.05, 0.01, 0.02, True)],
)
def test_a_suspiciously_good_teacher(sound: Report, gain: float, spread: float, limit: float, said: bool) -> None:
    """Warned of where the interval of what privileged columns gave it lies above what is allowed."""
    found = findings(privileged(sound, gain=gain, spread=spread), suspicious_gain=limit)
    assert ("suspicious_columns" in found) == said
    if said:
        assert found["suspicious_columns"].severity == "warning"
        assert "privileged columns (plan)" in found["suspicious_columns"].text


def test_what_privileged_columns_gave(sound: Report) -> None:
    """The teacher by what they change, the student against the teacher without them and against its control."""
    found = findings(privileged(sound, gain=0.05))
    text = found["privileged_teacher"].text
    assert text.endswith("by +.0500 [+.0400, +.0600] against the same teacher without them: better")
    assert "(better), minus its own control's" in found["privileged_student"].text
    assert not {"privileged_teacher", "privileged_student"} & set(findings(sound))


def test_what_reads_privileged_columns_cannot_be_compiled_instead(sound: Report) -> None:
    """A rival is the teacher without them."""
    good = {"log_loss": comparison(0.0, "no difference shown")}
    student, teacher = sound.focus, sound.teacher
    assert student.cost is not None
    cost = student.cost.model_copy(update={"runtime": "onnx"})
    one = with_card(sound, "student", cost=cost, versus_teacher=good)
    one = with_card(one, "teacher", cost=cost)
    assert "compile_instead" not in findings(one)
    columns = tuple(c.model_copy(update={"privileged": False}) for c in sound.table_schema.columns)
    plain = one.model_copy(update={"table_schema": sound.table_schema.model_copy(update={"columns": columns})})
    assert f"the teacher {teacher.name}" in findings(plain)["compile_instead"].text
    both = with_card(privileged(one, gain=0.05), "student", versus_regular=good)
    assert f"the regular teacher {teacher.name}" in findings(both)["compile_instead"].text


def without_intervals(report: Report) -> Report:
    quality = report.teacher.quality
    bare = {name: one.model_copy(update={"low": None, "high": None}) for name, one in quality.metrics.items()}
    return with_card(report, "teacher", quality=quality.model_copy(update={"metrics": bare}))


@pytest.mark.parametrize("role", ["teacher", "student", "control"])
def test_a_constant_model(sound: Report, role: str) -> None:
    """Told of by its own answers, not by ranks that either side may leave undefined; a control is no candidate."""
    agreement, quality = sound.focus.agreement, next(iter(sound.scorecards.of_role(role))).quality  # type: ignore[arg-type]
    assert agreement is not None
    undefined = with_card(sound, "student", agreement=agreement.model_copy(update={"spearman": None}))
    assert warned(undefined) == set()
    one = with_card(undefined, role, quality=quality.model_copy(update={"constant": True}))
    found = findings(one)
    assert ("constant" in found) == (role != "control")
    if role != "control":
        assert found["constant"].text.startswith(f"The {role} {found['constant'].values['name']} gives")


@pytest.mark.parametrize(("confidence", "said"), [(0.9, True), (0.95, False), (0.99, False)])
def test_slices_are_shown_at_the_confidence_of_the_run(sound: Report, confidence: float, said: bool) -> None:
    """A corrected p value of 0.07 shows something at 0.9 alone."""
    one = slices(sound, increase=9.0, p=0.07)
    one = one.model_copy(update={"scorecards": one.scorecards.model_copy(update={"confidence": confidence})})
    assert {"slice_lost", "disagrees_most"} & set(findings(one)) == (
        {"slice_lost", "disagrees_most"} if said else set()
    )


def test_too_few_groups(sound: Report) -> None:
    """There is no interval anywhere, so nothing is said to be shown."""
    assert "no_intervals" in warned(without_intervals(sound))


@pytest.mark.parametrize(
    ("column", "split", "drifted", "said"),
    [
        ("churned", "test", True, True),
        ("age", "test", True, False),
        ("churned", "test", False, False),
        ("churned", "valid", True, False),
    ],
)
def test_a_target_that_drifted(sound: Report, column: str, split: str, drifted: bool, said: bool) -> None:
    """Of the test rows, and the target alone."""
    moved = ColumnDrift(column=column, method="d", kind="distance", score=0.3, threshold=0.1, drifted=drifted)
    drift = DriftReport(splits=(SplitDrift(split=split, rows=(9, 9), of_rows=(9, 9), columns=(moved,)),))
    assert ("target_drifted" in warned(sound.model_copy(update={"drift": drift}))) == said


@pytest.mark.parametrize("got", ["labels", "compressed"])
def test_a_student_that_could_not_inherit(sound: Report, got: Any) -> None:
    """Said where the teacher had no vectors, and only there."""
    took = Inherited(asked="compressed", got=got, dimensions=4)
    found = findings(sound.model_copy(update={"inherited": (InheritedFacts(name="small", took=took),)}))
    assert ("inherits_labels_only" in found) == (got == "labels")
    if got == "labels":
        one = found["inherits_labels_only"]
        assert one.severity == "warning"
        assert "small was to inherit the teacher's vectors (compressed), but a teacher of kind mlp has none" in one.text


def test_the_baseline_and_the_columns_are_results(sound: Report) -> None:
    """Columns needed of those given, and the verdict against what was not distilled."""
    chosen = SelectionFacts(name="small", among=8, columns=(Selected("a", 1.0), Selected("b", 0.5)))
    found = findings(baseline(sound, loss="better", size=9, latency=9.0).model_copy(update={"selections": (chosen,)}))
    assert found["fewer_columns"].text == "small needs 2 of 8 raw columns (25.0 %)"
    assert ": better; the baseline has 9 × its bytes" in found["against_baseline"].text


def costlier(report: Report, **student: float) -> Report:
    """The report with costs of its student; the teacher's peak memory is 2 MB."""
    mine, its = report.focus.cost, report.teacher.cost
    assert mine is not None
    assert its is not None
    report = with_card(report, "teacher", cost=its.model_copy(update={"peak_memory_bytes": 2_000_000}))
    return with_card(report, "student", cost=mine.model_copy(update=student))


@pytest.mark.parametrize(("times", "said"), [(0.5, False), (1.05, False), (1.2, True)])
@pytest.mark.parametrize("cost", ["params", "bytes", "latency_p50_us", "flops_per_row"])
def test_what_a_student_costs_more(sound: Report, cost: str, times: float, said: bool) -> None:
    """It is not hidden among what was saved; a tenth is noise."""
    base = costlier(sound)
    assert base.teacher.cost is not None
    found = findings(costlier(sound, **{cost: times * getattr(base.teacher.cost, cost)}))
    assert (f"more_{cost}" in found) == said


def variants(sound: Report) -> Iterator[Report]:
    """Reports that between them give a rule's every sentence its cause."""
    yield slices(baseline(sound, loss="worse", size=1, latency=1.0), increase=1.0, p=0.001)
    yield with_card(sound, "teacher", rows=90, export_problem="no form")
    for verdict, value in (("worse", 0.02), ("no difference shown", 0.0)):
        yield with_card(sound, "student", lift={"log_loss": comparison(value, verdict)})
    yield with_card(sound, "control", versus_teacher={"log_loss": comparison(0.0, "no difference shown")})
    loss = sound.teacher.quality.metrics["log_loss"].value
    assert loss is not None
    for prior in (loss, 99.0):
        yield sound.model_copy(update={"scorecards": sound.scorecards.model_copy(update={"prior_log_loss": prior})})
    in_sample = SoftLabelFacts(method="in_sample", folds=None, train_log_loss=0.1)
    yield sound.model_copy(update={"soft_labels": in_sample})
    yield sound.model_copy(update={"soft_labels": in_sample.model_copy(update={"ready_made": "models:/churn/3"})})
    verdict = sound.verdict.model_copy(update={"staged": StagedModel(version="3", other_data=True)})
    yield sound.model_copy(update={"verdict": verdict})
    yield without_intervals(sound)
    yield constant(sound)
    yield costlier(sound, peak_memory_bytes=9_000_000)
    quality = sound.focus.quality.model_copy(update={"overconfidence": Estimate(value=0.2, low=0.1, high=0.3)})
    yield with_card(sound, "student", quality=quality)
    moved = ColumnDrift(column="churned", method="d", kind="distance", score=0.3, threshold=0.1, drifted=True)
    drift = DriftReport(splits=(SplitDrift(split="test", rows=(9, 9), of_rows=(9, 9), columns=(moved,)),))
    yield sound.model_copy(update={"drift": drift})
    chosen = SelectionFacts(name="small", among=8, columns=(Selected("a", 1.0), Selected("b", 0.5)))
    yield sound.model_copy(update={"selections": (chosen,)})
    alone = Inherited(asked="embeddings", got="labels", dimensions=4)
    yield sound.model_copy(update={"inherited": (InheritedFacts(name="small", took=alone),)})
    yield privileged(sound, gain=0.3)
    log = LogFacts(rows=9_000, bad_rows=3, negatives=800, dropped_negatives=700, hashed=("id",))
    held = {"train": 50, "valid": 60, "test": 70}
    data = sound.data.model_copy(update={"log": log, "held": held})
    yield sound.model_copy(update={"data": data, "sampled": ("boosted",)})


@pytest.mark.parametrize("whole", [False, True])
def test_a_table_of_all_test_rows_is_named_where_there_is_one(sound: Report, whole: bool) -> None:
    """With three classes or more none is measured."""
    every = WholeScores.model_validate(dict.fromkeys(WholeScores.model_fields, 1))
    one = with_card(sound, "teacher", whole=every) if whole else sound
    data = one.data.model_copy(update={"held": {"train": 50, "valid": 60, "test": 70}})
    said = conclude(one.model_copy(update={"data": data}), ReportSpec(), Texts("en"))
    (found,) = [finding for finding in said if finding.code == "measured_on_sample"]
    assert ("in the table of the whole test split" in found.text) == whole


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_has_its_cause_and_its_figures(sound: Report, language: str) -> None:
    """Each of the catalogue's is said by some report, and every number in it is one of the finding's values."""
    texts, said = Texts(language), set()  # type: ignore[arg-type]
    for report in variants(sound):
        for finding in conclude(report, ReportSpec(), texts):
            said.add(finding.code)
            held = list(held_numbers(finding.values))
            for number, slack in shown_numbers(finding.text):
                assert any(abs(number) - slack <= abs(one) <= abs(number) + slack for one in held), finding
    assert said == {key.removeprefix("finding.") for key in texts.keys if key.startswith("finding.")}


def held_numbers(value: Any) -> Iterator[float]:
    """Every number of a finding's values, those within its names included."""
    if isinstance(value, dict):
        for one in value.values():
            yield from held_numbers(one)
    elif isinstance(value, str):
        yield from (number for number, _ in shown_numbers(value))
    elif value is not None:
        yield float(value)
