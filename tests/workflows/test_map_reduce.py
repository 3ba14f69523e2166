"""map_reduce: its words, its cuts, its orders, its graph, and whole runs in both forms."""

import hashlib
import io
import json
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

import boto3
import pytest

from caribou.model.source.derive import derive_graph
from caribou.runtime.testing import load_functions, run_workflow

FOLDER = Path(__file__).parents[2] / "workflows" / "map_reduce"
SAMPLES = FOLDER / "samples"
MESSAGE_LIMIT, ITEM_LIMIT = 256 * 1024, 400 * 1024
"""What SNS takes as a message, and DynamoDB as an item."""
ODD_TEXTS = {
    "empty": "",
    "white space only": " \n\t ",
    "no words": "-- ... _ !\n" * 5,
    "one word": "word",
    "one long word": "x" * 10_000,
    "a long word between others": f"a b {'y' * 9000} c d",
    "spaces of every kind": "a\tb\nc\rd\x0be\x0cf  g\r\n\r\nh",
    "accents": "Éclair éclair E\u0301CLAIR e\u0301clair Ångström ÅNGSTRÖM ",
    "alphabets": "Straße STRASSE ΟΔΟΣ οδός Οδος Привет, ПРИВЕТ! 東京 ٣٤ हिन्दी में हिन्दी ",
    "apostrophes": "Don't don\u2019t DON'T 'tis rock'n'roll dogs' it''s ' ",
    "punctuation": 'end.Begin,again; (well)"known" snake_case e-mail 3.14 a/b',
}


@pytest.fixture
def wordcount(load):
    """The workflow's module without a cloud."""
    return load("map_reduce", "wordcount")


def naive_words(text):
    """The words by the README's definition, character by character."""
    alike = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).replace("\u2019", "'")
    kinds = [unicodedata.category(char)[0] for char in alike] + ["Z", "Z"]
    found, word = [], ""
    for i, char in enumerate(alike + " "):
        inside = kinds[i] in "LN" or (word and kinds[i] == "M")
        if inside or (char == "'" and word and kinds[i + 1] in "LN"):
            word += char
        elif word:
            found.append(word)
            word = ""
    return found


def naive_counts(text):
    """How often each word occurs, counted over the whole text at once."""
    return Counter(naive_words(text))


def naive_result(text, copies=1):
    """The bytes of the file that a run should leave."""
    counts = {word: count * copies for word, count in naive_counts(text).items()}
    ranked = dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
    result = {"words": sum(ranked.values()), "distinct": len(ranked), "counts": ranked}
    return json.dumps(result, ensure_ascii=False, indent=0).encode()


class Text:
    """A text that is read by ranges of its bytes; `reads` has the ranges."""

    def __init__(self, text):
        self.data = text.encode()
        self.size = len(self.data)
        self.reads = []

    def read(self, begin, end):
        """The bytes of a range, which must be one of the text."""
        assert 0 <= begin < end <= self.size
        self.reads.append((begin, end))
        return self.data[begin:end]


def tag(data):
    """What S3 calls an ETag."""
    return hashlib.sha256(data).hexdigest()


class FakeS3:
    """S3's three calls in a dictionary, for one bucket that is home in us-east-1."""

    def __init__(self):
        self.objects = {}
        self.gets, self.puts = [], []

    def __call__(self, service, region_name):
        """What stands in for `boto3.client`."""
        assert (service, region_name) == ("s3", "us-east-1")
        return self

    def head_object(self, Bucket, Key):  # noqa: N803 - boto3's names
        """Size and tag."""
        assert Bucket == "b"
        return {"ContentLength": len(self.objects[Key]), "ETag": tag(self.objects[Key])}

    def get_object(self, Bucket, Key, Range, IfMatch=None):  # noqa: N803
        """A range of the body."""
        assert Bucket == "b"
        assert IfMatch in (None, tag(self.objects[Key])), "PreconditionFailed"
        begin, end = map(int, Range.removeprefix("bytes=").split("-"))
        assert begin <= end < len(self.objects[Key]), "InvalidRange"
        self.gets.append((Key, begin, end + 1))
        return {"Body": io.BytesIO(self.objects[Key][begin : end + 1])}

    def put_object(self, Bucket, Key, Body, ContentType):  # noqa: N803
        """Store; a key that is written again must get the same bytes."""
        assert (Bucket, ContentType) == ("b", "application/json")
        assert self.objects.setdefault(Key, Body) == Body
        self.puts.append(Key)


