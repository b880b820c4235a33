"""The base of every piece of a config."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import ValidationError

from distillery.spec import Spec


class Inner(Spec):
    """A piece with a kind."""

    kind: Literal["inner"] = "inner"
    depth: int = 3


class Outer(Spec):
    """A piece that holds another."""

    alpha: float = 0.5
    inner: Inner = Inner()


def test_an_unknown_key_names_the_nearest_and_lists_the_valid_ones() -> None:
    """A typo is mended by reading the message."""
    with pytest.raises(ValidationError, match=r"unknown key 'alhpa'; did you mean 'alpha'\? Valid keys: alpha, inner"):
        Outer.model_validate({"alhpa": 1})


def test_a_key_near_to_nothing_still_lists_the_valid_ones() -> None:
    """Without a near word the valid keys stand alone."""
    with pytest.raises(ValidationError, match=r"unknown key 'zzz'\. Valid keys: alpha, inner"):
        Outer.model_validate({"zzz": 1})


def test_a_nested_unknown_key_names_the_keys_of_its_own_level() -> None:
    """The valid keys are the inner piece's."""
    with pytest.raises(ValidationError, match=r"unknown key 'dpeth'; did you mean 'depth'\? Valid keys: kind, depth"):
        Outer.model_validate({"inner": {"dpeth": 1}})


def test_of_a_wrong_kind_only_the_kind_is_named() -> None:
    """Keys of another kind are no mistake of their own making."""
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({"kind": "other", "width": 1})
    assert "Input should be 'inner'" in str(caught.value)
    assert "unknown key" not in str(caught.value)


def test_a_spec_is_frozen() -> None:
    """A config cannot drift during a run."""
    with pytest.raises(ValidationError, match="frozen"):
        Outer().alpha = 1.0


def test_equal_specs_hash_alike() -> None:
    """Specs can stand in sets and keys."""
    assert len({Outer(), Outer(alpha=0.5)}) == 1


def test_defaults_are_validated_too() -> None:
    """A wrong default is found when the piece is made, not when it is used."""

    class Wrong(Spec):
        n: int = "many"  # type: ignore[assignment]

    with pytest.raises(ValidationError, match="valid integer"):
        Wrong()
