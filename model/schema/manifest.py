"""The manifest's file, `.caribou/config.yml`, to a `caribou.model.manifest.Manifest`.

Everything that is wrong, in the file or in a decorator's override, is an InvalidManifestError.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidManifestError
from caribou.model.graph import Function, Graph
from caribou.model.health.alarm_topic import region_of_topic
from caribou.model.manifest import ExternalData, FunctionSettings, Manifest, RegionRules
from caribou.model.metric import Metric
from caribou.model.names import DEFAULT_STAGE
from caribou.model.paths import is_file
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.schema.environment import checked_environment
from caribou.model.schema.findings import Place, Where, placed
from caribou.model.schema.layers import read_layers
from caribou.model.schema.manifest_file import (
    DEFAULT,
    EnvironmentVariable,
    ManifestFile,
    ProviderRegion,
    RegionsAndProviders,
)
from caribou.model.schema.nearest import near
from caribou.model.schema.parsing import json_schema, validated

MANIFEST_FILE = Path(".caribou", "config.yml")
_REGIONS, _VARIABLES = ("regions_and_providers",), ("environment_variables",)
DEFAULT_TIMEOUT_S = 60
DEFAULT_MEMORY_MB = 1024


def manifest_json_schema() -> dict[str, Any]:
    """The JSON Schema of the manifest's file, as published in docs/schemas/manifest.schema.json."""
    return json_schema(ManifestFile)


def read_manifest(workflow_folder: Path, graph: Graph, stage: str = DEFAULT_STAGE) -> Manifest:
    """The manifest in a workflow's folder at a stage, checked against the graph. Raises InvalidManifestError.

    The stage's own file, `config.<stage>.yml`, is laid over it, if there is one.
    """
    path = workflow_folder / MANIFEST_FILE
    if not os.path.lexists(path):
        raise InvalidManifestError(
            "the workflow has no manifest", where=str(path), fix="write one, see docs/writing-workflows.md"
        )
    layers = read_layers((path, path.with_suffix(f".{stage}{path.suffix}")))
    manifest = parse_manifest(layers.data, layers.where, graph)
    if manifest.iam_policy_file is not None and not is_file(path.parent / manifest.iam_policy_file):
        raise InvalidManifestError(
            "the file is not there",
            where=layers.where(("iam_policy_file",)),
            found=manifest.iam_policy_file,
            fix=f"put it in {path.parent}, or set iam_policy_file to null",
        )
    return manifest


def parse_manifest(data: object, where: Where, graph: Graph) -> Manifest:
    """The manifest in a file's data, with the settings of each function of the graph. Raises InvalidManifestError."""
    file = validated(ManifestFile, data, where, InvalidManifestError)
    at = placed(where)
    _check_identity(file, at, graph)
    _check_topic(file, at)
    settings = file.caribou
    estimate = file.estimated_invocations_per_month
    manifest = Manifest(
        workflow_name=file.workflow_name,
        workflow_version=file.workflow_version,
        home_region=file.home_region.region,
        functions={function.name: _function_settings(function, file, at) for function in graph.functions},
        hard=file.constraints.hard_resource_constraints.by_metric(),
        soft=file.constraints.soft_resource_constraints.by_metric(),
        priority=tuple(file.constraints.priority_order or Metric),
        robust=settings.robust,
        external_data=_external_data(file, at, graph),
        iam_policy_file=file.iam_policy_file,
        estimated_invocations_per_month=file.num_calls_in_one_month if estimate is None else estimate,
        runs=replace(DEFAULT.runs, **{field.name: getattr(settings, field.name) for field in fields(DEFAULT.runs)}),
        architecture=settings.architecture,
        python_version=settings.python_version,
        placement_days=settings.placement_days,
        log_retention_days=settings.log_retention_days,
        alarm_topic=settings.alarm_topic,
        vpc={region: network.network() for region, network in (settings.vpc or {}).items()},
        kms_key=settings.kms_key or {},
        permissions_boundary=settings.permissions_boundary,
        tags=settings.tags or {},
    )
    _check_every_region(manifest, at)
    return manifest


def _check_every_region(manifest: Manifest, at: Place) -> None:
    """What is said by region is said of every region in which a function may run: none runs outside of it."""
    allowed = manifest.allowed_regions(KNOWN_REGIONS)
    for key, by_region in (("vpc", manifest.vpc), ("kms_key", manifest.kms_key)):
        missing = [region for region in allowed if region not in by_region]
        if by_region and missing:
            raise InvalidManifestError(
                "lacks regions in which functions may run",
                where=at(("caribou", key)),
                found=", ".join(missing),
                fix="add them there, or leave them out of allowed_regions",
            )


