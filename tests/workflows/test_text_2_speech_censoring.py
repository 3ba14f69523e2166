"""text_2_speech_censoring: its speech, swear words, samples and bleeps, its orders, graph and runs."""

# ruff: noqa: RUF001 - typographic quotation marks are part of what is tested

import io
import json
import re
import wave
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from caribou.model.source.derive import derive_graph

NAME = "text_2_speech_censoring"
FOLDER = Path(__file__).parents[2] / "workflows" / NAME
SAMPLES = FOLDER / "samples"
SPOKEN_HZ, FINAL_HZ = 22_050, 16_000
SWEAR_WORD = re.compile(r"\b(?:damn|hell|crap)\b", re.IGNORECASE)
FRAME = 80
"""5 ms at FINAL_HZ: five periods of the tone, so that it falls into one bin of a frame's spectrum."""


@pytest.fixture
def speech(load):
    """The workflow's module that speaks."""
    return load(NAME, "speech")


@pytest.fixture
def swearing(load):
    """The workflow's module that finds swear words."""
    return load(NAME, "swearing")


@pytest.fixture
def sound(load):
    """The workflow's module of samples."""
    return load(NAME, "sound")


@pytest.fixture
def bleeping(load):
    """The workflow's module of bleeps."""
    return load(NAME, "bleeping")


def order(app, **changes):
    """An order, with changes."""
    return app.Order.of({"bucket": "b", "text": "hello", "region": "us-east-1", **changes})


def samples_16(pcm):
    """Samples of 16 bits as numbers."""
    return np.frombuffer(pcm, dtype="<i2").astype(float)


def opened(wav):
    """A WAV file's channels, bytes a sample, rate and frames."""
    with wave.open(io.BytesIO(wav), "rb") as file:
        return (file.getnchannels(), file.getsampwidth(), file.getframerate()), file.readframes(file.getnframes())


def loudness(samples):
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def tones(frames):
    """Where samples of 8 bits are a pure tone of 1 kHz, from the spectrum of each 5 ms: starts and ends in frames."""
    cut = np.frombuffer(frames, dtype=np.uint8)[: len(frames) // FRAME * FRAME].astype(float) - 128
    power = np.abs(np.fft.rfft(cut.reshape(-1, FRAME), axis=1)) ** 2
    whole = power.sum(axis=1)
    pure = (power[:, 5] > 0.99 * whole) & (whole > 1e5)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pure.astype(int), [0]])))
    return edges.reshape(-1, 2).tolist()


def spans(text, *words):
    """Where the words are in a text, one after the other."""
    found, behind = [], 0
    for word in words:
        start = text.index(word, behind)
        behind = start + len(word)
        found.append([start, behind])
    return found


# speech


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The keeper climbed up and lit a lamp", ["The", "keeper", "climbed", "up", "and", "lit", "a", "lamp"]),
        ("Damn it, said Tom. Go to hell! Crap?", ["Damn", "it", "said", "Tom", "Go", "to", "hell", "Crap"]),
        ("I don't and you don’t say “hell”", ["I", "don't", "and", "you", "don’t", "say", "hell"]),
        ("naïve ‘crap’ (damn):\n\nhell; damn", ["naïve", "crap", "damn", "hell", "damn"]),
        ("  damn...hell—crap  ", ["damn", "hell", "crap"]),
    ],
)
def test_spoken_when_a_text_has_words_then_has_the_place_of_each(speech, text, words):
    """A word's event is at the word's first character, whatever stands around it."""
    assert [place for place, _, _ in speech.spoken(text, 175).words] == [start for start, _ in spans(text, *words)]


