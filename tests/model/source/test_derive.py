"""The graph out of a workflow's source: what is read, how nodes are named, and what is refused."""

import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.errors import InvalidWorkflowError
from caribou.model.schema.manifest import parse_manifest
from caribou.model.source.derive import check_grammar, derive_graph
from caribou.model.source.unfold import MAX_NODES

HEAD = """\
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="shop", version="0.0.1")

"""
HEAD_LINES = HEAD.count("\n")

STEPS = """
@workflow.serverless_function()
def resize(event):
    return 1


@workflow.serverless_function()
def store(event):
    return 1
"""


def write(folder: Path, **files: str) -> Path:
    """Write modules into the folder; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def graph_of(folder: Path, app: str, **files: str):
    """The graph of the modules, written into the folder."""
    return derive_graph(write(folder, app=app, **files))


def entry_with(body: str, rest: str = STEPS) -> str:
    """An app whose entry point has that body, its first line at BODY_LINE, and two further functions."""
    decorator = "@workflow.serverless_function(entry_point=True)\ndef start(event):\n"
    return HEAD + decorator + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n\n" + rest


BODY_LINE = HEAD_LINES + 3
BOTH = "workflow.invoke_serverless_function(resize)\nworkflow.invoke_serverless_function(store)\n"


def error_of(folder: Path, app: str, **files: str) -> str:
    """The message with which the modules are refused."""
    with pytest.raises(InvalidWorkflowError) as caught:
        graph_of(folder, app, **files)
    assert ". To fix: " in str(caught.value)
    return str(caught.value)


def test_graph_when_functions_call_each_other_then_nodes_are_named_after_their_callers(tmp_path):
    """A node's name has its function, its caller, the caller's position, the call's index, and its own position."""
    app = entry_with(
        BOTH,
        """
@workflow.serverless_function(name="Resize")
def resize(event):
    workflow.invoke_serverless_function(store, 1)

@workflow.serverless_function()
def store(event):
    return 1
""",
    )
    graph = graph_of(tmp_path, app)
    assert [node.name for node in graph.nodes] == [
        "start:entry_point:0",
        "Resize:start_0_0:1",
        "store:start_0_1:2",
        "store:Resize_1_0:3",
    ]
    assert [(edge.id, edge.target) for edge in graph.edges] == [
        ("start:entry_point:0#0", "Resize:start_0_0:1"),
        ("start:entry_point:0#1", "store:start_0_1:2"),
        ("Resize:start_0_0:1#0", "store:Resize_1_0:3"),
    ]
    assert not any(edge.conditional for edge in graph.edges)


def test_graph_when_a_function_reads_its_predecessors_then_it_has_one_node(tmp_path):
    """A sync function has one node, last in the order, and each call of it is an edge, two from one caller too."""
    app = entry_with(
        "workflow.invoke_serverless_function(merge)\nworkflow.invoke_serverless_function(work)\n",
        """
@workflow.serverless_function()
def merge(event):
    if event:
        data = [x for x in workflow.get_predecessor_data()]

@workflow.serverless_function()
def work(event):
    workflow.invoke_serverless_function(merge, 1)
    workflow.invoke_serverless_function(merge, 2)
""",
    )
    graph = graph_of(tmp_path, app)
    assert [node.name for node in graph.nodes] == ["start:entry_point:0", "work:start_0_1:1", "merge:sync:2"]
    assert [edge.id for edge in graph.in_edges("merge:sync:2")] == [
        "start:entry_point:0#0",
        "work:start_0_1:1#0",
        "work:start_0_1:1#1",
    ]
    assert graph.function("merge").sync
    assert graph.node("merge:sync:2").sync


def test_graph_when_a_sync_node_calls_on_then_its_successors_are_nodes_too(tmp_path):
    """A sync node may call further nodes, sync ones among them."""
    app = entry_with(
        "workflow.invoke_serverless_function(merge)\nworkflow.invoke_serverless_function(last)\n",
        """
@workflow.serverless_function()
def merge(event):
    workflow.get_predecessor_data()
    workflow.invoke_serverless_function(last)

@workflow.serverless_function()
def last(event):
    workflow.get_predecessor_data()
""",
    )
    assert [n.name for n in graph_of(tmp_path, app).nodes] == ["start:entry_point:0", "merge:sync:1", "last:sync:2"]


def test_graph_when_the_decorator_has_arguments_then_the_function_has_them(tmp_path):
    """Name, override and environment come out of the decorator's literals, module and handler out of the `def`."""
    app = (
        HEAD
        + """
@workflow.serverless_function(
    name="Start",
    entry_point=True,
    regions_and_providers={"allowed_regions": [{"provider": "aws", "region": "us-east-1"}]},
    environment_variables=[{"key": "SIZE", "value": "10"}],
)
def start(event):
    pass
"""
    )
    (function,) = graph_of(tmp_path, app).functions
    assert (function.name, function.module, function.handler, function.entry_point) == ("Start", "app", "start", True)
    assert function.regions_and_providers == {"allowed_regions": [{"provider": "aws", "region": "us-east-1"}]}
    assert function.environment_variables == {"SIZE": "10"}


