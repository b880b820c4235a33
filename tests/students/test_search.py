"""Settings chosen on the validation split, by searches that can be interrupted."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from sklearn.metrics import log_loss

from distillery.config import DistillConfig
from distillery.errors import ConfigError, TrainingError
from distillery.students import STUDENTS, Lesson, LogisticRegressionSpec, MLPSpec, SearchSpec, load_student
from tests.checks import make_table
from tests.terminal import error_terminal

ROOT = Path(__file__).resolve().parents[2]
ALPHAS = [0.0, 0.3, 0.6, 0.9]
FAST = MLPSpec(widths=(8,), bins=4, epochs=2, batch_size=64, augment=None)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test has a working folder of its own, so searches of another are unknown."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def lesson():
    """Weighted rows; the hard labels are too often wrong, the teacher is too sure."""
    table = make_table(weight=True)
    train = table.rows("train")
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(train)) < 0.33, 1 - train.labels, train.labels)
    z = np.stack([-6.0 * (2 * train.labels - 1), 6.0 * (2 * train.labels - 1)], axis=1)
    soft = (z - np.log(np.exp(z).sum(axis=1, keepdims=True))).astype(np.float32)
    return Lesson(table.schema, dataclasses.replace(train, labels=noisy), table.rows("valid"), soft)


@pytest.fixture
def fits(monkeypatch):
    """What logistic regressions were fitted with; raises `fits.error` before fit number `fits.stop`."""

    class Fits(list):
        stop, error = None, None

    noted, train = Fits(), LogisticRegressionSpec.train

    def noting(self, lesson, *, seed, on_epoch=None):
        if len(noted) == noted.stop:
            raise noted.error
        noted.append((self.alpha, self.c))
        return train(self, lesson, seed=seed, on_epoch=on_epoch)

    monkeypatch.setattr(LogisticRegressionSpec, "train", noting)
    return noted


def linear(**search):
    return LogisticRegressionSpec(search=SearchSpec.model_validate(search))


def without_search(files):
    return {name: content for name, content in files.items() if name != "spec.json"}


def test_every_point_is_tried_once_and_the_best_on_validation_is_chosen(lesson, fits):
    """Where the budget covers them all; by weighted log loss on hard labels, and the student is the trial's own."""
    student = linear(alpha=ALPHAS, c=[0.1, 10], budget=8).fit(lesson, seed=0)
    points = list(itertools.product(ALPHAS, [0.1, 10.0]))
    assert fits == points
    assert [(t.number, *t.params.values()) for t in student.trials] == [(i, *p) for i, p in enumerate(points)]
    valid, losses = lesson.valid, []
    for alpha, c in points:
        alone = LogisticRegressionSpec(alpha=alpha, c=c).fit(lesson, seed=0)
        losses.append(log_loss(valid.labels, alone.predict_proba(valid.features), sample_weight=valid.weights))
    assert [t.valid_log_loss for t in student.trials] == losses
    best = points[int(np.argmin(losses))]
    assert (student.spec.alpha, student.spec.c) == best
    assert best != points[0]
    alone = LogisticRegressionSpec(alpha=best[0], c=best[1]).fit(lesson, seed=0)
    assert without_search(student.to_files()) == without_search(alone.to_files())