@pytest.fixture
def count(monkeypatch):
    """`count(text, **order)`: run the workflow over a text, without a cloud; its result and the S3 that it saw."""
    graph = derive_graph(FOLDER)

    def count(text, **order):
        s3 = FakeS3()
        monkeypatch.setattr(boto3, "client", s3)
        s3.objects["input/text"] = text if isinstance(text, bytes) else text.encode()
        event = {"bucket": "b", "key": "input/text", "region": "us-east-1", **order}
        return run_workflow(graph, load_functions(FOLDER, graph), event), s3

    return count


def ran(result, function):
    """How many nodes of a function ran."""
    return sum(node.startswith(f"{function}:") for node in result.nodes)


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_words_in_when_given_a_text_then_are_those_of_the_definition(wordcount, name):
    """Runs of letters, digits and marks with single apostrophes inside, in no case and composed."""
    assert wordcount.words_in(ODD_TEXTS[name]) == naive_words(ODD_TEXTS[name])


def test_words_in_when_written_differently_then_are_the_same(wordcount):
    """Seen from outside: case, composition and the form of the apostrophe don't count."""
    assert wordcount.words_in("É E\u0301 é") == ["é"] * 3
    assert wordcount.words_in("STRASSE Straße") == ["strasse"] * 2
    assert wordcount.words_in("Don't don\u2019t 'don't'") == ["don't"] * 3
    assert wordcount.words_in("हिन्दी में") == ["हिन्दी", "में"]
    assert wordcount.words_in("snake_case e-mail 3.14") == ["snake", "case", "e", "mail", "3", "14"]


@pytest.mark.parametrize("parts", range(1, 9))
@pytest.mark.parametrize("name", ODD_TEXTS)
def test_owned_when_a_text_is_cut_then_each_token_belongs_to_one_part(wordcount, name, parts):
    """Whatever straddles a cut is in the part where it begins: whole, once, in its order, and with whole characters."""
    text = Text(ODD_TEXTS[name])
    cuts = [wordcount.part(text.size, i, parts) for i in range(parts)]
    assert (cuts[0][0], cuts[-1][1]) == (0, text.size)
    assert all(before[1] == after[0] for before, after in pairwise(cuts))
    tokens = [wordcount.owned(text.read, text.size, *cut).decode().split() for cut in cuts]
    assert [token for part in tokens for token in part] == ODD_TEXTS[name].split()


@pytest.mark.parametrize("cut", range(13))
def test_owned_when_cut_at_every_byte_then_follows_the_first_byte_of_the_token(wordcount, cut):
    """`né` ends behind its second byte of é; a cut before a token's first byte gives it to the second part."""
    text = Text("ab né cde  f")
    starts = {"ab": 0, "né": 3, "cde": 7, "f": 12}
    first = wordcount.owned(text.read, text.size, 0, cut).decode().split()
    second = wordcount.owned(text.read, text.size, cut, text.size).decode().split()
    assert first == [token for token, start in starts.items() if start < cut]
    assert second == [token for token, start in starts.items() if start >= cut]


def test_owned_when_the_text_is_long_then_reads_little_more_than_its_part(wordcount):
    """One byte before the part, and a block behind it."""
    text = Text("some words in a row " * 10_000)
    wordcount.owned(text.read, text.size, 50_001, 100_001)
    assert text.reads == [(50_000, 100_001), (100_001, 100_001 + wordcount.BLOCK_BYTES)]


@pytest.mark.parametrize(
    ("size", "parts"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (3000, 3), (5001, 6), (6000, 6), (10**9, 6)]
)
def test_parts_needed_when_the_size_grows_then_grows_up_to_the_most(wordcount, size, parts):
    """A part for each 1000 bytes here, six at most; one even for nothing."""
    assert wordcount.parts_needed(size, 1000, 6) == parts


def test_shared_out_when_two_mappers_have_a_word_then_it_is_in_the_same_share(wordcount):
    """The shares of all mappers fit together, hold every word once, and are of like size."""
    counts = {f"word{i}": i + 1 for i in range(1000)}
    shares = wordcount.shared_out(counts, 4)
    assert wordcount.merged(shares) == counts
    assert sum(map(len, shares)) == 1000
    assert all(200 < len(share) < 300 for share in shares)
    backwards = wordcount.shared_out(dict(reversed(counts.items())), 4)
    assert [set(share) for share in backwards] == [set(share) for share in shares]


def test_ranked_when_counts_are_equal_then_goes_by_code_points(wordcount):
    """One order for every run: by count, then by word."""
    assert list(wordcount.ranked([{"b": 2, "é": 1, "a": 2}, {"z": 1, "b": 1}]).items()) == [
        *(("b", 3), ("a", 2)),
        *(("z", 1), ("é", 1)),
    ]


