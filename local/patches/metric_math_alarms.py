"""CloudFormation creates alarms on metric math (`Metrics`), which MiniStack's provisioner refuses.

The alarm is stored, checked for what CloudWatch would refuse, and listed; it is never evaluated, as nothing here
publishes the metrics of AWS services (AWS/States, AWS/Lambda) either.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services.cloudformation import provisioners

from local.patches.hooks import original

_IDENTIFIER = re.compile(r"\b[a-z][A-Za-z0-9_]*\b(?!\s*\()")
_NOT_IN_A_MATH_ALARM = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def apply() -> None:
    record = original(provisioners, "_cw_metric_alarm_record", "name", "props")

    def record_with_math(name: str, props: dict[str, Any]) -> dict[str, Any]:
        metrics = props.get("Metrics")
        if not metrics:
            plain: dict[str, Any] = record(name, props)
            return plain
        both = [field for field in _NOT_IN_A_MATH_ALARM if props.get(field)]
        problem = f"{both[0]} cannot be given besides Metrics" if both else metrics_problem(metrics)
        if problem:
            raise ValueError(f"AWS::CloudWatch::Alarm Metrics: {problem}.")
        others = {key: value for key, value in props.items() if key != "Metrics"}
        alarm = record(name, {**others, "MetricName": "math", "Namespace": "math"})
        configured = {key: value for key, value in alarm.items() if key not in _NOT_IN_A_MATH_ALARM}
        return {**configured, "Metrics": [_typed(metric) for metric in metrics]}

    provisioners._cw_metric_alarm_record = record_with_math


def metrics_problem(metrics: list[dict[str, Any]]) -> str | None:
    """What PutMetricAlarm refuses: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"""
    names = [str(metric.get("Id", "")) for metric in metrics]
    if len(set(names)) < len(names) or not all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) for name in names):
        return "every metric needs an Id of its own that starts with a lower-case letter"
    if sum(1 for metric in metrics if _boolean(metric.get("ReturnData", True))) != 1:
        return "exactly one metric must have ReturnData true"
    for metric in metrics:
        if ("Expression" in metric) == ("MetricStat" in metric):
            return f"{metric['Id']} needs either Expression or MetricStat"
        expression = re.sub(r"\"[^\"]*\"|'[^']*'", "", str(metric.get("Expression", "")))
        unknown = set(_IDENTIFIER.findall(expression)) - set(names)
        if unknown:
            return f"the expression of {metric['Id']} names {sorted(unknown)}, which no metric has as Id"
    return None


def _typed(metric: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation hands numbers and booleans over as it found them in the template, some as text."""
    typed = {**metric, "ReturnData": _boolean(metric.get("ReturnData", True))}
    if "MetricStat" in metric:
        typed["MetricStat"] = {**metric["MetricStat"], "Period": int(metric["MetricStat"]["Period"])}
    return typed


def _boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"