def test_spoken_when_a_text_has_what_is_read_as_several_words_then_has_them_in_order(speech):
    """A number or a sign may be several words; they are inside it, and what follows is where it stands."""
    text = "At 2:40 we used 1,234.50 grams 😀, damn, by 42 hands"
    said = speech.spoken(text, 175)
    places = [place for place, _, _ in said.words]
    edges = [sample for _, start, end in said.words for sample in (start, end)]
    assert set(places) > {start for start, _ in spans(text, "At", "we", "used", "grams", "damn", "by", "hands")}
    assert (places, edges) == (sorted(places), sorted(edges))
    assert all(start < end for _, start, end in said.words)
    assert 0 <= edges[0] < edges[-1] <= len(said.pcm) // 2


def test_spoken_when_sentences_are_apart_then_words_are_where_the_sound_is(speech):
    """Between the words it is quiet and within them it is not, as the samples themselves say."""
    said = speech.spoken("Well. Damn. Hell.", 175)
    samples = samples_16(said.pcm)
    margin = SPOKEN_HZ // 50
    assert len(said.words) == 3
    for (_, start, end), (_, following, _) in zip(said.words, [*said.words[1:], (0, len(samples), 0)], strict=True):
        assert loudness(samples[start:end]) > 1000
        assert end + 2 * margin < following
        assert loudness(samples[end + margin : following]) < 100


def test_spoken_when_another_text_was_spoken_before_then_gives_the_same_samples(speech):
    """The library carries state from one text to the next; a second attempt in a warm process must not notice."""
    first = speech.spoken("Damn the wind, and damn the rain.", 175)
    speech.spoken("Something else is said in between, and at another pace!", 250)
    assert speech.spoken("Damn the wind, and damn the rain.", 175) == first


def test_spoken_when_faster_words_are_asked_for_then_is_shorter(speech):
    """Twice the words in a minute take about half the time."""
    text = "The lamp burned well from dusk to dawn, and no ship came by."
    slow, fast = (len(speech.spoken(text, pace).pcm) for pace in (120, 240))
    assert fast / slow == pytest.approx(0.5, abs=0.1)


def test_spoken_when_the_code_lies_deep_then_still_finds_the_voice(speech, tmp_path, monkeypatch):
    """The library has 160 bytes for the path of its data; a bundle's folder may be longer than that."""
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    expected = speech.spoken("damn", 175)
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(deep / "espeak-ng-data"))
    assert speech.spoken("damn", 175) == expected


def test_spoken_when_there_is_no_voice_then_says_so(speech, tmp_path, monkeypatch):
    """A failure of the C library is an error of the function and not its sudden end."""
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(tmp_path / "espeak-ng-data"))
    with pytest.raises(RuntimeError, match="eSpeak NG can't read its data"):
        speech.spoken("damn", 175)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], []),
        ([[1, 1, 0, ""], [7, 1, 10, "d"], [7, 1, 50, "a"]], [[0, 0, 100]]),
        ([[1, 1, 0, ""], [7, 1, 10, "d"], [7, 5, 60, "_:"], [7, 5, 80, "_"]], [[0, 0, 60]]),
        ([[1, 1, 0, ""], [7, 1, 0, "d"], [1, 6, 40, ""], [7, 6, 40, "h"]], [[0, 0, 40], [5, 40, 100]]),
        ([[1, 1, 0, ""], [7, 1, 0, "a"], [7, 1, 20, "_!"], [7, 1, 30, "b"], [7, 1, 70, "_:"]], [[0, 0, 70]]),
        ([[1, 1, 0, ""], [1, 4, 0, ""], [7, 4, 0, "a"]], [[3, 0, 100]]),
    ],
)
def test_words_of_when_given_events_then_ends_a_word_with_its_last_sound(speech, events, words):
    """At the pause behind it, at the next word, or at the end; a stop inside does not end it, no sound is no word."""
    assert speech.words_of(events, 100) == words