@pytest.mark.parametrize(
    ("arguments", "conditional"),
    [
        ("resize", False),
        ("resize, 1", False),
        ("resize, 1, True", False),
        ("function=resize, payload=1", False),
        ("resize, conditional=True", False),
        ("resize, 1, event['x']", True),
        ("resize, 1, conditional=event", True),
        ("resize, 1, False", True),
        ("resize, 1, 1", True),
    ],
)
def test_edge_when_the_condition_may_be_false_then_it_is_conditional(tmp_path, arguments, conditional):
    """An edge is conditional unless its third argument is absent or literally True."""
    app = entry_with(f"workflow.invoke_serverless_function({arguments})\nworkflow.invoke_serverless_function(store)\n")
    assert [edge.conditional for edge in graph_of(tmp_path, app).edges] == [conditional, False]


@pytest.mark.parametrize(
    "way_out",
    [
        "if event:\n    return\n",
        "with open('f'):\n    if event:\n        return 1\n",
        "for x in event:\n    return\n",
        "try:\n    x = 1\nexcept ValueError:\n    return\n",
        "while event:\n    if event.pop():\n        return\n",
        "with suppress(ValueError):\n    return\n",
        "match event:\n    case 1:\n        return\n",
    ],
)
def test_edge_when_the_function_may_have_returned_then_it_is_conditional(tmp_path, way_out):
    """A `return` that may come before a call makes the edge conditional, but not the edges before it."""
    body = f"workflow.invoke_serverless_function(resize)\n{way_out}workflow.invoke_serverless_function(store)\n"
    assert [edge.conditional for edge in graph_of(tmp_path, entry_with(body)).edges] == [False, True]


@pytest.mark.parametrize(
    "harmless",
    [
        "if event:\n    raise ValueError\n",
        "helper = lambda: 1\n",
        "def helper():\n    return 1\n",
        "for x in event:\n    pass\n",
        "with suppress(ValueError):\n    raise ValueError\n",
        "try:\n    raise ValueError\nexcept ValueError:\n    pass\n",
        "while True:\n    break\n",
    ],
)
def test_edge_when_the_function_can_only_go_on_then_it_is_unconditional(tmp_path, harmless):
    """What fails the run, or returns from something nested, leaves later edges unconditional."""
    assert not any(edge.conditional for edge in graph_of(tmp_path, entry_with(harmless + BOTH)).edges)


@pytest.mark.parametrize(
    "body",
    [
        "with open('f') as f, lock:\n    workflow.invoke_serverless_function(resize, f.read())\n",
        "x = workflow.invoke_serverless_function(resize)\n",
        "print(workflow.invoke_serverless_function(resize))\n",
        "workflow.invoke_serverless_function(payload={'a': [x for x in event]}, function=resize)\n",
        "def nested(store):\n    return store\nworkflow.invoke_serverless_function(resize)\n",
        "key = lambda resize: resize\nworkflow.invoke_serverless_function(resize)\n",
        "x: int = workflow.name; workflow.invoke_serverless_function(resize)\n",
        "with a:\n    with b:\n        workflow.invoke_serverless_function(resize)\n",
    ],
)
def test_call_when_it_always_runs_once_then_it_is_an_edge(tmp_path, body):
    """A statement of the body, or one inside `with`, is read whatever stands around the call in it."""
    app = entry_with(body + "workflow.invoke_serverless_function(store)\n")
    assert [edge.target for edge in graph_of(tmp_path, app).edges] == ["resize:start_0_0:1", "store:start_0_1:2"]


CALL = "workflow.invoke_serverless_function(resize)"


