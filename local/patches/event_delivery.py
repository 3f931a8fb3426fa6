"""Rules, schedules, topics and queues deliver only what a role or a policy allows, else to the dead-letter queue.

MiniStack delivers without asking, drops what it cannot deliver, and invokes a function once where AWS retries twice.
Not imitated: the retries of a rule target (RetryPolicy) and the attributes of a dead-lettered event.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html, eb-rule-dlq.html
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, lambda_svc, sns, sqs
from ministack.services import stepfunctions as sfn

from local import roles
from local.patches.hooks import original

log = logging.getLogger("labelloop.local")
_ACTIONS = {
    "states": "states:StartExecution",
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
}
_polled_without_permission: set[str] = set()


def apply() -> None:
    _rules_and_schedules()
    _topics_to_functions()
    _functions_asynchronously()
    _queues_to_functions()


def _rules_and_schedules() -> None:
    deliver = original(eventbridge, "_invoke_target", "target", "event", "rule", "view")
    original(eventbridge, "_dispatch_to_sqs", "spec", "payload", "sqs_parameters")
    original(eventbridge, "_pattern_event_view", "event")

    def deliver_if_allowed(target: Any, event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        scheduled = event.get("Source") == "aws.scheduler"
        problem = _missing(target["Arn"]) or _denied(target, rule, scheduled)
        if problem is None:
            deliver(target, event, rule, view)
            return
        log.warning("Not delivered to %s: %s", target["Arn"], problem)
        view = view or eventbridge._pattern_event_view(event)
        _dead_letter(target, rule, scheduled, json.dumps(view.event_with_detail()))

    eventbridge._invoke_target = deliver_if_allowed


def _missing(arn: str) -> str | None:
    service = arn.split(":")[2]
    found = {
        "states": lambda: sfn._resolve_state_machine_arn(arn),
        "lambda": lambda: lambda_svc._get_func_record_for_ref(arn)[0],
        "sqs": lambda: sqs._queue_by_arn(arn),
        "sns": lambda: sns.topic_policy_for_arn(arn),
    }
    return "it does not exist." if service in found and not found[service]() else None


def _denied(target: dict[str, Any], rule: dict[str, Any], scheduled: bool) -> str | None:
    """Schedules and state machines need a role; a rule reaches the rest by the target's own policy."""
    arn, source = target["Arn"], rule.get("Arn", "")
    service = arn.split(":")[2]
    if service not in _ACTIONS:
        return None
    if scheduled or service == "states":
        principal = "scheduler.amazonaws.com" if scheduled else "events.amazonaws.com"
        role = target.get("RoleArn", "")
        return roles.trust_denial(role, principal, source) or roles.policy_denial(
            role, _ACTIONS[service], arn, principal.split(".")[0]
        )
    return _resource_denial("events.amazonaws.com", arn, source)


def _resource_denial(principal: str, arn: str, source: str) -> str | None:
    service = arn.split(":")[2]
    if service == "sqs":
        allowed = sqs.queue_policy_allows(arn, principal, source, get_account_id())
        return None if allowed else f"the queue policy does not allow {principal} to send for {source}"
    lookup = lambda_svc.function_policy_for_arn if service == "lambda" else sns.topic_policy_for_arn
    found = lookup(arn)
    return roles.service_denial(principal, _ACTIONS[service], arn, found[0] if found else None, source)


def _dead_letter(target: dict[str, Any], rule: dict[str, Any], scheduled: bool, event: str) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    if scheduled:
        denial = roles.policy_denial(target.get("RoleArn", ""), "sqs:SendMessage", queue, "scheduler")
    else:
        denial = _missing(queue) or _resource_denial("events.amazonaws.com", queue, rule.get("Arn", ""))
    if denial:
        log.warning("The dead-letter queue %s did not take the event either: %s", queue, denial)
        return
    eventbridge._dispatch_to_sqs(parse_arn(queue), event)


def _topics_to_functions() -> None:
    deliver = original(
        sns,
        "_deliver_to_lambda",
        *("endpoint", "envelope", "topic_arn", "sub_arn", "msg_id", "raw_message", "message_attributes"),
    )

    def deliver_if_allowed(endpoint: str, envelope: str, topic_arn: str, *rest: Any, **named: Any) -> None:
        problem = _missing(endpoint) or _resource_denial("sns.amazonaws.com", endpoint, topic_arn)
        if problem:
            log.warning("SNS did not invoke %s: %s", endpoint, problem)
            return
        deliver(endpoint, envelope, topic_arn, *rest, **named)

    sns._deliver_to_lambda = deliver_if_allowed


def _functions_asynchronously() -> None:
    original(eventbridge, "_dispatch_to_lambda", "arn", "payload")
    original(lambda_svc, "invoke_async_with_retry", "func", "event")

    def invoke_with_retries(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = invoke_with_retries


def _queues_to_functions() -> None:
    """The function's role receives and deletes the messages of an event source mapping."""
    original(sqs, "_receive_messages_for_esm", "queue_url", "max_number")
    mappings = original(lambda_svc, "_iter_all_esms")

    def permitted_mappings() -> Any:
        for account, region, mapping in mappings():
            if ":sqs:" not in mapping.get("EventSourceArn", "") or _may_poll(account, region, mapping):
                yield account, region, mapping

    lambda_svc._iter_all_esms = permitted_mappings


def _may_poll(account: str, region: str, mapping: dict[str, Any]) -> bool:
    function = lambda_svc._functions.get_scoped(account, region, mapping["FunctionName"])
    role = ((function or {}).get("config") or {}).get("Role", "")
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
        denial = roles.policy_denial(role, action, mapping["EventSourceArn"], mapping["FunctionName"]) if role else None
        if denial:
            if mapping["UUID"] not in _polled_without_permission:
                _polled_without_permission.add(mapping["UUID"])
                log.warning("The event source mapping of %s does not poll: %s", mapping["FunctionName"], denial)
            return False
    return True