def _external_data(file: ManifestFile, at: Place, graph: Graph) -> dict[str, ExternalData]:
    """What the owner says of data that the meter does not see; each of its functions must be one of the workflow."""
    known = [function.name for function in graph.functions]
    for name, data in (file.caribou.external_data or {}).items():
        for i, function in enumerate(data.functions):
            if function not in known:
                raise InvalidManifestError(
                    "is no function of the workflow",
                    where=at(("caribou", "external_data", name, "functions", i)),
                    found=function,
                    fix=near(function, known),
                )
    return {
        name: ExternalData(data.service, data.region, tuple(data.functions), data.calls, data.mb_out, data.mb_in)
        for name, data in (file.caribou.external_data or {}).items()
    }


def _check_identity(file: ManifestFile, at: Place, graph: Graph) -> None:
    for key, found, expected in (
        ("workflow_name", file.workflow_name, graph.workflow),
        ("workflow_version", file.workflow_version, graph.version),
    ):
        if found != expected:
            raise InvalidManifestError(
                f"it is not the one in the workflow's source, {expected}",
                where=at((key,)),
                found=found,
                fix="write the same in both",
            )


def _check_topic(file: ManifestFile, at: Place) -> None:
    topic, home = file.caribou.alarm_topic, file.home_region.region
    if topic is not None and region_of_topic(topic) != home:
        raise InvalidManifestError(
            f"it is in {region_of_topic(topic)}, and alarms are at home, in {home}",
            where=at(("caribou", "alarm_topic")),
            found=topic,
            fix=f"name a topic in {home}: an alarm can notify no other",
        )


def _function_settings(function: Function, file: ManifestFile, at: Place) -> FunctionSettings:
    """The manifest's settings with the decorator's over them."""
    decorator = f"{function.module}.py, decorator of {function.handler}"
    override = validated(
        RegionsAndProviders,
        function.regions_and_providers or {},
        f"{decorator}: regions_and_providers",
        InvalidManifestError,
    )
    general, own = file.regions_and_providers.providers.aws.config, override.providers.aws.config
    rules = RegionRules(
        allowed=_codes(override.allowed_regions or file.regions_and_providers.allowed_regions) or None,
        disallowed=_codes(override.disallowed_regions or file.regions_and_providers.disallowed_regions),
    )
    own_rules = f"{decorator}: regions_and_providers"
    _check_home(file.home_region.region, rules, own_rules if function.regions_and_providers else at(_REGIONS))
    if (near_to := override.keep_near or file.regions_and_providers.keep_near) is not None:
        rules = _kept_near(near_to, rules, file, own_rules if override.keep_near else at(_REGIONS))
    variables = [{"key": key, "value": value} for key, value in function.environment_variables.items()]
    own_variables = [
        validated(EnvironmentVariable, v, f"{decorator}: environment_variables", InvalidManifestError)
        for v in variables
    ]
    environment = {v.key: v.value for v in (*(file.environment_variables or []), *own_variables)}
    written = at(_VARIABLES)
    checked_environment(environment, function.name, f"{decorator}, and {written}" if own_variables else written)
    return FunctionSettings(
        timeout_s=own.timeout or general.timeout or DEFAULT_TIMEOUT_S,
        memory_mb=own.memory or general.memory or DEFAULT_MEMORY_MB,
        regions=rules,
        environment_variables=environment,
        docker_commands=tuple(own.additional_docker_commands or general.additional_docker_commands or ()),
    )


def _kept_near(near_to: str, rules: RegionRules, file: ManifestFile, where: str) -> RegionRules:
    """The regions of a function that stays near an endpoint or a region: that one, and home, where all are."""
    endpoints = file.caribou.external_data or {}
    region = endpoints[near_to].region if near_to in endpoints else near_to
    if region not in KNOWN_REGIONS:
        raise InvalidManifestError(
            "is neither an endpoint of caribou.external_data nor a region that Caribou knows",
            where=f"{where}.keep_near",
            found=near_to,
            fix=near(near_to, [*endpoints, *KNOWN_REGIONS]),
        )
    if not rules.of([region]):
        raise InvalidManifestError(
            f"it is in {region}, where the function may not run",
            where=f"{where}.keep_near",
            found=near_to,
            fix=f"allow {region}, or keep it near {file.home_region.region}, which is home",
        )
    return RegionRules(allowed=tuple(dict.fromkeys((file.home_region.region, region))), kept_in=region)


def _codes(regions: list[ProviderRegion] | None) -> tuple[str, ...]:
    return tuple(region.region for region in regions or [])


def _check_home(home: str, rules: RegionRules, where: str) -> None:
    if not rules.of([home]):
        raise InvalidManifestError(
            "the home region is not allowed, but every function always exists there",
            where=where,
            found=home,
            fix=f"add {home} to allowed_regions, take it out of disallowed_regions, or choose another home_region",
        )
