"""The collectors' Lambda functions, which run on schedules in the control plane.

Environment: CARIBOU_FACT_TABLE, CARIBOU_RECORD_TABLE, CARIBOU_STAGE, CARIBOU_EVERY_H, how often each collector comes,
for a collector of facts CARIBOU_SOURCE, the names of its sources in order, CARIBOU_SOURCE_SETTINGS, and for carbon
CARIBOU_MARGINAL_SOURCE, for that of run records CARIBOU_LOG_READER, how logs are read; AWS_REGION is the control
region. The answer says how much was collected; what went wrong in one region or workflow is in the log and the answer,
and does not stop the others. If everything fails, the function fails, so that its alarm sees it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from caribou.collectors.age import data_age
from caribou.collectors.bodies import Kind
from caribou.collectors.chain import collect
from caribou.collectors.collection_report import CollectionReport, example
from caribou.collectors.dated import sources_text
from caribou.collectors.facts import DynamoFactTable, FactTable
from caribou.collectors.log_collection import LogCollection, collect_logs
from caribou.collectors.log_readers import log_reader
from caribou.collectors.records import DynamoRecordTable
from caribou.collectors.registrations import SsmRegistry, registered
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, marginal_names_of, names_of, sources_of
from caribou.collectors.sources.settings import settings_in
from caribou.model.errors import OperationFailedError
from caribou.model.health.metrics import HealthMetric
from caribou.model.log_reader import LogReading
from caribou.model.registration import Registration
from caribou.model.template_contract import (
    EVERY_H_VARIABLE,
    FACT_TABLE_VARIABLE,
    LOG_READER_VARIABLE,
    MARGINAL_SOURCE_VARIABLE,
    RECORD_TABLE_VARIABLE,
    SOURCE_SETTINGS_VARIABLE,
    SOURCE_VARIABLE,
    STAGE_VARIABLE,
)

Answer = dict[str, Any]
_DEFAULT_MS = 900_000
_RESERVE_S = 60.0
logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)  # Lambda's own default hides what is no warning


def carbon_handler(event: Mapping[str, Any], context: object) -> Answer:  # noqa: ARG001 - Lambda's signature
    """Collect the grid intensities of this month."""
    return _collected("carbon")


def provider_handler(event: Mapping[str, Any], context: object) -> Answer:  # noqa: ARG001
    """Collect PUE, power model and prices."""
    return _collected("provider")


def performance_handler(event: Mapping[str, Any], context: object) -> Answer:  # noqa: ARG001
    """Collect round trips and relative run times."""
    return _collected("performance")


def workflow_handler(event: Mapping[str, Any], context: object) -> Answer:
    """Collect the run records of every registered workflow, or of `event["workflow"]`, while there is time.

    It comes most often of the collectors, so it says how old the others' facts are.
    Each has its share of the time that is left, and another one is the first each hour, so that none is starved.
    """
    region, stage = os.environ["AWS_REGION"], os.environ[STAGE_VARIABLE]
    _say_age(DynamoFactTable(os.environ[FACT_TABLE_VARIABLE], region), stage)
    registrations, wrong = registered(SsmRegistry(stage, region))
    wanted = [r for r in registrations if event.get("workflow") in (None, r.workflow)]
    now_s = datetime.now(UTC).timestamp()
    work = LogCollection(
        logs=log_reader(LogReading(os.environ.get(LOG_READER_VARIABLE, LogReading.FILTER)), stage, region),
        table=DynamoRecordTable(os.environ[RECORD_TABLE_VARIABLE], region),
        now_s=now_s,
        stage=stage,
    )
    return _answer(collect_all(turned(wanted, int(now_s // 3600)), work, _end_s(context)), wrong)


def _say_age(table: FactTable, stage: str) -> None:
    """Say how old the facts are, if they are; that it can't be said is a warning, and keeps no logs from being read."""
    try:
        if age := data_age(table, datetime.now(UTC), _every_h()):
            sys.stdout.write(_line(stage, age))
    except Exception:
        logger.exception("the age of facts is not known")


