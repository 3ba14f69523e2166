"""Where the cache is."""

import pwd

import pytest

from caribou.model.cache import cache_folder
from caribou.model.errors import OperationFailedError


def test_cache_when_the_user_has_no_home_then_it_is_one_message(monkeypatch):
    """A container may run as a number that no user has."""
    for name in ("HOME", "XDG_CACHE_HOME", "CARIBOU_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(OperationFailedError, match="Set CARIBOU_CACHE_DIR"):
        cache_folder()


def test_cache_when_it_is_named_then_no_home_is_asked_for(monkeypatch, tmp_path):
    """By our own variable, or the user's cache folder."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "ours"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "all"))
    assert cache_folder() == tmp_path / "ours"
    monkeypatch.delenv("CARIBOU_CACHE_DIR")
    assert cache_folder() == tmp_path / "all" / "caribou"