@pytest.mark.parametrize(
    ("body", "line", "text"),
    [
        (f"if event:\n    {CALL}\n", 1, "stands in an `if`"),
        (f"if event:\n    pass\nelse:\n    {CALL}\n", 3, "stands in an `if`"),
        (f"if event:\n    with a:\n        {CALL}\n", 2, "stands in an `if`"),
        (f"for x in event:\n    {CALL}\n", 1, "stands in a loop"),
        (f"while event:\n    {CALL}\n", 1, "stands in a loop"),
        (f"try:\n    {CALL}\nfinally:\n    pass\n", 1, "stands in a `try`"),
        (f"try:\n    pass\nexcept* ValueError:\n    {CALL}\n", 3, "stands in a `try`"),
        (f"match event:\n    case 1:\n        {CALL}\n", 2, "stands in a `match`"),
        (f"[{CALL} for x in event]\n", 0, "stands in a comprehension"),
        (f"x = (\n    {CALL} for x in event)\n", 1, "stands in a comprehension"),
        (f"f = lambda: {CALL}\n", 0, "stands in a lambda"),
        (f"def nested():\n    {CALL}\n", 1, "stands in a nested function"),
        (f"class Nested:\n    {CALL}\n", 1, "stands in a class"),
        (f"x = {CALL} if event else 1\n", 0, "stands in a conditional expression"),
        (f"event and {CALL}\n", 0, "stands in an operand of `and` or `or`"),
        (f"1 < 2 < {CALL}\n", 0, "stands in a comparison"),
        (f"assert {CALL}\n", 0, "stands in an `assert`"),
        (f"with suppress(ValueError):\n    {CALL}\n", 1, "`with suppress(...)`, which may skip it"),
        (f"{CALL}, {CALL}\n", 0, "stands twice in one statement"),
        (f"return\n{CALL}\n", 1, "can't be reached"),
        (f"with a:\n    return\n{CALL}\n", 2, "can't be reached"),
        (f"if event:\n    return\nelse:\n    raise ValueError\n{CALL}\n", 4, "can't be reached"),
        (f"while True:\n    pass\n{CALL}\n", 2, "can't be reached"),
        (f"match event:\n    case 1:\n        return\n    case _:\n        return\n{CALL}\n", 5, "can't be reached"),
        (f"try:\n    return\nexcept ValueError:\n    raise\n{CALL}\n", 4, "can't be reached"),
        ("\nworkflow.invoke_serverless_function(helper)\n", 0, "is not a registered function (found: helper)"),
        ("resize = 1\nworkflow.invoke_serverless_function(resize)\n", 1, "is not a registered function"),
        ("workflow.invoke_serverless_function(steps.resize)\n", 0, "is not the bare name of a function"),
        ("workflow.invoke_serverless_function('resize')\n", 0, "is not the bare name of a function"),
        ("workflow.invoke_serverless_function()\n", 0, "is not the bare name of a function (found: nothing)"),
        ("workflow.invoke_serverless_function(*event)\n", 0, "arguments can't be read"),
        ("workflow.invoke_serverless_function(resize, **event)\n", 0, "arguments can't be read"),
        ("workflow.invoke_serverless_function(resize, 1, True, 2)\n", 0, "arguments can't be read"),
        ("workflow.invoke_serverless_function(resize, function=resize)\n", 0, "arguments can't be read"),
        ("workflow.invoke_serverless_function(resize, when=True)\n", 0, "arguments can't be read"),
        ("other.invoke_serverless_function(resize)\n", 0, "is not called on the workflow by its name"),
        ("invoke = workflow.invoke_serverless_function\n", 0, "is not called on the workflow by its name"),
        ("workflow = 1\nworkflow.invoke_serverless_function(resize)\n", 1, "is not called on the workflow by its name"),
        ("helper(workflow)\n", 0, "the workflow is used as a value"),
        ("resize(event)\n", 0, "a registered function is used as a plain one"),
        ("pool.map(resize, event)\n", 0, "a registered function is used as a plain one"),
        ("x = lambda: workflow.get_predecessor_data()\n", 0, "`get_predecessor_data` stands in a nested function"),
        ("yield 1\n", 0, "is a generator"),
    ],
)
def test_body_when_a_call_cant_be_derived_then_the_error_has_its_line(tmp_path, body, line, text):
    """Whatever may run never, twice, or out of sight is refused at its own line."""
    message = error_of(tmp_path, entry_with(body))
    assert text in message
    assert f"app.py:{BODY_LINE + line}: " in message