def _every_h() -> Mapping[str, float]:
    """Collector to the most hours between two of its runs, as its schedule says."""
    every_h: Mapping[str, float] = json.loads(os.environ[EVERY_H_VARIABLE])
    return every_h


def _line(stage: str, values: Mapping[HealthMetric, float]) -> str:
    from caribou.model.health.emf import emf_line  # noqa: PLC0415 - Powertools, for what is seldom said

    return emf_line(stage, None, values).decode()


def turned(registrations: Sequence[Registration], by: int) -> list[Registration]:
    """The registrations in the same order, but from another one on."""
    first = by % max(len(registrations), 1)
    return [*registrations[first:], *registrations[:first]]


def collect_all(registrations: Sequence[Registration], work: LogCollection, end_s: float) -> list[CollectionReport]:
    """Collect the logs of workflows, one after the other, each in its share of the time until `end_s`, monotonic."""
    reports = []
    for left, registration in zip(range(len(registrations), 0, -1), registrations, strict=True):
        now_s = time.monotonic()
        share_s = now_s + (end_s - now_s) / left
        reports.append(_collect(registration, replace(work, may_go_on=partial(_is_before, share_s))))
    return reports


def _collect(registration: Registration, work: LogCollection) -> CollectionReport:
    """Collect a workflow's logs; whatever goes wrong with one is said, and keeps no other one's from being read."""
    try:
        return collect_logs(registration, work)
    except Exception as error:
        logger.exception("log collection of %s failed", registration.workflow)
        return CollectionReport(registration.workflow, failures=(f"{registration.workflow}: {example(repr(error))}",))


def _is_before(end_s: float) -> bool:
    return time.monotonic() < end_s


def _end_s(context: object) -> float:
    """When (monotonic) to stop: with enough time left for a silent region, and for the answer."""
    left_ms: Callable[[], int] = getattr(context, "get_remaining_time_in_millis", lambda: _DEFAULT_MS)
    return time.monotonic() + left_ms() / 1000 - _RESERVE_S


def _collected(kind: Kind) -> Answer:
    region = os.environ["AWS_REGION"]
    chosen = os.environ.get(SOURCE_VARIABLE, DEFAULT_SOURCE)
    names = names_of(kind, chosen, f"environment variable {SOURCE_VARIABLE}")
    marginal = marginal_names_of(
        os.environ.get(MARGINAL_SOURCE_VARIABLE, ""), f"environment variable {MARGINAL_SOURCE_VARIABLE}"
    )
    settings = settings_in(os.environ.get(SOURCE_SETTINGS_VARIABLE, "{}"))
    sources = sources_of(kind, names, settings, KeyRing(region), marginal)
    gathered = collect(sources, DynamoFactTable(os.environ[FACT_TABLE_VARIABLE], region), datetime.now(UTC))
    answer = {
        "kind": kind,
        "facts": len(gathered.facts),
        "sources": gathered.sources,
        **({"marginal_sources": gathered.marginal_sources} if marginal else {}),
        "fallbacks": gathered.fallbacks,
        **({"kept": sources_text(gathered.kept)} if gathered.kept else {}),
        "data": sources_text(gathered.facts),
    }
    if gathered.silent:
        sys.stdout.write(_line(os.environ[STAGE_VARIABLE], {HealthMetric.SOURCE_FELL_BACK: _every_h()[kind]}))
    level = logging.WARNING if gathered.fallbacks else logging.INFO
    logger.log(level, json.dumps({"message": "facts collected", **answer}))
    return answer


def _answer(reports: list[CollectionReport], wrong: list[str]) -> Answer:
    """Log what was collected, and answer it; fail if nothing could be read although there was something to read."""
    for report in reports:
        level = logging.WARNING if report.failures or report.passed_over else logging.INFO
        logger.log(level, json.dumps({"message": "logs collected", **report.to_json()}))
    for reason in wrong:
        logger.warning(json.dumps({"message": "registration passed over", "reason": reason}))
    failures = [*wrong, *(failure for report in reports for failure in report.failures)]
    if failures and not any(report.log_groups for report in reports):
        raise OperationFailedError(f"Log collection could read nothing: {failures[0]}")
    return {"workflows": [report.to_json() for report in reports], "failures": failures}
