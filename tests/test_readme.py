"""What the README says can be done, can be done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from distillery.config import DistillConfig

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
PROGRAMS = re.findall(r"<!-- python: run by the tests -->\n```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_every_yaml_is_a_config(text):
    """A block that leaves the source out is tried on the default one."""
    assert DistillConfig.parse(yaml.safe_load(text)["parameters"]).students


def test_the_library_section_runs(tmp_path, monkeypatch, capsys):
    """Its programs run as they stand, one after the other, without a warning."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for program in PROGRAMS:
        exec(program, names)
    assert len(PROGRAMS) == 2
    assert re.search(r"student mlp value=\d\.\d+ low=\d\.\d+ high=\d\.\d+ \d+\n", capsys.readouterr().out)


def test_it_opens_with_the_two_commands():
    """A fresh machine needs no more."""
    assert COMMANDS[:2] == ["make run", "make test"]


def test_every_make_target_exists():
    """Also those named in running text."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README)) - {"the", "it"}
    assert named <= targets


def test_every_config_that_is_named_is_there():
    """Except the one the reader is asked to write."""
    named = set(re.findall(r"configs/\w+\.yaml", README)) - {"configs/my_table.yaml"}
    assert named
    assert all((ROOT / path).exists() for path in named)


def test_every_module_that_is_named_is_there():
    """Paths into the tree are not dead."""
    for path in re.findall(r"`((?:distillery|tests|steps|infra)/[\w/]+(?:\.py)?)/?`", README):
        assert (ROOT / path).exists(), path


def test_no_output_is_left_to_fill_in():
    """Quoted outputs are a command's."""
    assert not re.search(r"^[A-Z]+_OUTPUT$", README, flags=re.MULTILINE)
