"""The parts of a clip put together: what is written in the end. Standard library only."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any


def joined(messages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The labels of the whole clip: by part, by frame, and the scenes, which may go on from one part to the next.

    ValueError if the parts are not the whole clip, without gaps and overlaps.
    """
    parts = sorted(messages, key=lambda message: message["start"])
    frames = [frame for part in parts for frame in part["frames"]]
    stops = [part["stop"] for part in parts]
    if [part["start"] for part in parts] != [0, *stops[:-1]] or stops[-1] != parts[0]["clip_frames"]:
        raise ValueError(f"the parts must make up the clip, not be {[(part['start'], part['stop']) for part in parts]}")
    return {
        "frames_in_clip": parts[0]["clip_frames"],
        "frames_per_second": parts[0]["frames_per_second"],
        "segments": [{key: part[key] for key in ("part", "start", "stop", "labels")} for part in parts],
        "scenes": scenes(frames),
        "frames": frames,
    }


def scenes(frames: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Frames in a row with the same likeliest class: what it is, and the first and the last of them."""
    found = []
    for _, group in itertools.groupby(frames, key=lambda frame: frame["labels"][0]["class"]):
        members = list(group)
        label = members[0]["labels"][0]["label"]
        found.append({"label": label, "first": members[0]["frame"], "last": members[-1]["frame"]})
    return found
