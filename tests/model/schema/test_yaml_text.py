"""A text of YAML within limits: bombs, deep nesting and what is read in several ways are refused, with the line."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caribou.model.errors import InvalidManifestError
from caribou.model.schema.yaml_text import DEEPEST, load_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LETTERS = f"a: &a {'x' * 1000}\nb: [{', '.join(['*a'] * 300)}]\n"


def load(text):
    """The value in the text."""
    return load_yaml(text, "config.yml", InvalidManifestError)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (BOMB, 6, "too large with its aliases written out"),
        (LETTERS, 2, "too large with its aliases written out"),
        ("a: 1\nb: &b [*b]\n", 2, "the alias *b names nothing that ends before it"),
        ("a:\n  - " + "[" * 900 + "]" * 900, 2, "nested more than 20 deep"),
        ("[" * 20_000, 1, "nested more than 20 deep"),
        ("\n".join(f"{' ' * i}a:" for i in range(99)), 21, "nested more than 20 deep"),
        ("a: 1\ntimeout: 010\n", 2, "the number 010 is read in several ways"),
        ("timeout: 0x10", 1, "the number 0x10 is read in several ways"),
        ("timeout: 0b11", 1, "the number 0b11 is read in several ways"),
        ("timeout: 1:30", 1, "the number 1:30 is read in several ways"),
        ("timeout: 1:30.5", 1, "the number 1:30.5 is read in several ways"),
        ("a: " + "9" * 5000, 1, "is no value of its kind"),
        ("a: 2026-13-45", 1, "2026-13-45 is no value of its kind"),
        ('a: 1\nb: "\\ud800"\n', 2, "half a character"),
        ('? "x\\udfff"\n: 1\n', 1, "half a character"),
        ("a: !!bool perhaps", 1, "perhaps is no value of its kind"),
        ("a: !!timestamp noon", 1, "noon is no value of its kind"),
        ("a: !!float {}", 1, "is no value of its kind"),
        ("a: 1\nb: \0", 2, "#x0000"),
        ("a: 1\nb: 1\n'a': 2\n", 3, "the key a stands twice"),
        ("a: *nowhere", 1, "the alias *nowhere names nothing that ends before it"),
    ],
)
def test_yaml_when_it_is_a_trap_then_it_is_one_message_with_its_line_at_once(text, line, what):
    """Nothing hangs, nothing is a traceback, nothing is guessed."""
    began = time.process_time()
    with pytest.raises(InvalidManifestError) as caught:
        load(text)
    assert f"config.yml:{line}: this is not YAML that can be read: " in str(caught.value)
    assert what in str(caught.value)
    assert time.process_time() - began < 5  # a bomb takes hours


def test_yaml_when_it_uses_aliases_and_plain_numbers_with_measure_then_it_is_read():
    """Anchors and merges are good YAML; so are numbers that all readers take for the same."""
    found = load("a: &a {region: x}\nb: [*a, *a]\nc: {<<: *a, n: 1_000, f: -1.5, z: 0, t: '010', v: 1.0e-3}\n")
    assert found["b"] == [{"region": "x"}] * 2
    assert found["c"] == {"region": "x", "n": 1000, "f": -1.5, "z": 0, "t": "010", "v": 0.001}
    assert load("[" * DEEPEST + "]" * DEEPEST)


@given(st.text(st.sampled_from("ab01:&*!|>-?[]{},#'\"\n \t\\%@`~<.x\0\ufeff\ud800"), max_size=60))
@example("!!omap [a]")
@example("!!binary \u00e9")
@example("? !!set [a]\n: b")
def test_yaml_when_it_is_any_text_then_it_is_a_value_or_one_error(text):
    """Whatever PyYAML raises inside."""
    try:
        load(text)
    except InvalidManifestError as error:
        assert "To fix" in str(error)  # noqa: PT017 - either outcome is right
