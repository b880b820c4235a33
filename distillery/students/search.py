"""Settings of a candidate that are chosen on the validation split."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from distillery.errors import TrainingError, did_you_mean
from distillery.progress import bar
from distillery.spec import Spec

MOST_POINTS = 10_000  # every one is validated whenever the config is read
FIXED = ("kind", "name", "search")  # what makes a candidate this candidate
S = TypeVar("S", bound=Spec)


class Trial(BaseModel):
    """One point of a search.

    Attributes:
        number: its place in the search, from 0.
        params: the settings that were tried.
        valid_log_loss: on hard labels, in nats per row; None where no student could be trained.
        refused: why not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    params: dict[str, JsonValue]
    valid_log_loss: float | None
    refused: str = ""

    @property
    def key(self) -> str:
        """The settings as JSON, as `SearchSpec.key` writes them."""
        return json.dumps(self.params)


OnTrial = Callable[[Trial, bool], None]  # told each trial, and whether it was finished by an earlier run


def _without_unit(value: Any) -> Any:
    return re.sub(r"\s*trials?$", "", value) if isinstance(value, str) else value


class SearchSpec(Spec):
    """Which settings to try, and how often.

    The values stand beside the other keys: ``{temperature: [1, 2, 4], alpha: [0.5, 0.9], budget: 20}``.
    Where the budget covers every combination, each is tried once; otherwise Optuna's TPE chooses which.

    Attributes:
        over: the values to try, by setting of the candidate; what is not named stays as the candidate has it.
        budget: trials at most, ``20`` or ``20 trials``. Those that an earlier run finished count.
        storage: the database of finished trials, from which an interrupted search goes on: a URL of
            SQLAlchemy's, such as ``postgresql://me:$SEARCH_PASSWORD@db/searches``, where ``$NAME``
            is read from the environment; a path is relative to the working folder. Trials of other
            data or settings are not taken for this search's; those of older code are, so empty it
            after changing a student's code.

    >>> SearchSpec.model_validate({"alpha": [0.5, 0.9], "budget": "20 trials"})
    SearchSpec(over={'alpha': (0.5, 0.9)}, budget=20, storage='sqlite:///.distillery/searches/optuna.db')
    """

    over: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]]
    budget: Annotated[PositiveInt, BeforeValidator(_without_unit)] = 20
    storage: str = Field("sqlite:///.distillery/searches/optuna.db", pattern=r"^[a-z0-9+]+://")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("over", {}), dict):
            return data  # pydantic says what is wrong
        lists = {key: values for key, values in data.items() if key not in cls.model_fields}
        for key, values in lists.items():
            if not isinstance(values, list | tuple):
                hint = did_you_mean(str(key), cls.model_fields)
                raise ValueError(f"search must list the values of {key!r} to try, got {values!r}{hint}")  # noqa: TRY004  pydantic collects ValueErrors
        if not lists and not data.get("over"):
            raise ValueError("search must list values of at least one setting, got none; add e.g. alpha: [0.5, 0.9]")
        rest = {key: value for key, value in data.items() if key not in lists}
        return {**rest, "over": {**data.get("over", {}), **lists}}

    @field_validator("storage")
    @classmethod
    def _holds_no_password(cls, storage: str) -> str:
        if re.search(r"://[^/@]*:(?!\$)[^/@]+@", storage):
            raise ValueError(
                "search.storage must not hold a password, since settings are logged; write $NAME in its place and"
                " set it in the environment"
            )
        return storage

    def points(self, spec: S) -> dict[str, S]:
        """Return every combination as a candidate that still says what was searched, by its `params` as JSON.

        Raises:
            ValueError: the candidate has no such setting or refuses a value, a value is listed
                twice, or there are more than 10,000 combinations.
        """
        self._check(spec)
        found: dict[str, S] = {}
        for values in product(*self.over.values()):
            point = self._point(spec, dict(zip(self.over, values, strict=True)))
            if (key := self.key(point)) in found:
                raise ValueError(f"search must list different values, got {key} twice")
            found[key] = point
        return found

    def key(self, point: Spec) -> str:
        """Return the searched settings of a candidate as JSON."""
        settings = point.model_dump(mode="json", include=set(self.over))
        return json.dumps({name: settings[name] for name in self.over})

    def _check(self, spec: Spec) -> None:
        known = [name for name in type(spec).model_fields if name not in FIXED]
        for name in self.over:
            if name not in known:
                kind = getattr(spec, "kind", type(spec).__name__)
                keys = [*known, *(key for key in type(self).model_fields if key != "over")]
                hint = did_you_mean(name, keys) or "."
                raise ValueError(f"search: {kind} has no setting {name!r}{hint} Valid keys: {', '.join(keys)}")
        if (n := math.prod(map(len, self.over.values()))) > MOST_POINTS:
            raise ValueError(f"search must have at most {MOST_POINTS:,} combinations, got {n:,}; list fewer values")

    def _point(self, spec: S, settings: dict[str, JsonValue]) -> S:
        try:
            point = type(spec).model_validate({**dict(spec), **settings, "search": None})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or ", ".join(f"{name} {settings[name]}" for name in settings)
            message = first["msg"].removeprefix("Value error, ")
            got = f", got {first['input']!r}" if first["loc"] else ""
            raise ValueError(f"search: {place}: {message}{got}") from None
        return point.model_copy(update={"search": self})


def run_trials(
    search: SearchSpec,
    points: Sequence[str],
    *,
    study: str,
    seed: int,
    score: Callable[[str], float],
    on_trial: OnTrial | None = None,
) -> tuple[Trial, ...]:
    """Try points until the budget or the points are used up; go on where an earlier run stopped.

    A trial is stored once it is finished, so one that is interrupted or killed leaves nothing behind
    and is tried again.

    Args:
        search: budget and storage.
        points: what can be tried, as `SearchSpec.key` writes it.
        study: names what decides a score beside the point; other data must have another name.
        seed: of the choice of points where the budget does not cover them all.
        score: the validation log loss of a point; a `TrainingError` refuses the point.
        on_trial: told each trial as soon as it is known.

    Raises:
        TrainingError: the storage cannot be used.
    """
    from distillery.students._study import Study  # noqa: PLC0415  a student predicts without Optuna

    kept = Study(search, study, points, seed=seed)
    trials: list[Trial] = []

    def note(trial: Trial, *, resumed: bool) -> None:
        trials.append(trial)
        if on_trial:
            on_trial(trial, resumed)

    for trial in kept.finished()[: search.budget]:
        note(trial, resumed=True)
    budget = min(search.budget, len(points))
    with bar(budget, "search", unit="trial", done=len(trials)) as advance:
        while len(trials) < budget:
            trial = _tried(len(trials), kept.propose(trials), score)
            kept.add(trial)
            note(trial, resumed=False)
            advance(1)
    return tuple(trials)


def _tried(number: int, key: str, score: Callable[[str], float]) -> Trial:
    params = json.loads(key)
    try:
        return Trial(number=number, params=params, valid_log_loss=score(key))
    except TrainingError as error:
        return Trial(number=number, params=params, valid_log_loss=None, refused=str(error))


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the lowest validation log loss, the earliest of equals.

    Raises:
        TrainingError: every trial was refused.
    """
    scored = [(trial.valid_log_loss, trial.number) for trial in trials if trial.valid_log_loss is not None]
    if not scored:
        raise TrainingError(
            f"search must find settings that can be trained, got {len(trials)} trials that all failed, the first:"
            f" {trials[0].refused}"
        )
    return trials[min(scored)[1]]