MODULE_ERRORS = {
    "entry_missing": (HEAD + STEPS, "has no entry point"),
    "entry_twice": (
        entry_with(BOTH, STEPS + "\n@workflow.serverless_function(entry_point=True)\ndef again(event):\n    pass\n"),
        "two entry points (found: start and again)",
    ),
    "entry_reads_predecessors": (entry_with("workflow.get_predecessor_data()\n" + BOTH), "nothing comes before it"),
    "entry_invoked": (
        entry_with(
            CALL,
            "@workflow.serverless_function()\ndef resize(event):\n    workflow.invoke_serverless_function(start)\n",
        ),
        "the entry point is invoked",
    ),
    "cycle": (
        entry_with(
            CALL,
            "@workflow.serverless_function()\ndef resize(event):\n    workflow.invoke_serverless_function(store)\n"
            "@workflow.serverless_function()\ndef store(event):\n    workflow.invoke_serverless_function(resize)\n",
        ),
        "closes a cycle (found: resize -> store -> resize)",
    ),
    "cycle_of_one": (
        entry_with(CALL, f"@workflow.serverless_function()\ndef resize(event):\n    {CALL}\n"),
        "closes a cycle (found: resize -> resize)",
    ),
    "unreached": (entry_with(CALL), "no call leads to it from the entry point (found: store)"),
    "same_name": (
        entry_with(BOTH, STEPS.replace("()\ndef store", '(name="resize")\ndef store')),
        "two functions have the same name, the other one at",
    ),
    "same_def": (entry_with(BOTH, STEPS + STEPS), "the same Python name in one module"),
    "nothing_registered": (HEAD, "has no registered function"),
    "no_workflow": ("x = 1\n", "define no CaribouWorkflow"),
    "two_workflows": (HEAD + 'other = CaribouWorkflow(name="y", version="0.0.1")\n', "there are two workflows"),
    "workflow_in_if": (
        'from caribou.runtime import CaribouWorkflow\nif x:\n    w = CaribouWorkflow("x", "0.0.1")\n',
        "not assigned to a variable at the top level",
    ),
    "name_not_literal": (HEAD.replace('"shop"', "NAME") + STEPS, "name is not a literal"),
    "version_not_literal": (HEAD.replace('"0.0.1"', 'f"{x}"') + STEPS, "version is not a literal"),
    "no_version": (HEAD.replace(', version="0.0.1"', "") + STEPS, "has no version"),
    "name_a_number": (HEAD.replace('"shop"', "1") + STEPS, "has no name"),
    "bad_version": (HEAD.replace("0.0.1", "1.0-beta") + STEPS, "version is not numbers with dots"),
    "bad_workflow_name": (HEAD.replace("shop", "my-shop") + STEPS, "To fix: name it my_shop."),
    "bad_function_name": (
        entry_with(BOTH).replace("function()", 'function(name="First:Function")', 1),
        "letters, digits and _ and - (found: 'First:Function'). To fix: name it First_Function.",
    ),
    "long_name": (
        entry_with(BOTH, STEPS.replace("()", f'(name="{"n" * 52}")', 1)),
        "longer than 64 characters",
    ),
    "unknown_argument": (entry_with(BOTH, STEPS.replace("()", "(timeout=60)", 1)), "no such argument"),
    "argument_twice": (entry_with(BOTH, STEPS.replace("()", '("a", name="a")', 1)), "no such argument, or it is given"),
    "argument_not_literal": (entry_with(BOTH, STEPS.replace("()", "(name=NAME)", 1)), "name is not a literal"),
    "argument_type": (entry_with(BOTH, STEPS.replace("()", "(name=1)", 1)), "name has the wrong type (found: 1)"),
    "starred_argument": (entry_with(BOTH, STEPS.replace("()", "(*X)", 1)), "too many arguments"),
    "double_starred_argument": (entry_with(BOTH, STEPS.replace("()", "(**X)", 1)), "(found: **X)"),
    "environment_mapping": (
        entry_with(BOTH, STEPS.replace("()", "(environment_variables={'A': 'b'})", 1)),
        "environment_variables is not a list",
    ),
    "environment_number": (
        entry_with(BOTH, STEPS.replace("()", "(environment_variables=[{'key': 'A', 'value': 1}])", 1)),
        "environment_variables is not a list",
    ),
    "environment_twice": (
        entry_with(BOTH, STEPS.replace("()", "(environment_variables=[{'key': 'A', 'value': 'b'}] * 2)", 1)),
        "environment_variables is not a literal",
    ),
    "decorator_not_called": (entry_with(BOTH, STEPS.replace("()", "", 1)), "the decorator is not called"),
    "decorator_of_other": (
        entry_with(BOTH, STEPS.replace("@workflow", "@other", 1)),
        "the decorator is not that of the workflow",
    ),
    "decorator_indented": (
        entry_with(BOTH, STEPS + "\nif x:\n    @workflow.serverless_function()\n    def f(event): pass\n"),
        "elsewhere than at the top level",
    ),
    "decorator_applied": (
        entry_with(BOTH, STEPS + "\nf = workflow.serverless_function(name='f')(g)\n"),
        "elsewhere than at the top level",
    ),
    "call_in_helper": (
        entry_with(BOTH, STEPS + f"\ndef helper():\n    {CALL}\n"),
        "outside the body of a registered function",
    ),
    "sync_in_helper": (
        entry_with(BOTH, STEPS + "\ndef helper(w):\n    return w.get_predecessor_data()\n"),
        "outside the body of a registered function",
    ),
    "call_at_top_level": (entry_with(BOTH) + CALL, "outside the body of a registered function"),
    **{
        f"parameters_{i}": (entry_with(BOTH).replace("def start(event)", f"def start({given})"), f"def start({given})")
        for i, given in enumerate(("", "a, b, c", "*, event", "event, *, more", "a, b, /, c, d=1"))
    },
    "asynchronous": (entry_with(BOTH).replace("def store", "async def store"), "is asynchronous"),
    "syntax": (HEAD + "def (:\n", f"app.py:{HEAD_LINES + 1}: this is not Python"),
    **{
        f"compiled_{i}": (entry_with(body + "\n" + BOTH), f"app.py:{BODY_LINE + line}: this is not Python: {text}")
        for i, (body, line, text) in enumerate(
            (
                ("if event:\n    break", 1, "'break' outside loop"),
                ("x = await fetch(event)", 0, "'await' outside async function"),
                ("n = 1\nglobal n", 1, "name 'n' is assigned to before global declaration"),
                ("from os import *", 0, "import * only allowed at module level"),
            )
        )
    },
    "parameter_twice": (entry_with(BOTH).replace("start(event)", "start(event, event)"), "duplicate argument 'event'"),
    "late_future": (HEAD + "from __future__ import annotations\n", "must occur at the beginning of the file"),
    "decorator_above": (
        entry_with(BOTH, STEPS.replace("@workflow", "@retry\n@workflow", 1)),
        "a second decorator, which may call it twice, never, or under another name (found: @retry)",
    ),
    "decorator_below": (
        entry_with(BOTH, STEPS.replace("()\ndef", "()\n@tracer.capture\ndef", 1)),
        "a second decorator, which may call it twice, never, or under another name (found: @tracer.capture)",
    ),
    **{
        f"rebound_{i}": (entry_with(BOTH) + below + "\n", "the name of a registered function is bound again")
        for i, below in enumerate(
            (
                *("start = 1", "start: int = 1", "start += 1", "del start", "x, (*start, y) = z", "(start := 1)"),
                *("for start in x: pass", "while (start := x): pass", "with x as start: pass", "import start"),
                *("try:\n    pass\nexcept E as start:\n    pass", "from x import y as start", "class start: pass"),
                *("match x:\n    case [start]: pass", "def start(): pass", "if x:\n    start = 1"),
                *("[start := x for x in y]", "def f():\n    global start\n    start = 1", "import app\napp.start = 1"),
                *("try:\n    pass\nfinally:\n    for x in y:\n        del start",),
            )
        )
    },
    "null_byte": ("x = '\0'\n", "null bytes"),
    "reference_import": (
        HEAD.replace("caribou.runtime", "caribou.deployment.client"),
        "To fix: write `from caribou.runtime import CaribouWorkflow`.",
    ),
    "reference_module_import": (
        HEAD.replace("caribou.runtime", "caribou.deployment.client.caribou_workflow"),
        "To fix: write `from caribou.runtime import CaribouWorkflow`.",
    ),
    "old_reference_import": (
        HEAD.replace("caribou.runtime import CaribouWorkflow", "multi_x_serverless.deployment.client import Flow"),
        "To fix: write `from caribou.runtime import CaribouWorkflow as MultiXServerlessWorkflow`.",
    ),
    "relative_import": ("from . import steps\n", "goes up from the workflow's folder"),
}