@pytest.mark.parametrize("via", ["s3", "payload"])
@pytest.mark.parametrize("mappers", range(1, 7))
def test_run_when_the_number_of_mappers_varies_then_counts_as_the_naive_count(count, via, mappers):
    """Real text and odd texts, in parts for 1 to 6 mappers and reducers: the same bytes as counted at one go."""
    genesis = (SAMPLES / "genesis.txt").read_text(encoding="utf-8")
    text = genesis[:20_000] + "".join(ODD_TEXTS.values())
    reducers = (mappers - 1) % 4 + 1
    result, s3 = count(text, via=via, mappers=mappers, reducers=reducers, part_bytes=1)
    assert (result.state, result.errors) == ("SUCCEEDED", ())
    assert s3.objects["output/run/counts.json"] == naive_result(text)
    assert (ran(result, "mapper"), ran(result, "reducer")) == (mappers, reducers)
    assert sum(key.startswith("work/") for key in s3.puts) == (mappers + reducers if via == "s3" else 0)


@pytest.mark.parametrize("via", ["s3", "payload"])
@pytest.mark.parametrize("name", ODD_TEXTS)
def test_run_when_the_text_is_odd_then_counts_as_the_naive_count(count, via, name):
    """Fewer words than mappers and reducers, none at all, and words longer than a part."""
    result, s3 = count(ODD_TEXTS[name], via=via, part_bytes=3)
    assert (result.state, result.errors) == ("SUCCEEDED", ())
    assert s3.objects["output/run/counts.json"] == naive_result(ODD_TEXTS[name])


def test_run_when_the_text_is_empty_then_skips_what_is_not_needed(count):
    """One mapper and one reducer say that there is nothing, and nothing is read."""
    result, s3 = count("")
    assert (ran(result, "mapper"), ran(result, "reducer"), ran(result, "output_processor")) == (1, 1, 1)
    assert (s3.gets, s3.puts) == ([], ["output/run/counts.json"])
    assert json.loads(s3.objects["output/run/counts.json"]) == {"words": 0, "distinct": 0, "counts": {}}


def test_run_when_given_a_part_size_then_takes_as_many_mappers_as_the_text_is_worth(count):
    """Copies count as text; the mappers that are not needed are skipped."""
    text = "a few words\n" * 100
    assert ran(count(text)[0], "mapper") == 1
    assert ran(count(text, part_bytes=500)[0], "mapper") == 3
    assert ran(count(text, part_bytes=500, copies=2)[0], "mapper") == 5


def test_run_when_asked_for_copies_then_counts_as_if_they_stood_one_behind_the_other(count):
    """The counts are those of the text so many times over."""
    text = "one two two"
    _, s3 = count(text, copies=7)
    assert s3.objects["output/run/counts.json"] == naive_result(text, copies=7) == naive_result(f"{text}\n" * 7)


@pytest.mark.parametrize("via", ["s3", "payload"])
def test_run_when_there_are_six_mappers_then_each_reads_its_own_part(count, via):
    """Together they read the text once, and a block each for the last word; the entry reads nothing."""
    text = "lorem ipsum dolor sit amet\n" * 10_000
    _, s3 = count(text, via=via, part_bytes=1000)
    read = sum(end - begin for key, begin, end in s3.gets if key == "input/text")
    assert len(text) <= read <= len(text) + 6 * 4097


def test_run_when_the_text_is_replaced_meanwhile_then_fails(count, monkeypatch):
    """A part of the old text and a part of the new one make no count."""
    monkeypatch.setattr(FakeS3, "head_object", lambda *_, **__: {"ContentLength": 5, "ETag": tag(b"older")})
    result, s3 = count("newer")
    assert (result.state, s3.puts) == ("FAILED", [])
    assert "PreconditionFailed" in str(result.errors[0])


def test_run_when_every_write_is_answered_too_late_then_the_second_attempt_writes_the_same(count, monkeypatch):
    """Each function fails once, behind its write. FakeS3 sees to it that a key's bytes never change."""
    put, late = FakeS3.put_object, set()

    def put_and_fail_once(s3, **thing):
        put(s3, **thing)
        if thing["Key"] not in late:
            late.add(thing["Key"])
            raise TimeoutError(thing["Key"])

    monkeypatch.setattr(FakeS3, "put_object", put_and_fail_once)
    text = (SAMPLES / "genesis.txt").read_text(encoding="utf-8")[:5000]
    result, s3 = count(text, part_bytes=500)
    assert (result.state, len(result.errors)) == ("SUCCEEDED", 6 + 4 + 1)
    assert sorted(s3.puts) == sorted([*late, *late])
    assert s3.objects["output/run/counts.json"] == naive_result(text)


