"""The base of everything a run config can hold: frozen, typed, closed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from distillery.errors import did_you_mean


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
