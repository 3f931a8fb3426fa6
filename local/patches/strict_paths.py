"""A JSONPath that selects nothing fails the execution with `States.Runtime`, as on AWS; MiniStack gives null.

Covers Parameters, ItemSelector, ResultSelector, arguments of intrinsic functions, InputPath, OutputPath, ItemsPath and
the Variable of a choice rule (except IsPresent). `IsPresent` is also true for a member that is null.
"""

from __future__ import annotations

from typing import Any

from ministack.services import stepfunctions as sfn

from local.patches.hooks import original


def apply() -> None:
    resolve_template = original(sfn, "_resolve_params_obj", "template", "data", "ctx")
    argument = original(sfn, "_eval_intrinsic_arg", "arg", "data", "ctx")
    rule_matches = original(sfn, "_evaluate_rule", "rule", "data", "ctx")

    def strict_template(template: Any, data: Any, ctx: dict[str, Any] | None = None) -> Any:
        if isinstance(template, dict):
            for name, path in template.items():
                if name.endswith(".$") and isinstance(path, str) and path.startswith("$"):
                    require(path, data, ctx, f"field '{name}'")
        return resolve_template(template, data, ctx)

    def strict_argument(arg: Any, data: Any, ctx: dict[str, Any] | None) -> Any:
        if arg[0] == "path":
            require(arg[1], data, ctx, "argument of an intrinsic function")
        return argument(arg, data, ctx)

    def strict_rule(rule: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None) -> bool:
        variable = rule.get("Variable")
        if variable and "IsPresent" in rule:
            return exists(variable, data, ctx) is bool(rule["IsPresent"])
        if variable:
            require(variable, data, ctx, "Variable of a choice rule")
        return bool(rule_matches(rule, data, ctx))

    sfn._resolve_params_obj = strict_template
    sfn._eval_intrinsic_arg = strict_argument
    sfn._evaluate_rule = strict_rule
    for name in ("_apply_input_path", "_apply_output_path"):
        field = {"_apply_input_path": "InputPath", "_apply_output_path": "OutputPath"}[name]
        setattr(sfn, name, _strict_field(original(sfn, name, "state_def", "data", "ctx"), field))
    run_items = original(sfn, "_run_map_items", "state_def", "raw_input", "execution", "ctx")

    def strict_items(state_def: dict[str, Any], raw_input: Any, execution: Any, ctx: dict[str, Any]) -> Any:
        if "ItemReader" not in state_def and state_def.get("ItemsPath"):
            effective = sfn._apply_input_path(state_def, raw_input, ctx)
            require(state_def["ItemsPath"], effective, ctx, "field 'ItemsPath'")
        return run_items(state_def, raw_input, execution, ctx)

    sfn._run_map_items = strict_items


def _strict_field(apply_path: Any, field: str) -> Any:
    def strict(state_def: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None) -> Any:
        path = state_def.get(field)
        if isinstance(path, str):
            require(path, data, ctx, f"field '{field}'")
        return apply_path(state_def, data, ctx)

    return strict


def require(path: str, data: Any, ctx: dict[str, Any] | None, where: str) -> None:
    if not exists(path, data, ctx):
        raise sfn._ExecutionError(
            "States.Runtime", f"The JSONPath '{path}' specified for the {where} could not be found in the input."
        )


def exists(path: str, data: Any, ctx: dict[str, Any] | None) -> bool:
    """Whether a path of members and indexes leads somewhere; filters, wildcards and variables are left to MiniStack."""
    value = ctx if path.startswith("$$") else data
    tokens = sfn._parse_jsonpath_tokens(path[1:] if path.startswith("$$") else path)
    for kind, key in tokens or []:
        if kind == "field":
            if not isinstance(value, dict) or key not in value:
                return False
            value = value[key]
        elif kind == "index":
            if not isinstance(value, list) or not -len(value) <= key < len(value):
                return False
            value = value[key]
        else:
            return True
    return True
