"""Helpers that get the workflow: their bodies are read in the place of the call, and what can't be read is refused."""

import textwrap
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caribou.model.errors import InvalidWorkflowError
from caribou.model.source.calls import MAX_HELPERS
from caribou.model.source.derive import derive_graph
from caribou.runtime import CaribouWorkflow
from caribou.runtime.testing import load_functions

HEAD = """\
from caribou.runtime import CaribouWorkflow
workflow = CaribouWorkflow(name="shop", version="0.0.1")
"""
STEPS = """
@workflow.serverless_function()
def resize(event):
    return 1

@workflow.serverless_function()
def store(event):
    return 1
"""
START = "\n@workflow.serverless_function(entry_point=True)\ndef start(event):\n"
FIFTH = """
def fifth(workflow, event, target):
    workflow.invoke_serverless_function(target, event)
"""
RESIZE, STORE = ("resize:start_0_0:1", False), ("store:start_0_1:2", False)


def write(folder: Path, app: str, files: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Write app.py, and further modules by their paths, into the folder."""
    for name, text in {"app": app, **files}.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def app_with(body: str, rest: str = FIFTH, head: str = "") -> str:
    """An app.py with that body of its entry point, its first line at BODY_LINE, and with helpers at the end."""
    return HEAD + head + START + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n" + STEPS + rest


BODY_LINE = (HEAD + START).count("\n") + 1


def edges_of(folder: Path, app: str, **files: str):
    """The graph's edges as targets and conditions."""
    return [(edge.target, edge.conditional) for edge in derive_graph(write(folder, app, files)).edges]


def error_of(folder: Path, app: str, **files: str) -> str:
    """The message with which the modules are refused."""
    write(folder, app, files)
    with pytest.raises(InvalidWorkflowError) as caught:
        derive_graph(folder)
    assert ". To fix: " in str(caught.value)
    return str(caught.value)


def two_helpers(body: str, helper: str) -> str:
    """An app with that body of its entry point, that of its helper `fifth`, and a helper `deep` with one call."""
    helpers = "\ndef fifth(w, a, b=None, x=1):\n" + textwrap.indent(helper, "    ")
    deep = "\n\ndef deep(v, target):\n    v.invoke(target)\n    if v.name:\n        return\n"
    helpers += deep if "deep" in helper else "\n"
    return app_with(body, helpers).replace(".invoke(", ".invoke_serverless_function(")


CALL_RESIZE = "workflow.invoke_serverless_function(resize)\n"
CALL_STORE = "workflow.invoke_serverless_function(store)\n"


@pytest.mark.parametrize(
    "call",
    [
        "fifth(workflow, event, resize)",
        "return_value = fifth(workflow, event, resize)",
        "x: dict = fifth(workflow, event, target=resize)",
        "fifth(event=event, target=resize, workflow=workflow)",
        "print(fifth(workflow, [x for x in event], resize))",
        "with fifth(workflow, event, resize) as x:\n    pass",
        "with open('f') as f:\n    fifth(workflow, f, resize)",
        "from src.fifth import fifth as f5\nf5(workflow, event, resize)",
    ],
)
def test_helper_when_it_gets_the_workflow_then_its_calls_are_those_of_its_caller(tmp_path, call):
    """By position or by keyword, for its value or without, imported at the top or in the body."""
    rest = "" if "import" in call else FIFTH
    assert edges_of(tmp_path, app_with(f"{call}\n{CALL_STORE}", rest), **{"src/fifth": FIFTH}) == [RESIZE, STORE]


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ("workflow: 'CaribouWorkflow', event: dict = None, target=None, more=3", "workflow, event, resize"),
        ("workflow, event, target, /", "workflow, event, resize"),
        ("workflow, event, *, target", "workflow, event, target=resize"),
        ("workflow, target, **more", "workflow, resize, event=event, x=1"),
        ("target, workflow, event=1, *rest, last=0", "resize, workflow, event, 1, 2, last=3"),
        ("workflow, target, *, event=1, flag", "flag=1, target=resize, workflow=workflow"),
        ("workflow, event=None, target=None, w=None", "workflow, target=resize, w=workflow"),
    ],
)
def test_helper_when_its_parameters_are_of_any_kind_then_each_gets_what_python_gives_it(
    tmp_path, parameters, arguments
):
    """With defaults, by position or by keyword only; what is given for `*rest` and `**more` is plain data."""
    helper = FIFTH.replace("workflow, event, target", parameters, 1).replace("(target, event)", "(target)")
    assert edges_of(tmp_path, app_with(f"fifth({arguments})\n{CALL_STORE}", helper)) == [RESIZE, STORE]