@pytest.mark.parametrize("case", MODULE_ERRORS)
def test_module_when_it_breaks_a_rule_then_the_error_says_so(tmp_path, case):
    """Each rule of the DAG and of the decorators has an error of its own, with a place in the source."""
    app, text = MODULE_ERRORS[case]
    message = error_of(tmp_path, app)
    assert text in message
    assert "app.py:" in message or case == "no_workflow"


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        *((line, "") for line in ("x = [start for start in y]", "start: object", "def f():\n    start = 1")),
        *((line, "") for line in ("if TYPE_CHECKING:\n    from x import start", "x = lambda start: 1", "x.start = 1")),
        ("from steps import *", "__all__ = ['other']\n__all__ += ['more']\nstart = other = more = 1\n"),
        ("from steps import *", "_start = other = 1\n"),
    ],
)
def test_name_of_a_function_when_it_is_not_bound_again_then_it_is_taken(tmp_path, line, steps):
    """Variables of comprehensions, functions and lambdas are others; `__all__` keeps a star import's names back."""
    assert graph_of(tmp_path, f"{entry_with(BOTH)}\n{line}\n", steps=steps).entry.function == "start"


@pytest.mark.parametrize(
    "steps", ["start = 1", "def start(): pass", "__all__ = ['start']", "from os import path as start"]
)
def test_name_of_a_function_when_a_star_import_brings_it_then_it_is_refused(tmp_path, steps):
    """What `from steps import *` binds stands in steps."""
    assert "bound again" in error_of(tmp_path, f"{entry_with(BOTH)}\nfrom steps import *\n", steps=steps)


@pytest.mark.parametrize(
    ("imports", "head"),
    [
        ("from contextlib import suppress as quiet", "quiet(ValueError)"),
        ("import contextlib as c", "c.suppress(ValueError)"),
        ("import contextlib\nquiet = contextlib.suppress", "quiet(ValueError)"),
        ("from contextlib import suppress as s\nquiet: type = s", "quiet(ValueError)"),
        ("from contextlib import suppress\nclass Quiet(suppress): pass", "Quiet(ValueError)"),
    ],
)
def test_call_when_it_stands_in_a_with_that_swallows_errors_then_its_name_does_not_matter(tmp_path, imports, head):
    """A call that is skipped by an error would send the next payload on its edge."""
    app = entry_with(f"with {head}:\n    workflow.invoke_serverless_function(resize)\n" + BOTH.splitlines()[1])
    assert "which may skip it" in error_of(tmp_path, f"{imports}\n{app}")
    ends = entry_with(f"with {head}:\n    raise ValueError\n" + BOTH)
    assert len(graph_of(tmp_path, f"{imports}\n{ends}").edges) == 2