@pytest.mark.parametrize("budget", [4, 3], ids=["grid", "tpe"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")], ids=["ctrl-c", "crash"])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(lesson, fits, budget, error, folder):
    """Finished trials are not repeated, the unfinished one is, and the student is the same, byte for byte."""
    here, there = (f"sqlite:///{folder}/{name}.db" for name in ("here", "there"))

    def spec(storage):
        return linear(alpha=ALPHAS, budget=budget, storage=storage)

    whole = spec(there).fit(lesson, seed=0)
    tried = list(fits)
    fits.clear()
    fits.stop, fits.error = 2, error
    with pytest.raises(type(error)):
        spec(here).fit(lesson, seed=0)
    assert fits == tried[:2]
    fits.stop, told = None, []
    student = spec(here).fit(lesson, seed=0, on_trial=lambda *trial: told.append(trial))
    assert fits[: len(tried)] == tried
    assert [(trial.number, resumed) for trial, resumed in told] == [(i, i < 2) for i in range(budget)]
    assert student.trials == whole.trials == tuple(trial for trial, _ in told)
    assert without_search(student.to_files()) == without_search(whole.to_files())


def test_a_finished_search_is_not_repeated_and_gives_the_same_student(lesson):
    """Only the best is fitted again; a larger budget or another name goes on with what is there."""
    spec = FAST.model_copy(update={"search": SearchSpec(over={"temperature": (1, 4), "alpha": (0.5, 0.9)})})
    first = spec.fit(lesson, seed=0)
    told = []
    again = spec.model_copy(update={"name": "other"})
    again = again.model_copy(update={"search": spec.search.model_copy(update={"budget": 30})})
    second = again.fit(lesson, seed=0, on_trial=lambda _, resumed: told.append(resumed))
    assert told == [True] * 4
    assert second.trials == first.trials
    assert without_search(second.to_files()) == without_search(first.to_files())
    assert second.spec.title == "other"


def test_what_decides_a_trial_starts_a_new_search(lesson, fits):
    """Other rows, labels, soft labels, weights, seeds or settings; not the name and not the budget."""
    spec = linear(alpha=[0.2, 0.8])
    train, valid = lesson.train, lesson.valid
    rows = dataclasses.replace(train, features=train.features.assign(noise=0.0))
    lessons = [
        lesson,
        dataclasses.replace(lesson, train=rows),
        dataclasses.replace(lesson, train=dataclasses.replace(train, labels=1 - train.labels)),
        dataclasses.replace(lesson, soft=lesson.soft[:, ::-1]),
        dataclasses.replace(lesson, valid_soft=lesson.soft[: len(valid)]),
        dataclasses.replace(lesson, valid_soft=lesson.soft[-len(valid) :]),
        dataclasses.replace(lesson, valid=valid.take(np.arange(50))),
        dataclasses.replace(lesson, valid=dataclasses.replace(valid, weights=valid.weights**2)),
    ]
    for one in lessons:
        spec.fit(one, seed=0)
    spec.fit(lesson, seed=1)
    spec.model_copy(update={"hard_weight": 0.5}).fit(lesson, seed=0)
    assert len(fits) == 2 * (len(lessons) + 2)
    fits.clear()
    spec.model_copy(update={"name": "other"}).fit(lesson, seed=0)
    assert len(fits) == 1  # the best, again


def test_a_budget_below_the_grid_is_spent_on_different_points(lesson, fits):
    """Which ones is decided by the seed; a higher budget goes on from there."""
    over = {"alpha": [i / 20 for i in range(21)], "c": [0.1, 1.0, 10.0]}
    one = linear(**over, budget=12).fit(lesson, seed=3)
    assert len(set(fits)) == len(fits) == 12
    tried, fits[:] = list(fits), []
    more = linear(**over, budget=13).fit(lesson, seed=3)
    assert more.trials[:12] == one.trials
    assert len(set(tried) | set(fits[:1])) == 13
    less = linear(**over, budget=5).fit(lesson, seed=3)
    assert less.trials == one.trials[:5]
    fits.clear()
    linear(**over, budget=12, storage="sqlite:///elsewhere.db").fit(lesson, seed=3)
    assert fits == tried  # the best was still at hand
    fits.clear()
    linear(**over, budget=3).fit(lesson, seed=4)
    assert fits[:3] != tried[:3]


def test_the_default_storage_lies_in_the_working_folder_and_optuna_reads_it(lesson, folder):
    """A file of SQLite, where git does not look; one study, its trials complete."""
    student = linear(alpha=[0.2, 0.8]).fit(lesson, seed=0)
    path = folder / ".distillery" / "searches" / "optuna.db"
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{path}")
    assert study.study_name.startswith("logistic_regression-")
    assert study.best_trial.value == min(t.valid_log_loss for t in student.trials)
    assert study.best_trial.params == {"alpha": str(student.spec.alpha)}


def test_a_storage_is_read_with_the_environment(lesson, folder, monkeypatch):
    """So that no password stands in the config."""
    monkeypatch.setenv("SEARCHES", "in/a/folder")
    linear(alpha=[0.2, 0.8], storage="sqlite:///$SEARCHES/trials.db").fit(lesson, seed=0)
    assert (folder / "in" / "a" / "folder" / "trials.db").exists()


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("sqlite:///file/trials.db", "File exists"),
        ("nonsense://me:$PASSWORD@db/searches", "Can't load plugin"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named(lesson, storage, reason, folder, monkeypatch):
    """With what its library says, and without the password."""
    (folder / "file").touch()
    monkeypatch.setenv("PASSWORD", "secret")
    with pytest.raises(TrainingError, match=r"search\.storage must be a database that Optuna can use, got") as caught:
        linear(alpha=[0.2, 0.8], storage=storage).fit(lesson, seed=0)
    assert storage in str(caught.value)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_optuna_says_nothing_of_its_own(lesson, capfd):
    """And how much it says elsewhere is left alone."""
    before = optuna.logging.get_verbosity()
    handler = logging.StreamHandler()
    logging.getLogger("optuna").addHandler(handler)
    linear(alpha=ALPHAS, budget=3).fit(lesson, seed=0)
    linear(alpha=ALPHAS, budget=3).fit(lesson, seed=0)
    logging.getLogger("optuna").removeHandler(handler)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_a_point_that_cannot_be_trained_loses(lesson, fits):
    """Its trial says why, counts, and is not tried again; the search goes on."""
    spec = linear(max_iterations=[1, 2000])
    student = spec.fit(lesson, seed=0)
    refused, done = student.trials
    assert refused.valid_log_loss is None
    assert "no convergence after 1 iterations; raise max_iterations" in refused.refused
    assert (done.refused, student.spec.max_iterations) == ("", 2000)
    fits.clear()
    assert spec.fit(lesson, seed=0).trials == student.trials
    assert len(fits) == 1


def test_a_search_without_any_success_is_refused(lesson):
    """With the first reason."""
    with pytest.raises(TrainingError, match=r"got 2 trials that all failed, the first: .* max_parameters = 3, got"):
        LogisticRegressionSpec(max_parameters=3, search=SearchSpec(over={"alpha": (0.2, 0.8)})).fit(lesson, seed=0)


def test_the_chosen_student_states_its_settings_and_keeps_its_name(lesson):
    """Also once it was saved; only its search says that they were searched."""
    spec = FAST.model_copy(
        update={"name": "small", "search": SearchSpec(over={"widths": ([4], [6, 4]), "temperature": (2, 4)})}
    )
    epochs = []
    student = spec.fit(lesson, seed=0, on_epoch=lambda epoch, values: epochs.append((epoch, values)))
    assert epochs == list(enumerate(student.history))
    assert student.spec.title == "small"
    assert student.spec.lesson_title == spec.lesson_title == "searched"
    chosen = min(student.trials, key=lambda t: t.valid_log_loss).params
    assert (list(student.spec.widths), student.spec.temperature) == (chosen["widths"], chosen["temperature"])
    loaded = load_student(student.to_files())
    assert loaded.spec == student.spec
    assert loaded.spec.search == spec.search


def test_a_student_is_read_without_optuna():
    """Which a served student does not bring along."""
    code = "import sys, distillery.students; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("kind", STUDENTS.own)
def test_a_control_is_not_searched(kind):
    """It keeps the config's own settings, whatever its kind, and no teacher."""
    shape = {"shape": (1, 1, 3)} if kind == "cnn" else {}
    search = SearchSpec(over={"alpha": (0.2, 0.9), "max_features": (1, 2)})
    spec = STUDENTS.find(kind)(alpha=0.5, max_features=3, search=search, **shape)
    control = spec.control()
    assert (control.search, control.alpha, control.hard) == (None, 0.0, 1.0)
    from_teacher = {"search", "alpha", "hard_weight", "augment"}
    assert control.model_dump(exclude=from_teacher) == spec.model_dump(exclude=from_teacher)


@pytest.mark.parametrize("budget", [20, "20", "20 trials"])
def test_a_search_is_written_as_one_says_it(budget):
    """Values beside the budget, which may bear its unit; what is read is written back."""
    written = {"kind": "mlp", "search": {"temperature": [1, 2, 4], "alpha": [0.5, 0.7, 0.9], "budget": budget}}
    (spec,) = DistillConfig.parse({"students": [written]}).students
    assert spec.search == SearchSpec(over={"temperature": (1, 2, 4), "alpha": (0.5, 0.7, 0.9)}, budget=20)
    assert type(spec).model_validate_json(spec.model_dump_json()) == spec
    assert SearchSpec.model_validate({"alpha": [0.5], "budget": "1 trial"}).budget == 1


@pytest.mark.parametrize(
    ("kind", "search", "message"),
    [
        ("mlp", {"alpha": [0.5, 1.5]}, "search: alpha: Input should be less than or equal to 1, got 1.5"),
        ("mlp", {"widths": [[8], [8, -1]]}, r"search: widths\.1: Input should be greater than 0, got -1"),
        ("mlp", {"temprature": [1, 2]}, "search: mlp has no setting 'temprature'; did you mean 'temperature'"),
        ("logistic_regression", {"temperature": [1]}, "logistic_regression has no setting 'temperature'.*Valid keys"),
        ("mlp", {"name": ["a", "b"]}, "search: mlp has no setting 'name'"),
        ("mlp", {"alpha": 0.5}, r"search must list the values of 'alpha' to try, got 0\.5"),
        ("mlp", {"alpha": [0.5], "budgt": 5}, "the values of 'budgt' to try, got 5; did you mean 'budget'"),
        ("mlp", {"budget": 5}, "search must list values of at least one setting, got none; add"),
        ("mlp", {"over": ["alpha"]}, r"search\.over: Input should be a valid dictionary"),
        ("mlp", {"alpha": []}, r"search\.over\.alpha: .*at least 1 item"),
        ("mlp", {"temperature": [1, 1.0]}, r'must list different values, got \{"temperature": 1\.0\} twice'),
        ("mlp", {"alpha": [0.5], "budget": 0}, r"search\.budget: .*greater than 0, got 0"),
        ("mlp", {"alpha": [0.5], "budget": "20 rounds"}, r"search\.budget: .*valid integer.*, got '20 rounds'"),
        (
            "mlp",
            {"alpha": [i / 200 for i in range(101)], "temperature": list(range(1, 101))},
            "at most 10,000 combinations, got 10,100; list fewer values",
        ),
        ("mlp", {"alpha": [0.5], "storage": "searches"}, r"search\.storage: String should match pattern"),
        (
            "mlp",
            {"alpha": [0.5], "storage": "postgresql://me:secret@db/x"},
            r"must not hold a password, since settings are logged; write \$NAME in its place",
        ),
    ],
)
def test_a_mistake_is_refused_before_the_run(kind, search, message):
    """Keys and values are the candidate's own."""
    with pytest.raises(ConfigError, match=message) as caught:
        DistillConfig.parse({"students": [{"kind": kind, "search": search}]})
    assert "secret" not in str(caught.value)


def test_values_that_do_not_go_together_are_refused():
    """Every combination is read as the candidate it would be."""

    class Bounded(LogisticRegressionSpec):
        """A candidate whose settings depend on each other."""

        def model_post_init(self, _):
            if self.c > 1 and self.alpha > 0.5:
                raise ValueError("c must be at most 1 where alpha is above 0.5")

    search = SearchSpec(over={"alpha": (0.2, 0.8), "c": (0.1, 10.0)})
    with pytest.raises(ValueError, match=r"search: alpha 0\.8, c 10\.0: c must be at most 1 where alpha is above 0\.5"):
        Bounded(search=search)


def test_trials_are_counted_in_a_terminal(lesson):
    """Those that an earlier run finished, too."""
    linear(alpha=ALPHAS, budget=1).fit(lesson, seed=0)
    with error_terminal() as terminal:
        linear(alpha=ALPHAS, budget=4).fit(lesson, seed=0)
    assert "search:  25%|" in terminal.close()