def test_run_when_the_text_is_not_utf8_then_says_so(count):
    """The message names the object."""
    result, _ = count("café".encode("latin-1"))
    assert result.state == "FAILED"
    assert "input/text must be text in UTF-8" in str(result.errors[0])


def test_run_when_the_text_is_too_large_then_is_refused_at_the_entry(count, monkeypatch):
    """Before a mapper runs out of memory."""
    monkeypatch.setattr(FakeS3, "head_object", lambda *_, **__: {"ContentLength": 2 * 64 * 2**20 + 1, "ETag": "t"})
    result, _ = count("words", mappers=2)
    assert (result.state, result.failed_node) == ("FAILED", "input_processor:entry_point:0")
    assert "each mapper takes 67108864 at most" in str(result.errors[0])


def order(app, **changes):
    """An order for a text, with changes."""
    return app.Order.of({"bucket": "b", "key": "input/k.txt", "region": "us-east-1", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"via": "fax"}, "via must be s3 or payload, not 'fax'"),
        ({"via": ["s3"]}, "via must be"),
        ({"mappers": 0}, "mappers must be a whole number from 1 to 6, not 0"),
        ({"mappers": 7}, "mappers must be"),
        ({"reducers": 5}, "reducers must be a whole number from 1 to 4"),
        ({"reducers": "2"}, "reducers must be"),
        ({"part_bytes": 0}, "part_bytes must be"),
        ({"copies": True}, "copies must be"),
        ({"copies": 10_001}, "copies must be a whole number from 1 to 10000"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


def test_graph_when_derived_then_has_two_sync_nodes_and_optional_mappers_and_reducers():
    """Six nodes of one mapper and four of one reducer; the first of each always runs."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert function[graph.entry.name] == "input_processor"
    assert Counter(function.values()) == {
        "input_processor": 1,
        "mapper": 6,
        "shuffler": 1,
        "reducer": 4,
        "output_processor": 1,
    }
    edges = [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges]
    assert edges == [
        ("input_processor", "mapper", False),
        *[("input_processor", "mapper", True)] * 5,
        *[("mapper", "shuffler", False)] * 6,
        ("shuffler", "reducer", False),
        *[("shuffler", "reducer", True)] * 3,
        *[("reducer", "output_processor", False)] * 4,
    ]
    assert [node.function for node in graph.nodes if node.sync] == ["shuffler", "output_processor"]


def test_many_words_when_made_again_then_is_the_same_file(tmp_path):
    """The generator says how the file came about."""
    script = tmp_path / "make_many_words.py"
    script.write_bytes((SAMPLES / script.name).read_bytes())
    subprocess.run([sys.executable, script], check=True)
    assert (tmp_path / "many_words.txt").read_bytes() == (SAMPLES / "many_words.txt").read_bytes()


@pytest.mark.local_cloud
def test_run_when_given_the_sample_then_writes_the_same_counts_in_both_forms_and_each_time(play, filled):
    """Six mappers, four reducers, real text in a real S3: by keys, by payloads, and by keys again."""
    text = (SAMPLES / "genesis.txt").read_text(encoding="utf-8")
    payload = filled("map_reduce", "input_light.json", "555500005555") | {"part_bytes": 20_000}
    outputs = [play("map_reduce", payload | {"via": via}).outputs for via in ("s3", "payload", "s3")]
    assert outputs == [{"counts.json": naive_result(text)}] * 3


@pytest.mark.local_cloud
def test_run_when_given_the_large_sample_then_its_payloads_are_larger_than_messages_and_items(play):
    """Counts larger than SNS and DynamoDB take arrive through S3, and as they were sent."""
    played = play("map_reduce", sample="input_large.json")
    text = (SAMPLES / "many_words.txt").read_text(encoding="utf-8")
    assert played.outputs == {"counts.json": naive_result(text)}
    records = {record.node: record for record in played.result.records}
    sent = {
        function: [
            edge.payload_bytes
            for r in records.values()
            if r.function == function
            for edge in r.successors
            if edge.region
        ]
        for function in ("mapper", "shuffler")
    }
    assert [len(sizes) for sizes in sent.values()] == [2, 2]
    assert all(size > MESSAGE_LIMIT for sizes in sent.values() for size in sizes)
    assert records["shuffler:sync:7"].bytes_in == sum(sent["mapper"]) > ITEM_LIMIT
    assert records["output_processor:sync:12"].bytes_in > ITEM_LIMIT