# swear words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Damn it, go to hell, you crap.", ["Damn", "hell", "crap"]),
        ("damn damn DAMN", ["damn", "damn", "DAMN"]),
        ("What the hell's this? The hell’s end.", ["hell", "hell"]),
        (
            "\"damn\" 'hell' “crap” ‘damn’ *hell* (crap) <b>damn</b>",
            ["damn", "hell", "crap", "damn", "hell", "crap", "damn"],
        ),
        ("cr4p, d*mn, @ss and a$$", ["cr4p", "d*mn", "@ss", "a$$"]),
        ("damn...hell—crap,damn\nhell_crap", ["damn", "hell", "crap", "damn", "hell", "crap"]),
        ("That is bull  shit, hell-bent.", ["bull  shit", "hell"]),
        ("😀 naïve damn 1,234.50 hell", ["damn", "hell"]),
    ],
)
def test_spans_of_when_a_text_has_swear_words_then_gives_each_ones_place(swearing, text, words):
    """At the start and at the end, side by side, in quotes of all kinds, in other letters, and as a phrase."""
    assert swearing.spans_of(text) == spans(text, *words)


@pytest.mark.parametrize(
    "text",
    ["", " …!? ", "Hello, shell! The damned assess a class.", "He’ll say he'll.", "It was a bull, shiny as an us."],
)
def test_spans_of_when_a_text_is_clean_then_gives_nothing(swearing, text):
    """Not for a part of a word, and not for what only the letters of two words would make."""
    assert swearing.spans_of(text) == []


# samples


