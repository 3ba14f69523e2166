"""`caribou run`: start a run of a deployed workflow, and wait for its end."""

from __future__ import annotations

import json
import uuid

import click

from caribou.cli.next_step import after_run, after_start
from caribou.cli.numbers import Finite
from caribou.cli.output import notify, say
from caribou.cli.run_end import end, goes_on
from caribou.cli.samples import Samples, argument_text, json_value
from caribou.cli.seen_runs import saw_runs
from caribou.cli.session import session


@click.command()
@click.argument("workflow")
@click.option("-a", "--argument", required=True, help="The payload: JSON, or @FILE with JSON in it.")
@click.option(
    "--name", help="A name for the run: started twice under one name, it is one run; with another payload, a mistake."
)
@click.option(
    "--wait", is_flag=True, help="Wait for the run's end, and show its nodes; exit code 1 if it does not succeed."
)
@click.option(
    "--timeout", "limit_s", type=Finite(min=0), default=900.0, show_default=True, help="Seconds to wait at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(workflow: str, argument: str, name: str | None, *, wait: bool, limit_s: float, as_json: bool) -> None:
    """Start a run of a deployed WORKFLOW at its home region, and print the run's id."""
    with session() as here:
        definition = here.workflow(workflow)
        text = argument_text(argument)  # a mistake is reported before AWS is asked which account this is
        runs = here.runs_of(definition)
        payload = json_value(Samples(definition, runs.account).filled(text), where="-a")
        known = None if name is None else runs.begun(payload, name)
        if known is not None:
            notify(f"Run {name} was started before, with this payload: it is {known.state}, and nothing new starts")
        run_id = name or uuid.uuid4().hex
        with goes_on(run_id):
            if known is None:
                runs.start(payload, run_id)
            saw_runs(here.root, [run_id])
            if wait:
                end(runs, run_id, limit_s=limit_s, as_json=as_json)
                if not as_json:
                    after_run(definition)
                return
    say(json.dumps({"run_id": run_id}) if as_json else run_id)
    if not as_json:
        after_start(run_id)
