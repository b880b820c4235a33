"""The base of everything a run config can hold: frozen, typed, closed."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from distillery.errors import ConfigError, did_you_mean


class Spec(BaseModel):
    """A piece of the run config; unknown keys are refused with the nearest valid one.

    >>> class Toy(Spec):
    ...     alpha: float = 0.5
    >>> Toy(alpa=1)
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Toy
      Value error, unknown key 'alpa'; did you mean 'alpha'? Valid keys: alpha [...]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        kind = cls.model_fields.get("kind")
        other_kind = kind is not None and isinstance(data, dict) and data.get("kind", kind.default) != kind.default
        if isinstance(data, dict) and not other_kind:  # of a wrong kind, pydantic's own message says it best
            for key in data:
                if key not in cls.model_fields:
                    hint = did_you_mean(str(key), cls.model_fields) or "."
                    valid = ", ".join(cls.model_fields)
                    raise ValueError(f"unknown key {key!r}{hint} Valid keys: {valid}")
        return data

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a run.

        Raises:
            ConfigError: one message with every mistake and where it stands.
        """
        try:
            # Read twice: ZenML's cache key holds only what was set, and a default that was not would be
            # no part of it, not even the kind.
            return cls.model_validate(cls.model_validate(parameters).model_dump())
        except ValidationError as error:
            raise ConfigError(_message(error)) from None


def _message(error: ValidationError) -> str:
    found = error.errors()
    inner = {e["loc"][:i] for e in found for i in range(len(e["loc"]))}  # a list is too short where its items are wrong
    lines = [_line(e["loc"], e["msg"], e["input"]) for e in found if e["loc"] not in inner]
    count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
    return "\n  ".join([f"the run config has {count}:", *lines])


def _line(loc: tuple[int | str, ...], message: str, value: Any) -> str:
    own_words = message.startswith("Value error, ")
    where = ".".join(str(part) for part in loc)
    got = "" if own_words or isinstance(value, dict | list) else f", got {value!r}"
    return f"{where}: {message}{got}".removeprefix(": ").replace("Value error, ", "")