@pytest.mark.parametrize("hertz", [100, 440, 3000])
def test_resampled_when_given_a_sine_then_gives_that_sine_at_the_other_rate(sound, hertz):
    """Sample by sample, over several blocks: the same frequency, loudness and phase."""
    samples = np.round(20_000 * np.sin(2 * np.pi * hertz * np.arange(150_000) / SPOKEN_HZ)).astype("<i2")
    result = sound.resampled(samples)
    expected = 20_000 * np.sin(2 * np.pi * hertz * np.arange(len(result)) / FINAL_HZ)
    assert len(result) == -(-150_000 * FINAL_HZ // SPOKEN_HZ)
    assert np.abs(result - expected)[50:-50].max() < 20


def test_resampled_when_a_sound_is_too_high_for_the_rate_then_takes_it_out(sound):
    """10 kHz can't be had at 16,000 samples a second, and would come back as 6 kHz."""
    samples = np.round(20_000 * np.sin(2 * np.pi * 10_000 * np.arange(30_000) / SPOKEN_HZ)).astype("<i2")
    assert np.abs(sound.resampled(samples)[50:-50]).max() < 20


@pytest.mark.parametrize("value", [-32_768, -1, 0, 1, 1000, 32_767])
def test_resampled_when_a_value_is_constant_then_keeps_it(sound, value):
    """Silence is silence, and the loudest samples don't turn over."""
    result = sound.resampled(np.full(2000, value, dtype="<i2"))
    assert set(result[50:-50].tolist()) == {value}


@pytest.mark.parametrize("count", [0, 1, 440, 441, 442])
def test_converted_when_there_is_little_then_gives_a_file_of_that_length(sound, count):
    """Nothing and next to nothing are WAV files too."""
    kind, frames = opened(sound.converted(bytes(2 * count)))
    assert kind == (1, 2, FINAL_HZ)
    assert frames == bytes(2 * -(-count * FINAL_HZ // SPOKEN_HZ))


def test_converted_words_when_given_words_then_covers_them_within_a_sample(sound):
    """In seconds a word stays where it is, and grows by less than a sample on each side."""
    words = [[0, 0, 441], [5, 1000, 1001], [9, 22_050, 44_101]]
    converted = sound.converted_words(words)
    assert [place for place, _, _ in converted] == [0, 5, 9]
    for (_, start, end), (_, first, behind) in zip(words, converted, strict=True):
        assert 0 <= start / SPOKEN_HZ * FINAL_HZ - first < 1
        assert 0 <= behind - end / SPOKEN_HZ * FINAL_HZ < 1


def test_compressed_when_given_sound_then_is_never_off_by_more_than_a_step(sound):
    """The sum of all samples so far stays within a step of 8 bits, over more than one part: the error is carried."""
    samples = np.random.default_rng(1).integers(-32_768, 32_513, 150_000).astype("<i2")
    kind, frames = opened(sound.compressed(sound.wav_of(samples.tobytes(), width=2)))
    sums = np.cumsum(256 * (np.frombuffer(frames, dtype=np.uint8).astype(np.int64) - 128))
    off = np.cumsum(samples.astype(np.int64)) - sums
    assert kind == (1, 1, FINAL_HZ)
    assert 0 <= off.min() <= off.max() < 256


@pytest.mark.parametrize(("value", "byte"), [(0, 128), (-32_768, 0), (32_767, 255), (256, 129)])
def test_compressed_when_a_value_is_constant_then_gives_the_nearest_byte(sound, value, byte):
    """The loudest does not turn over into the quietest."""
    _, frames = opened(sound.compressed(sound.wav_of(np.full(100, value, dtype="<i2").tobytes(), width=2)))
    assert set(frames) == {byte}


# bleeps


@pytest.mark.parametrize(
    ("profane", "bleeps"),
    [
        ([], []),
        ([[0, 4]], [[0, 100]]),
        ([[5, 9]], [[100, 180]]),
        ([[0, 4], [5, 9]], [[0, 180]]),
        ([[5, 9], [0, 4]], [[0, 180]]),
        ([[0, 4], [10, 14]], [[0, 100], [200, 300]]),
        ([[5, 14]], [[100, 300]]),
        ([[12, 14]], [[200, 300]]),
        ([[16, 18]], [[200, 300]]),
        ([[20, 24]], [[400, 450]]),
    ],
)
def test_bleeps_of_when_words_are_profane_then_gives_their_samples(bleeping, profane, bleeps):
    """Neighbours without a pause are one bleep; a part of a word, or of what is spoken as one, is the whole of it."""
    words = [[0, 0, 100], [5, 100, 180], [10, 200, 300], [20, 400, 450]]
    assert bleeping.bleeps_of(words, profane) == bleeps


def test_bleeps_of_when_nothing_was_said_then_gives_nothing(bleeping):
    """Where there is no word there is no bleep."""
    assert bleeping.bleeps_of([], [[0, 4]]) == []


@pytest.mark.parametrize("bleeps", [[], [[0, 1600]], [[1605, 4803], [6400, 8000]], [[7000, 9000]]])
def test_bleeped_when_given_a_tone_then_changes_these_samples_only(bleeping, sound, bleeps):
    """A tone of 1 kHz within, found by its spectrum, and the samples of before without."""
    before = np.random.default_rng(2).integers(100, 156, 8000).astype(np.uint8)
    kind, frames = opened(bleeping.bleeped(sound.wav_of(before.tobytes(), width=1), bleeps, "tone"))
    after = np.frombuffer(frames, dtype=np.uint8)
    inside = np.zeros(8000, dtype=bool)
    for start, end in bleeps:
        inside[start:end] = True
    assert (kind, len(after)) == ((1, 1, FINAL_HZ), 8000)
    assert np.array_equal(after[~inside], before[~inside])
    found = [[start * FRAME, end * FRAME] for start, end in tones(frames)]
    expected = [[start, min(end, 8000)] for start, end in bleeps]
    assert np.array(found) == pytest.approx(np.array(expected), abs=FRAME)


def test_bleeped_when_silence_is_asked_for_then_leaves_nothing(bleeping, sound):
    """The middle of 8 bits without a sign is 128."""
    _, frames = opened(bleeping.bleeped(sound.wav_of(bytes(range(100)), width=1), [[10, 20]], "silence"))
    assert frames == bytes(range(10)) + bytes([128]) * 10 + bytes(range(20, 100))


# orders


def test_order_when_sent_to_the_synthesiser_then_arrives_unchanged(app):
    """An order travels as JSON."""
    sent = order(app, words_per_minute=120, bleep="silence")
    assert app.Order(**json.loads(json.dumps(app.asdict(sent)))) == sent


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": ""}, "text must be"),
        ({"text": 7}, "text must be"),
        ({"key": "input/k.txt"}, "one of the two"),
        ({"words_per_minute": 79}, "words_per_minute must be a whole number from 80 to 450"),
        ({"words_per_minute": 451}, "words_per_minute must be"),
        ({"words_per_minute": True}, "words_per_minute must be"),
        ({"words_per_minute": 100.0}, "words_per_minute must be"),
        ({"bleep": "horn"}, "bleep must be one of tone, silence"),
        ({"bleep": ["tone"]}, "bleep must be"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


def test_order_when_there_is_neither_a_text_nor_the_key_of_one_then_says_so(app):
    """Something must be spoken."""
    with pytest.raises(ValueError, match="the event must have a text or the key of one"):
        app.Order.of({"bucket": "b"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" …!?\n", "something to say"),
        ("a" * 20_001, "at most 20000 characters, not 20001"),
        ("damn\0hell", r"control characters: '\\x00' at 4"),
        ("damn \x01b", "control characters"),
        ("half of a pair: \ud83d", "control characters"),
    ],
)
def test_speakable_when_a_text_is_not_then_says_why(app, text, message):
    """The synthesiser would stop at the first, take the second for a command, and say nothing of the others."""
    with pytest.raises(ValueError, match=message):
        app.speakable(text)


def test_speakable_when_a_text_is_then_gives_it_as_it_is(app):
    """Line ends and tabs are blanks."""
    assert app.speakable("damn,\r\n\thell 😀") == "damn,\r\n\thell 😀"


@pytest.mark.parametrize("turn", [1, -1])
def test_joined_when_messages_come_in_any_order_then_gives_the_speech_and_the_spans(app, turn):
    """A sync node does not know which edge was faster."""
    audio = app.Audio("b", "us-east-1", "work/run/compressed.wav", "tone", [[0, 0, 9]])
    messages = [app.asdict(audio), {"profane": [[0, 4]]}][::turn]
    assert app.joined(messages) == (audio, [[0, 4]])


def test_keys_when_asked_twice_then_are_the_same(app):
    """A retried function writes to the same place, and another run to another."""
    assert app.work_key("run-1", "spoken.pcm") == "work/run-1/spoken.pcm"
    assert app.result_key("run-1") == "output/run-1/speech.wav"


# graph and samples


def test_graph_when_derived_then_has_two_branches_that_meet_and_two_that_exclude_each_other():
    """The search runs beside three steps of sound; they meet in a sync node, which has two conditional edges."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert function[graph.entry.name] == "get_input"
    assert {(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges} == {
        ("get_input", "text_2_speech", False),
        ("get_input", "profanity", False),
        ("text_2_speech", "conversion", False),
        ("conversion", "compression", False),
        ("compression", "merge", False),
        ("profanity", "merge", False),
        ("merge", "censor", True),
        ("merge", "publish", True),
    }
    assert len(graph.edges) == len(graph.nodes) == 8
    assert [node.function for node in graph.nodes if node.sync] == ["merge"]


@pytest.mark.parametrize("name", ["log.txt", "long_log.txt"])
def test_samples_when_their_texts_are_to_be_spoken_then_can_be(app, name):
    """No text is too long, and none has what the synthesiser would take for a command."""
    assert app.speakable((SAMPLES / name).read_text())


def test_samples_when_their_texts_are_searched_then_have_the_swear_words_of_the_readme(swearing):
    """The same words as a plain search for the three that the log knows."""
    short, long = ((SAMPLES / name).read_text() for name in ("log.txt", "long_log.txt"))
    expected = [list(match.span()) for match in SWEAR_WORD.finditer(short)]
    assert swearing.spans_of(short) == expected
    assert (len(expected), len(SWEAR_WORD.findall(long))) == (16, 69)


def test_samples_when_the_script_runs_again_then_gives_the_same_texts(load):
    """The texts are the script's."""
    script = load(NAME, "samples/make_log")
    assert {name: script.log(days) for name, days in script.DAYS.items()} == {
        name: (SAMPLES / name).read_text() for name in ("log.txt", "long_log.txt")
    }


# whole runs


def functions(played):
    """The functions that ran, in no order."""
    return {node.partition(":")[0] for node in played.result.nodes}


def payload(text, **changes):
    """The payload of a run in the local cloud."""
    return {"bucket": "caribou-dev-speech-555500005555-us-east-1", "region": "us-east-1", "text": text, **changes}


def uncensored(speech, sound, text):
    """The frames of the text's speech without a bleep, and its words' places with their times in seconds."""
    said = speech.spoken(text, 175)
    times = {place: (start / SPOKEN_HZ, end / SPOKEN_HZ) for place, start, end in said.words}
    return opened(sound.compressed(sound.converted(said.pcm)))[1], times


ALWAYS = {"get_input", "text_2_speech", "conversion", "compression", "profanity", "merge"}
SWORN = "Damn the wind! It's 40 miles, and the keeper’s “crap” — hell, crap, damn damn me. He'll say: hello, go to hell"


@pytest.mark.local_cloud
def test_run_when_a_text_is_profane_then_bleeps_its_words_at_their_times_and_nothing_else(play, speech, sound):
    """The tone is found in the sound by its spectrum, the times are the synthesiser's, and the rest is unchanged."""
    played = play(NAME, payload(SWORN))
    before, times = uncensored(speech, sound, SWORN)
    words = [times[match.start()] for match in SWEAR_WORD.finditer(SWORN)]
    expected = [list(times) for times in (*words[:4], (words[4][0], words[5][1]), words[6])]  # two are side by side
    kind, after = opened(played.outputs["speech.wav"])
    found = [[start * FRAME / FINAL_HZ, end * FRAME / FINAL_HZ] for start, end in tones(after)]
    assert functions(played) == ALWAYS | {"censor"}
    assert (kind, len(after)) == ((1, 1, FINAL_HZ), len(before))
    assert np.array(found) == pytest.approx(np.array(expected), abs=FRAME / FINAL_HZ)
    outside = np.ones(len(before), dtype=bool)
    for start, end in expected:
        outside[int(start * FINAL_HZ) : int(end * FINAL_HZ) + 1] = False
    old, new = (np.frombuffer(frames, dtype=np.uint8) for frames in (before, after))
    assert np.array_equal(old[outside], new[outside])
    assert play(NAME, payload(SWORN)).outputs == played.outputs


@pytest.mark.local_cloud
def test_run_when_a_text_is_clean_then_publishes_its_speech_unchanged(play, speech, sound):
    """The other conditional edge: nothing to censor."""
    played = play(NAME, sample="input_clean.json")
    text = json.loads((SAMPLES / "input_clean.json").read_text())["text"]
    before, _ = uncensored(speech, sound, text)
    kind, after = opened(played.outputs["speech.wav"])
    assert functions(played) == ALWAYS | {"publish"}
    assert (kind, after) == ((1, 1, FINAL_HZ), before)


@pytest.mark.local_cloud
def test_run_when_given_the_sample_text_then_bleeps_sixteen_words(play):
    """A text in S3, of which the run reports what it bleeped."""
    played = play(NAME)
    (leaf,) = (value for node, value in played.result.outputs.items() if node.startswith("censor:"))
    _, frames = opened(played.outputs["speech.wav"])
    assert leaf["bleeps"] == len(tones(frames)) == 16
    assert leaf["key"].endswith("/speech.wav")


@pytest.mark.local_cloud
def test_run_when_silence_is_asked_for_then_has_no_tone(play):
    """A bleep may be a gap."""
    played = play(NAME, payload("Damn. Hell.", bleep="silence"))
    _, frames = opened(played.outputs["speech.wav"])
    assert (tones(frames), set(frames[:1000])) == ([], {128})