LAYOUTS = {
    "template": {
        "app": "from src.fifth import fifth\n" + app_with(f"{CALL_STORE}return fifth(workflow, event, resize)", ""),
        "src/fifth": "from caribou.runtime import CaribouWorkflow\n"
        + FIFTH.replace("workflow,", "workflow: CaribouWorkflow,"),
    },
    "module_beside": {
        "app": app_with(f"{CALL_STORE}return f5(workflow, event, resize)", "", "from steps import fifth as f5\n"),
        "steps": FIFTH,
    },
    "package_that_passes_on": {
        "app": app_with(f"{CALL_STORE}return fifth(workflow, event, resize)", "", "from src import fifth\n"),
        "src/__init__": "from .fifth import fifth\n",
        "src/fifth": FIFTH,
    },
    "star": {
        "app": app_with(f"{CALL_STORE}return fifth(workflow, event, resize)", "", "from steps import *\n"),
        "steps": FIFTH,
    },
    "functions_imported_by_the_helper": {
        "app": "from flow import workflow\nfrom steps import resize, store\nfrom src.fifth import fifth\n"
        + START
        + "    fifth(workflow)\n",
        "flow": HEAD,
        "steps": "from flow import workflow\n" + STEPS,
        "src/fifth": "from steps import resize as r\ndef fifth(w):\n    from steps import store\n"
        "    w.invoke_serverless_function(store)\n    w.invoke_serverless_function(r)\n",
    },
    "workflow_under_two_names": {
        "app": "from flow import workflow as w\nfrom steps import resize, store\nfrom src.fifth import fifth\n"
        + START.replace("@workflow", "@w")
        + "    fifth(w, event, resize, store)\n",
        "flow": HEAD,
        "steps": "from flow import workflow\n" + STEPS,
        "src/fifth": "from flow import workflow\ndef fifth(own, event, resize, store):\n"
        f"    {CALL_STORE}    own.invoke_serverless_function(resize)\n",
    },
    "helpers_of_helpers": {
        "app": app_with("return one(workflow, store, event, resize)", "", "from src.one import one\n"),
        "src/one": "from . import other\nfrom .two import two\ndef one(flow, resize, event, last):\n"
        "    flow.invoke_serverless_function(resize, event)\n    return two(event, last, w=flow)\n",
        "src/two": "def two(event, function, *, w):\n    w.invoke_serverless_function(function=function)\n",
        "src/other": "",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_helper_when_it_is_in_the_workflow_s_folder_then_it_is_read_wherever_it_is(tmp_path, layout):
    """In app.py, beside it or in a package, under any name; names that clash with those of the caller do no harm."""
    assert edges_of(tmp_path, **LAYOUTS[layout]) == [("store:start_0_0:1", False), ("resize:start_0_1:2", False)]


def test_helper_when_two_functions_call_it_then_each_call_has_its_own_functions(tmp_path):
    """Parameters stand for what one call gives them."""
    app = app_with("fifth(workflow, event, resize)\n").replace("    return 1", "    fifth(workflow, 1, store)", 1)
    assert edges_of(tmp_path, app) == [RESIZE, ("store:resize_1_0:2", False)]


@pytest.mark.parametrize(
    "body",
    [
        "return workflow.get_predecessor_data()",
        "if event:\n        for x in workflow.get_predecessor_data():\n            print(x)",
        "return deep(workflow)",
        "return [event, sorted(workflow.get_predecessor_data())]",
    ],
)
def test_helper_when_it_reads_predecessors_then_its_caller_is_a_sync_function(tmp_path, body):
    """Anywhere in the helper's own body, as in the function's own, and in helpers of helpers."""
    helpers = f"\ndef fifth(workflow, event):\n    {body}\n"
    if "deep" in body:
        helpers += "\ndef deep(w):\n    return w.get_predecessor_data()\n"
    app = app_with(CALL_RESIZE * 2, helpers).replace("    return 1", f"    {CALL_STORE}    fifth(workflow, event)", 1)
    graph = derive_graph(write(tmp_path, app))
    assert [node.name for node in graph.nodes] == ["start:entry_point:0", "resize:sync:1", "store:resize_1_0:2"]


@pytest.mark.parametrize(
    ("body", "helper", "conditions"),
    [
        ("fifth(workflow, resize, store)", "w.invoke(a, 1, x)\nw.invoke(b)", [True, False]),
        ("fifth(workflow, resize, store)", "w.invoke(a, 1, True)\nif x:\n    return\nw.invoke(b)", [False, True]),
        ("workflow.invoke(resize)\nfifth(workflow, store)", "if x:\n    return 1\nw.invoke(a)", [False, True]),
        ("if event:\n    return\nfifth(workflow, resize, store)", "w.invoke(a)\nw.invoke(b)", [True, True]),
        ("fifth(workflow, resize)\nworkflow.invoke(store)", "w.invoke(a)\nif x:\n    return 1", [False, False]),
        ("fifth(workflow, resize)\nworkflow.invoke(store)", "w.invoke(a)\nreturn 1", [False, False]),
        ("fifth(workflow, resize, store)", "if x:\n    return\ndeep(w, a)\ndeep(w, b)", [True, True]),
        ("fifth(workflow, resize, store)", "deep(w, a)\nif x:\n    return\nreturn deep(w, b)", [False, True]),
    ],
)
def test_edge_when_it_is_a_helper_s_then_conditions_are_those_of_all_bodies_around_it(
    tmp_path, body, helper, conditions
):
    """A third argument, a `return` before the call in the helper, and one before the helper's call in its caller."""
    assert [condition for _, condition in edges_of(tmp_path, two_helpers(body, helper))] == conditions


@pytest.mark.parametrize(
    ("body", "helper"),
    [
        ("fifth(workflow, resize)\nworkflow.invoke(store)", "if x:\n    return\nw.invoke(a)"),
        ("fifth(workflow, resize)\nfifth(workflow, store)", "if x:\n    return\nw.invoke(a)"),
        ("fifth(workflow, resize)\nworkflow.invoke(store)", "if x:\n    return\ndeep(w, a)"),
        ("fifth(workflow, resize, store)\nworkflow.invoke(store)", "w.invoke(a)\nif x:\n    return\ndeep(w, b)"),
    ],
)
def test_call_when_a_helper_may_have_left_out_some_before_it_then_it_is_refused(tmp_path, body, helper):
    """The runtime counts: a call that comes after one that was left out would be taken for that one."""
    message = error_of(tmp_path, two_helpers(body, helper))
    assert "it can't be known which call this is, since `fifth` at " in message
    assert "may return before its last call" in message


BODY_ERRORS = [
    ("if event:\n    fifth(workflow, 1, resize)", 1, "`fifth`, which gets the workflow, stands in an `if`"),
    ("for x in event:\n    fifth(workflow, 1, resize)", 1, "stands in a loop"),
    ("try:\n    fifth(workflow, 1, resize)\nfinally:\n    pass", 1, "stands in a `try`"),
    ("[fifth(workflow, x, resize) for x in event]", 0, "stands in a comprehension"),
    ("x = lambda: fifth(workflow, 1, resize)", 0, "stands in a lambda"),
    ("def nested():\n    fifth(workflow, 1, resize)", 1, "stands in a nested function"),
    ("event and fifth(workflow, 1, resize)", 0, "stands in an operand"),
    ("with suppress(KeyError):\n    fifth(workflow, 1, resize)", 1, "`with suppress(...)`, which may skip it"),
    ("fifth(workflow, 1, resize), fifth(workflow, 1, store)", 0, "stands twice in one statement"),
    (f"fifth(workflow, {CALL_STORE.strip()}, resize)", 0, "stands twice in one statement"),
    ("return\nfifth(workflow, 1, resize)", 1, "can't be reached"),
    ("fifth([workflow], 1, resize)", 0, "the workflow is used as a value"),
    ("fifth(*[workflow], 1, resize)", 0, "the workflow is used as a value"),
    ("fifth(w := workflow, 1, resize)", 0, "the workflow is used as a value"),
    ("fifth(workflow if event else workflow, 1, resize)", 0, "the workflow is used as a value"),
    ("fifth(*workflow)", 0, "the workflow is used as a value"),
    ("x = workflow\nfifth(x, 1, resize)", 0, "the workflow is used as a value"),
    ("steps.fifth(workflow, 1, resize)", 0, "the workflow is used as a value"),
    ("elsewhere(workflow, 1)", 0, "the workflow is used as a value"),
    ("decorated(workflow, 1)", 0, "the workflow is used as a value"),
    ("twice(workflow, 1)", 0, "the workflow is used as a value"),
    ("fifth = event\nfifth(workflow, 1)", 1, "the workflow is used as a value"),
    ("from steps import fifth\nif event:\n    from steps import other as fifth\nfifth(workflow)", 3, "used as a value"),
    ("fifth(workflow, 1, [resize])", 0, "a registered function is used as a plain one"),
    ("fifth(None, 1, resize)", 0, "a registered function is used as a plain one"),
    ("fifth(workflow, workflow.invoke_serverless_function, resize)", 0, "is not called on the workflow by its name"),
    ("fifth(workflow, 1, *event)", 0, "can't be read: `*` in the call"),
    ("fifth(workflow, 1, **event)", 0, "can't be read: `*` in the call"),
    ("fifth(workflow, 1)", 0, "can't be read: missing a required argument: 'target'"),
    ("fifth(workflow, 1, resize, 2)", 0, "can't be read: too many positional arguments"),
    ("fifth(workflow, 1, resize, more=2)", 0, "can't be read: got an unexpected keyword argument 'more'"),
    ("gathering(1, workflow)", 0, "gathers the workflow or a registered function in a parameter with `*`"),
    ("gathering(workflow, y=resize)", 0, "gathers the workflow or a registered function in a parameter with `*`"),
]


@pytest.mark.parametrize(("body", "line", "text"), BODY_ERRORS)
def test_call_when_it_hands_the_workflow_on_in_another_way_then_the_error_has_its_line(tmp_path, body, line, text):
    """The rules of calls hold for helpers too, and it must be plain which parameter gets what."""
    helpers = FIFTH + "\n@cache\ndef decorated(workflow, x):\n    pass\n\ndef gathering(x, *rest, **more):\n    pass\n"
    helpers += "\ntry:\n    from steps import twice\nexcept ImportError:\n    from steps import other as twice\n"
    steps = "def twice(w, x):\n    pass\n\ndef other(w, x):\n    pass\n"
    message = error_of(tmp_path, app_with(body, helpers, "import steps\n"), steps=steps)
    assert text in message
    assert f"app.py:{BODY_LINE + 1 + line}: " in message


HELPER_ERRORS = [
    ("if event:\n    w.invoke(a)", 3, "stands in an `if`"),
    ("for x in event:\n    deep(w)", 3, "`deep`, which gets the workflow, stands in a loop"),
    ("def nested():\n    w.invoke(a)", 3, "stands in a nested function"),
    ("return lambda: w.get_predecessor_data()", 2, "`get_predecessor_data` stands in a nested function"),
    ("w.invoke(event)", 2, "is not a registered function (found: event)"),
    ("w.invoke(event.resize)", 2, "is not the bare name of a function"),
    ("for a in event:\n    pass\nw.invoke(a)", 4, "is not a registered function (found: a)"),
    ("for w in event:\n    pass\nw.invoke(a)", 4, "is not called on the workflow by its name"),
    ("event = w.invoke_serverless_function", 2, "is not called on the workflow by its name"),
    ("return [w]", 2, "the workflow is used as a value"),
    ("return\nw.invoke(a)", 3, "can't be reached"),
    ("yield w.name", 2, "a helper that gets the workflow is a generator"),
    ("late(w)", 7, "a helper that gets the workflow is asynchronous"),
    ("fifth(w, a, event)", 2, "calls itself, so its calls can't be counted (found: fifth -> fifth)"),
    ("back(w)", 11, "calls itself, so its calls can't be counted (found: back -> forth -> back)"),
]
MORE_HELPERS = """
def deep(w):
    pass

async def late(w):
    pass

def back(w): forth(w)
def forth(w): back(w)
"""


@pytest.mark.parametrize(("body", "line", "text"), HELPER_ERRORS)
def test_helper_when_a_call_in_it_cant_be_derived_then_the_error_has_its_line(tmp_path, body, line, text):
    """The rules of calls hold inside of helpers, and the error says the helper's own file and line."""
    module = f"def fifth(w, a, event):\n{textwrap.indent(body, '    ')}\n{MORE_HELPERS}"
    module = module.replace(".invoke(", ".invoke_serverless_function(")
    app = app_with("return fifth(workflow, resize, event)", "", "from src.fifth import fifth\n")
    message = error_of(tmp_path, app, **{"src/fifth": module})
    assert text in message
    assert f"src/fifth.py:{line}: " in message


def test_helper_when_it_calls_in_vain_then_the_remedy_is_to_hand_it_the_workflow(tmp_path):
    """Nobody calls it with the workflow, so its calls would be in none of the DAG."""
    message = error_of(tmp_path, app_with(CALL_RESIZE + CALL_STORE))
    assert "is called outside the body of a registered function (found: workflow.invoke_serverless_function)" in message
    assert "hand the bare name of the workflow to the helper: `helper(workflow, ...)`" in message


@pytest.mark.parametrize(
    ("line", "stray"),
    [
        (1, "def other():\n    fifth(workflow, 1, resize)\n"),
        (2, "def other():\n    from src.fifth import fifth as f\n    f(workflow, 1, resize)\n"),
        (2, "def other():\n    import src.fifth\n    src.fifth.fifth(workflow, 1, resize)\n"),
        (1, "from src import fifth as module\ndef other(f=module.fifth):\n    f(workflow, 1, resize)\n"),
        (0, "def other(fifth=fifth):\n    fifth(workflow, 1, resize)\n"),
        (1, "class Other:\n    fifth = fifth\n"),
        (0, "again = fifth\n"),
        (0, "fifth(workflow, 1, resize)\n"),
    ],
)
def test_helper_when_it_is_used_in_another_way_too_then_it_is_refused(tmp_path, line, stray):
    """Its calls are counted where it gets the workflow from a registered function, and nowhere else."""
    app = app_with(f"fifth(workflow, 1, resize)\n{CALL_STORE}", "", "from src.fifth import fifth\n")
    message = error_of(tmp_path, app + stray, **{"src/fifth": FIFTH})
    assert "a helper that gets the workflow is used in another way too, so its calls can't be counted" in message
    assert f"app.py:{app.count(chr(10)) + 1 + line}: " in message


def test_helper_when_others_have_its_name_then_it_is_read_all_the_same(tmp_path):
    """A variable, a parameter or an attribute of that name is something else."""
    others = "def other(fifth, x):\n    return fifth(x.fifth)\n\ndef another():\n    fifth = 1\n    return fifth\n"
    app = app_with(f"fifth(workflow, 1, resize)\n{CALL_STORE}", FIFTH + others)
    assert edges_of(tmp_path, app) == [RESIZE, STORE]


def test_helpers_when_they_get_plain_data_then_they_are_what_they_were(tmp_path):
    """Called in a loop, decorated, recursive, handed about: they play no part."""
    helpers = "def plain(x):\n    return [plain(y) for y in x]\n\nplain = cached = cache(plain)\n"
    body = f"for x in map(plain, event):\n    plain(x)\n{CALL_RESIZE}return plain(plain)"
    assert edges_of(tmp_path, app_with(CALL_STORE + body, helpers)) == [
        ("store:start_0_0:1", False),
        ("resize:start_0_1:2", False),
    ]


def doubling(levels: int) -> str:
    """Helpers of which each calls the next one twice."""
    calls = [f"\n    h{n + 1}(w)" * 2 if n + 1 < levels else "\n    pass" for n in range(levels)]
    return "\n".join(f"def h{n}(w):{call}" for n, call in enumerate(calls))


def test_helpers_when_they_call_each_other_too_often_then_it_is_an_error_and_not_a_hang(tmp_path):
    """Thirty levels of two calls would be a thousand million, and make no call of the DAG."""
    body = f"h0(workflow)\n{CALL_RESIZE}{CALL_STORE}"
    assert f"to helpers more than {MAX_HELPERS} times" in error_of(tmp_path, app_with(body, doubling(30)))
    assert edges_of(tmp_path, app_with(body, doubling(5))) == [RESIZE, STORE]


def test_helpers_when_they_form_the_longest_chain_then_no_limit_of_python_is_met(tmp_path):
    """As deep as allowed, inside `with` too."""
    chain = [f"def h{n}(w, f):\n    with x, y:\n        h{n + 1}(w, f)\n" for n in range(MAX_HELPERS - 1)]
    chain.append(f"def h{MAX_HELPERS - 1}(w, f):\n    w.invoke_serverless_function(f)\n")
    assert edges_of(tmp_path, app_with(f"h0(workflow, resize)\n{CALL_STORE}", "".join(chain))) == [RESIZE, STORE]


def test_docs_when_their_helper_is_put_into_their_shop_then_the_graph_has_the_same_nodes(tmp_path):
    """The example of docs/writing-workflows.md is the shop's `censor`, with its call in a helper."""
    text = (Path(__file__).parents[3] / "docs/writing-workflows.md").read_text()
    shop, example = (part.split("```")[0] for part in text.split("```python\n")[1:3])
    function, helper = example.removeprefix("# app.py\n").split("# src/words.py\n")
    before, rest = shop.split("@workflow.serverless_function()\ndef censor")
    after = rest[rest.index("@workflow") :]
    nodes = derive_graph(write(tmp_path, shop)).nodes
    app = f"from src.words import censored\n{before}{function}{after}"
    assert derive_graph(write(tmp_path, app, {"src/words": helper})).nodes == nodes


FUNCTIONS = ("f0", "f1", "f2")
EVENTS = tuple(product((False, True), repeat=2))
FLAG = st.sampled_from(["event[0]", "event[1]"])


@st.composite
def statements(draw, helpers: range):
    """A body's lines: invocations, early returns, and calls of those helpers with the functions in any order."""
    lines = []
    kinds = ["invoke", "invoke", "leave", *["help"] * 2 * bool(helpers)]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4)):
        if kind == "invoke":
            condition = draw(st.one_of(st.just("True"), FLAG))
            lines.append(f"workflow.invoke_serverless_function({draw(st.sampled_from(FUNCTIONS))}, 1, {condition})")
        elif kind == "leave":
            lines.append(f"if {draw(FLAG)}: return")
        else:
            given_ = zip(FUNCTIONS, draw(st.permutations(FUNCTIONS)), strict=True)
            arguments = draw(st.permutations(["workflow=workflow", "event=event", *(f"{x}={y}" for x, y in given_)]))
            lines.append(f"x = h{draw(st.sampled_from(helpers))}({', '.join(arguments)})")
    return lines