def test_grammar_when_it_is_newer_than_the_python_that_runs_it_then_it_is_refused(tmp_path):
    """The manifest's Python counts, not the one that deploys: `type` statements came with 3.12, `match` with 3.10."""
    folder = write(tmp_path, app=entry_with("match event:\n    case 1:\n        pass\n" + BOTH))
    check_grammar(folder, "3.11")
    with pytest.raises(InvalidWorkflowError, match=r"app\.py.*read as that of Python 3\.9"):
        check_grammar(folder, "3.9")
    write(tmp_path, app="type Text = str\n" + entry_with(BOTH))
    with pytest.raises(InvalidWorkflowError, match=r"app\.py:1: .*read as that of Python 3\.11"):
        reads_for(tmp_path, "3.11")


def reads_for(folder, python_version):
    """Read a workflow as synth does: as this Python, then as the manifest's, if that is older."""
    derive_graph(folder)
    check_grammar(folder, python_version)


def test_module_when_it_lies_elsewhere_then_it_is_not_read(tmp_path):
    """A folder of somebody else's may link to any file of ours."""
    write(tmp_path, secret="x = 1")
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "app.py").symlink_to("../secret.py")
    with pytest.raises(InvalidWorkflowError, match="leads out of the workflow's folder"):
        derive_graph(tmp_path / "flow")


def test_module_when_it_is_no_source_then_it_is_not_read(tmp_path):
    """Nobody wrote ten megabytes; a sparse file takes no disk, and would take all memory."""
    with (tmp_path / "app.py").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidWorkflowError, match="can't be read as Python: it has 1099511627776 bytes"):
        derive_graph(tmp_path)


@pytest.mark.parametrize("version", ["1", "1.0", "0.0.1", "2026.11.23.1"])
def test_version_when_it_is_numbers_with_dots_then_it_is_taken(tmp_path, version):
    """As many numbers as the owner likes: nothing is read out of them."""
    assert graph_of(tmp_path, entry_with(BOTH).replace("0.0.1", version)).version == version


def test_function_name_when_it_has_hyphens_then_nodes_are_named_with_them(tmp_path):
    """The reference system's own template calls its functions First-Function and so on."""
    steps = STEPS.replace("()", '(name="Re-Size")', 1)
    graph = graph_of(tmp_path, entry_with(BOTH, steps).replace("entry_point", 'name="First-One", entry_point'))
    assert [node.name for node in graph.nodes] == [
        "First-One:entry_point:0",
        "Re-Size:First-One_0_0:1",
        "store:First-One_0_1:2",
    ]


def test_decorator_when_it_has_the_reference_system_s_debugging_argument_then_it_means_nothing(tmp_path):
    """Its benchmarks write it, so it is accepted."""
    app = entry_with(BOTH)
    plain = graph_of(tmp_path, app)
    assert graph_of(tmp_path, app.replace("=True)", "=True, allow_placement_decision_override=True)")) == plain


def test_folder_when_there_is_no_app_then_the_error_says_where(tmp_path):
    """A folder without app.py is not a workflow."""
    with pytest.raises(InvalidWorkflowError, match=r"has no app\.py"):
        derive_graph(tmp_path)


def test_name_when_another_was_asked_for_then_it_is_an_error(tmp_path):
    """The workflow that is asked for by name must be the one in the source."""
    write(tmp_path, app=entry_with(BOTH))
    assert derive_graph(tmp_path, workflow="shop").workflow == "shop"
    with pytest.raises(InvalidWorkflowError, match="the workflow's name is not store"):
        derive_graph(tmp_path, workflow="store")


