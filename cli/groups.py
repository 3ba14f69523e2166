"""The verbs as `caribou --help` lists them, under headings, and an example of each. No verb is imported here."""

from __future__ import annotations

from collections.abc import Mapping

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("new_workflow", "demo", "completion"),
    "Deploy, move, clean up": (
        "lock",
        "plan",
        "deploy",
        "history",
        "list",
        "remove",
        "unlock",
        "manage_deployments",
        "run_deployment_migrator",
    ),
    "Run": ("upload_samples", "run", "load", "runs", "trace", "logs", "redrive", "cancel"),
    "Collect": ("data_collect", "data_status", "log_sync", "problem"),
    "Solve": ("solve", "evaluate"),
    "Be without AWS": ("local",),
}
"""Heading to verbs: each verb once, as in the table of docs/commands.md."""

EXAMPLES: Mapping[str, str] = {
    "new_workflow": "caribou new_workflow shop",
    "demo": "caribou demo --keep",
    "completion": 'eval "$(caribou completion bash)"',
    "lock": "caribou lock shop --upgrade",
    "plan": "caribou plan shop --placement solved.json",
    "history": "caribou history shop",
    "deploy": "caribou deploy shop --placement solved.json --dry-run",
    "list": "caribou list",
    "remove": "caribou remove shop --dry-run",
    "unlock": "caribou unlock shop",
    "upload_samples": "caribou upload_samples shop",
    "run": "caribou run shop -a @workflows/shop/samples/input.json --wait",
    "load": "caribou load shop -a @input.json --rate 1/s --duration 60",
    "runs": "caribou runs shop --state failed --since 1h",
    "trace": "caribou trace 7f0c93d1",
    "redrive": "caribou redrive 7f0c93d1 --wait",
    "logs": "caribou logs 7f0c93d1 --follow",
    "cancel": "caribou cancel 7f0c93d1",
    "log_sync": "caribou log_sync shop -o records.jsonl",
    "data_collect": "caribou data_collect all",
    "problem": "caribou problem shop -o problem.json",
    "data_status": "caribou data_status",
    "solve": "caribou solve shop --explain",
    "evaluate": "caribou evaluate --problem problem.json --placement solved.json",
    "manage_deployments": "caribou manage_deployments shop",
    "run_deployment_migrator": "caribou run_deployment_migrator shop --dry-run",
    "local": "caribou local up --region eu-west-3",
    "local up": "caribou local up --region eu-west-3",
    "local down": "caribou local down",
    "local env": 'eval "$(caribou local env)"',
    "local status": "caribou local status",
}
"""A command line for each verb's help, by its words."""

MEANT: Mapping[str, str] = {
    "delete": "remove",
    "destroy": "remove",
    "rm": "remove",
    "ls": "list",
    "init": "new_workflow",
    "new": "new_workflow",
    "invoke": "run",
    "start": "run",
    "up": "local up",
    "down": "local down",
    "migrate": "run_deployment_migrator",
}
"""What other tools call a verb of ours; nothing is known by these names here."""