@st.composite
def programs(draw):
    """An app.py: its entry point calls each function once, and then whatever it and up to four helpers do."""
    count = draw(st.integers(1, 4))
    bodies = [draw(statements(range(n, count))) for n in range(count + 1)]
    text = HEAD + START
    text += "".join(f"    workflow.invoke_serverless_function({name}, 0)\n" for name in FUNCTIONS)
    text += textwrap.indent("\n".join(bodies[0]), "    ") + "\n"
    text += "".join(f"@workflow.serverless_function()\ndef {name}(event): return 1\n" for name in FUNCTIONS)
    for n, lines in enumerate(bodies[1:]):
        if f"h{n}(" in text:
            text += f"def h{n}(workflow, event, f0, f1, f2):\n" + textwrap.indent("\n".join([*lines, "pass"]), "    ")
            text += "\n"
    return text


def calls_made(folder: Path, graph) -> list[list[tuple[str, bool]]]:
    """For each event, what the entry point calls when Python runs it, and whether the condition held."""
    made = []

    def note(_workflow, function, _payload, *condition):
        made[-1].append((function.__name__, condition != (False,)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CaribouWorkflow, "invoke_serverless_function", note)
        start = load_functions(folder, graph)["start"]
        for event in EVENTS:
            made.append([])
            start(event)
    return made


def derived(folder: Path):
    """The graph, or None if a helper may return before its last call and others follow."""
    try:
        return derive_graph(folder)
    except InvalidWorkflowError as error:
        if "it can't be known which call this is" in str(error):
            return None
        raise


@settings(max_examples=80)
@given(programs())
def test_edges_when_the_source_is_random_then_they_are_the_calls_that_python_makes(tmp_path, app):
    """In their order and number; only conditional ones are left out, and only at the end."""
    write(tmp_path, app)
    graph = derived(tmp_path)
    assume(graph is not None)
    edges = [(graph.node(edge.target).function, edge.conditional) for edge in graph.edges]
    for made in calls_made(tmp_path, graph):
        assert [function for function, _ in made] == [function for function, _ in edges[: len(made)]]
        assert all(conditional or held for (_, conditional), (_, held) in zip(edges, made, strict=False))
        assert all(conditional for _, conditional in edges[len(made) :])