ENTRY = """
@workflow.serverless_function(entry_point=True)
def start(event):
    workflow.invoke_serverless_function(resize)
    workflow.invoke_serverless_function(store)
"""
LAYOUTS = {
    "import_from_app": {
        "app": HEAD + "from steps import resize, store\n" + ENTRY,
        "steps": "from app import workflow\n" + STEPS,
    },
    "flow_module": {
        "app": "from flow import workflow\nfrom steps import resize, store\n" + ENTRY,
        "flow": HEAD,
        "steps": "from flow import workflow\n" + STEPS,
    },
    "aliases": {
        "app": "from flow import workflow as w\nfrom steps import resize as r, store\n"
        + ENTRY.replace("workflow.", "w.").replace("(resize", "(r"),
        "flow": HEAD,
        "steps": "from flow import workflow\n" + STEPS,
    },
    "star": {"app": "from steps import *\n" + ENTRY, "steps": HEAD + STEPS},
    "local_import": {
        "app": HEAD
        + ENTRY.replace("def start(event):\n", "def start(event):\n    from steps import resize as r, store\n").replace(
            "(resize", "(r"
        ),
        "steps": "from app import workflow\n" + STEPS,
    },
    "module_and_name": {
        "app": "import steps\nfrom flow import workflow\nresize = None\nfrom steps import resize, store\n" + ENTRY,
        "flow": HEAD,
        "steps": "from flow import workflow\n" + STEPS,
    },
    "two_modules": {
        "app": "from flow import workflow\nfrom one import resize\nfrom two import store\n" + ENTRY,
        "flow": HEAD,
        "one": "from flow import workflow\n" + STEPS.split("\n\n\n", maxsplit=1)[0],
        "two": "from flow import workflow\n" + STEPS.split("\n\n\n")[1],
    },
    "class_alias": {
        "app": 'import caribou.runtime\nworkflow = caribou.runtime.CaribouWorkflow("shop", "0.0.1")\n' + ENTRY + STEPS
    },
    "module_alias": {
        "app": 'from caribou import runtime as rt\nworkflow = w = rt.CaribouWorkflow("shop", version="0.0.1")\n'
        + ENTRY
        + STEPS.replace("@workflow", "@w")
    },
    "annotated": {"app": HEAD.replace("workflow =", "workflow: CaribouWorkflow =") + ENTRY + STEPS},
    "try_import": {
        "app": HEAD + "try:\n    from steps import resize, store\nexcept ImportError:\n    raise\n" + ENTRY,
        "steps": "from app import workflow\n" + STEPS,
    },
    "type_checking": {
        "app": HEAD + "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from wrong import x\n" + ENTRY + STEPS,
        "wrong": "this is not Python",
    },
    "helpers_in_a_package": {
        "app": HEAD + "from lib.pictures import shrink\n" + ENTRY + STEPS,
        "lib____init__": "from . import pictures\n",
        "lib__pictures": "from .deep import x\ndef shrink(): return x\n",
        "lib__deep": "x = 1\n",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_when_it_is_sensible_then_the_graph_is_the_same(tmp_path, layout):
    """Functions may stand beside app.py, the workflow in a module of its own, and names may have aliases."""
    graph = derive_graph(write(tmp_path, **LAYOUTS[layout]))
    assert [node.name for node in graph.nodes] == ["start:entry_point:0", "resize:start_0_0:1", "store:start_0_1:2"]
    assert {function.handler for function in graph.functions} == {"start", "resize", "store"}


def test_layout_when_functions_are_in_two_modules_then_they_are_in_the_order_of_registration(tmp_path):
    """Functions are declared in the order in which Python would execute the decorators."""
    graph = derive_graph(write(tmp_path, **LAYOUTS["two_modules"]))
    assert [(f.module, f.name) for f in graph.functions] == [("one", "resize"), ("two", "store"), ("app", "start")]


LAYOUT_ERRORS = {
    "too_early": (
        {
            "app": "from steps import resize, store\n" + HEAD + ENTRY,
            "steps": "from app import workflow\ndef resize(): ...\ndef store(): ...\n",
        },
        "steps.py:1: app has not defined workflow yet",
    ),
    "package": (
        {
            "app": "from flow import workflow\nfrom lib.steps import resize, store\n" + ENTRY,
            "flow": HEAD,
            "lib__steps": "from flow import workflow\n" + STEPS,
        },
        "steps.py:4: a function is registered in a package",
    ),
    "helper_elsewhere": (
        {
            "app": HEAD + "from src.fifth import fifth\n" + ENTRY + STEPS,
            "src__fifth": "def fifth(workflow, event, target):\n    workflow.invoke_serverless_function(target)\n",
        },
        "fifth.py:2: `invoke_serverless_function` is called outside the body",
    ),
    "module_name": (
        {
            "app": "import flow\nfrom flow import workflow\n" + ENTRY + STEPS.replace("@workflow", "@flow.workflow"),
            "flow": HEAD,
        },
        "the decorator is not that of the workflow (found: @flow.workflow.serverless_function)",
    ),
    "syntax_elsewhere": ({"app": HEAD + "import steps\n", "steps": "\n\nx = (\n"}, "steps.py:3: this is not Python"),
}


@pytest.mark.parametrize("layout", LAYOUT_ERRORS)
def test_layout_when_it_cant_work_then_the_error_names_the_module(tmp_path, layout):
    """What Python would fail on, or what can't be followed through modules, is an error in that module."""
    files, text = LAYOUT_ERRORS[layout]
    assert text in error_of(tmp_path, **files)


def test_import_when_it_would_raise_then_the_graph_is_derived_all_the_same(tmp_path):
    """Nothing of the source is executed: dependencies may be missing, and top-level code may fail."""
    app = "import no_such_package\nraise SystemExit(no_such_package.x)\n"
    assert len(graph_of(tmp_path, entry_with(BOTH).replace(HEAD, HEAD + app)).nodes) == 3


def test_docs_when_their_example_is_derived_then_it_has_the_nodes_that_they_name(tmp_path):
    """The shop of docs/writing-workflows.md is a workflow, with the manifest that stands there."""
    text = (Path(__file__).parents[3] / "docs/writing-workflows.md").read_text()
    python, config = (text.split(f"```{language}\n")[1].split("```")[0] for language in ("python", "yaml"))
    graph = graph_of(tmp_path, python)
    assert all(f"`{node.name}`" in text for node in graph.nodes)
    assert [edge.conditional for edge in graph.edges] == [False, True, False, False]
    assert parse_manifest(yaml.safe_load(config), "docs", graph).home_region == "us-east-1"


def doubling(levels: int) -> str:
    """A workflow in which each function calls the next one twice."""
    functions = [
        f"@workflow.serverless_function(entry_point={n == 0})\ndef f{n}(event):\n"
        + (f"    workflow.invoke_serverless_function(f{n + 1})\n" * 2 if n + 1 < levels else "    pass\n")
        for n in range(levels)
    ]
    return HEAD + "\n".join(functions)


def test_unfolding_when_it_explodes_then_it_is_an_error_and_not_a_hang(tmp_path):
    """Thirty levels of two calls would be a thousand million nodes: the bound stops them."""
    assert f"unfolds to more than {MAX_NODES} nodes" in error_of(tmp_path, doubling(30))
    assert len(graph_of(tmp_path, doubling(8)).nodes) == 2**8 - 1


def test_chain_when_it_is_as_long_as_allowed_then_no_limit_of_python_is_met(tmp_path):
    """A chain of MAX_NODES functions is derived; reading is not recursive in the DAG's depth."""
    functions = [
        f"@workflow.serverless_function(entry_point={n == 0})\ndef f{n}(event):\n"
        + (f"    workflow.invoke_serverless_function(f{n + 1})\n" if n + 1 < MAX_NODES else "    pass\n")
        for n in range(MAX_NODES)
    ]
    assert len(graph_of(tmp_path, HEAD + "\n".join(functions)).nodes) == MAX_NODES


def test_expression_when_it_is_deep_then_no_limit_of_python_is_met(tmp_path):
    """A long sum in a body is no reason for a traceback."""
    assert len(graph_of(tmp_path, entry_with(f"x = {' + '.join(['1'] * 900)}\n{BOTH}")).nodes) == 3


@st.composite
def programs(draw):
    """Calls of functions 0 to n-1, each only of later ones and each reached; and which of them are sync."""
    count = draw(st.integers(1, 7))
    calls: list[list[tuple[int, bool]]] = [[] for _ in range(count)]
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), min_size=1, max_size=3)):
            calls[source].append((target, draw(st.booleans())))
    return calls, [n > 0 and draw(st.booleans()) for n in range(count)]


def source_of(calls, sync) -> str:
    """The app.py with those calls."""
    parts = []
    for n, targets in enumerate(calls):
        body = ["workflow.get_predecessor_data()"] * sync[n]
        body += [
            f"workflow.invoke_serverless_function(f{target}, 1{', event' if conditional else ''})"
            for target, conditional in targets
        ]
        lines = "\n    ".join([*body, "pass"])
        parts.append(f"@workflow.serverless_function(entry_point={n == 0})\ndef f{n}(event):\n    {lines}\n")
    return HEAD + "\n".join(parts)


def node_counts(calls, sync) -> list[int]:
    """Nodes of each function: one for a sync one, else one for each call in each node of a caller."""
    counts = [1] + [0] * (len(calls) - 1)
    for source, targets in enumerate(calls):
        for target, _ in targets:
            counts[target] = 1 if sync[target] else counts[target] + counts[source]
    return counts


@settings(max_examples=60)
@given(programs())
def test_graph_when_the_source_is_a_random_dag_then_it_has_its_nodes_edges_and_order(tmp_path, program):
    """Counts, conditions, names and the topological order hold for any DAG of functions."""
    calls, sync = program
    graph = graph_of(tmp_path, source_of(calls, sync))
    position = {node.name: n for n, node in enumerate(graph.nodes)}
    counts = node_counts(calls, sync)
    for n, expected in enumerate(counts):
        assert sum(node.function == f"f{n}" for node in graph.nodes) == expected
    assert len(position) == len(graph.nodes) == sum(counts)
    assert all(name.endswith(f":{n}") for name, n in position.items())
    assert all(position[edge.source] < position[edge.target] for edge in graph.edges)
    for node in graph.nodes:
        targets = calls[int(node.function[1:])]
        assert [(graph.node(e.target).function, e.conditional) for e in graph.out_edges(node.name)] == [
            (f"f{target}", conditional) for target, conditional in targets
        ]
        assert node.sync or len(graph.in_edges(node.name)) == (node != graph.entry)


@settings(max_examples=20)
@given(programs())
def test_graph_when_it_is_derived_twice_then_it_is_equal_and_survives_json(tmp_path, program):
    """Deriving is deterministic, and `to_json` loses nothing."""
    app = source_of(*program)
    graph = graph_of(tmp_path, app)
    assert graph == graph_of(tmp_path, app)
    assert type(graph).from_json(graph.to_json()) == graph
