"""Every knob of the loop: one name, one meaning in the whole stack.

The names are the fields in upper case. `template.yaml` hands those that people choose to the resource
`SettingsDocument`, from its parameters, which hold the bounds; advanced.py has the others, with their defaults and
bounds, and Store Settings makes one document of both. settings_documents.py knows where they are kept, and who has
pinned which.
"""

import math
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import Field, dataclass, fields, replace
from functools import cache

from labelloop.contracts import marks
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_names import check_names
from labelloop.contracts.skeletons import Skeleton, Vocabulary, skeleton

# Of a training job: finding an instance, fetching image and data, storing the model.
AROUND_TRAINING_SECONDS = 1800
# Graviton (c7g, m6gd, ...) and Grace (p6e-gb200).
_ARM = re.compile(r"ml\.([a-z]+\d+g[a-z]*|p\d+e-gb\d+)\.")


class MissingSettingError(RuntimeError):
    """A setting is missing or does not parse: the deployment is broken, not the input."""


@dataclass(frozen=True)
class Settings:
    # where things are
    data_bucket: str
    callbacks_table: str
    ledger_table: str
    notification_topic: str
    success_topic: str
    error_topic: str
    resource_prefix: str
    label_batch_arn: str
    train_model_arn: str
    # what is labelled
    task: str
    classes: tuple[str, ...]
    key_points: Skeleton
    seed: int
    starting_model: str
    max_image_bytes: int
    max_image_pixels: int
    min_image_side: int
    deep_pixel_window: str
    # rounds, sample, budget
    shard_size: int
    sample_rate: float
    sample_minimum: int
    sample_maximum: int
    max_batch_cost: float
    price_per_label: float
    judge_images: int
    human_budget: int
    max_rounds: int
    # judgement
    accept_policy: str
    accept_threshold: float
    target_mean_iou: float
    keep_confidence: float
    judge_function_arn: str
    audit_rate: float
    audit_minimum: int
    # training and the gate
    retrain_minimum: int
    second_training: str
    judge_minimum: int
    first_model_map50: float
    gate_rule: str
    promotion_tolerance: float
    image_size: int
    training_steps: int
    warm_steps: int
    training_batch_size: int
    learning_rate: float
    base_model: str
    model_width: float
    base_weights: str
    base_steps: int
    base_learning_rate: float
    start: str
    training_image: str
    training_instance_type: str
    training_role_arn: str
    # inference
    inference_image: str
    inference_instance_type: str
    inference_ami_version: str
    inference_role_arn: str
    max_instances: int
    concurrent_invocations: int
    inference_queue_seconds: int
    invocation_timeout_seconds: int
    inference_concurrency: int
    inspect_concurrency: int
    kept_endpoints: int
    vpc_subnets: str
    vpc_security_groups: str
    # people
    labeling_backend: str
    work_team_arn: str
    labeling_role_arn: str
    pre_annotate_function_arn: str
    consolidate_function_arn: str
    workers_per_object: int
    verify_score: float
    objects_per_job: int
    honeypot_rate: float
    double_label_rate: float
    worker_minimum_quality: float
    labeling_instructions: str
    most_people: int
    task_time_limit_seconds: int
    labeling_timeout_seconds: int
    training_timeout_seconds: int
    deployment_timeout_seconds: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises MissingSettingError naming every variable that is missing or malformed."""
        values: dict[str, object] = {}
        problems = []
        for field in fields(cls):
            name = field.name.upper()
            try:
                values[field.name] = _parse(environment[name], field)
            except KeyError:
                problems.append(f"{name} is not set")
            except (ValueError, InvalidInputError) as error:
                problems.append(f"{name}: {error}")
        problems += _wrong_window(environment.get("DEEP_PIXEL_WINDOW", ""))
        problems += filter(None, (_wrong_machine(environment, work) for work in ("TRAINING", "INFERENCE")))
        if problems:
            raise MissingSettingError(
                "settings: " + "; ".join(problems) + ". template.yaml, SettingsDocument, sets them."
            )
        return cls(**values)  # type: ignore[arg-type]

    def with_choices(self, document: Mapping[str, str]) -> "Settings":
        """These settings with the choices of a pinned document: what it does not know, and where things are, stays."""
        known = {field for field in fields(self) if field.name not in LIVE and field.name.upper() in document}
        return replace(self, **{field.name: _parse(document[field.name.upper()], field) for field in known})  # type: ignore[arg-type]

    @property
    def pixel_window(self) -> tuple[float, float] | None:
        """The stored values that are black and white in every picture of more than 8 bits; None looks at each one."""
        low, _, high = self.deep_pixel_window.partition(",")
        return (float(low), float(high)) if high else None

    @property
    def inference_timeout_seconds(self) -> int:
        """A token must outlive the request: the endpoint's queue, the invocation, and a margin for the notice."""
        return self.inference_queue_seconds + self.invocation_timeout_seconds + 120

    @property
    def training_wait_seconds(self) -> int:
        """A training job's bound counts from when its container runs; the state waits for the whole job."""
        return self.training_timeout_seconds + AROUND_TRAINING_SECONDS

    @property
    def whole_training_seconds(self) -> int:
        """What a training execution takes at most from the lock on: job, endpoint, and the steps around them."""
        return self.training_wait_seconds + self.deployment_timeout_seconds + AROUND_TRAINING_SECONDS

    @property
    def nested_timeout_seconds(self) -> int:
        """A nested training may first wait for another one, then trains and deploys itself. train_model.asl.json bounds
        the same, for the largest values of the parameters.
        """
        return 2 * self.whole_training_seconds

    @property
    def network(self) -> dict[str, dict[str, list[str]]]:
        """`VpcConfig` as CreateModel and CreateTrainingJob take it; empty without a VPC."""
        if not self.vpc_subnets:
            return {}
        groups, subnets = self.vpc_security_groups.split(","), self.vpc_subnets.split(",")
        return {"VpcConfig": {"SecurityGroupIds": groups, "Subnets": subnets}}

    @property
    def vocabulary(self) -> Vocabulary:
        """What is marked in an image."""
        listed = getattr(self, marks.of(self.task).listed_in)
        if isinstance(listed, Skeleton):
            return Vocabulary(self.task, listed.names, listed)
        return Vocabulary(self.task, listed)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names in the vocabulary: classes, or key points."""
        return self.vocabulary.names

    @property
    def skeleton(self) -> Skeleton | None:
        """Of the people whose points are marked; None where other things are."""
        return self.vocabulary.skeleton


# Where things are: never pinned, because what runs must find them where they are now.
LIVE = frozenset(
    [
        *("data_bucket", "callbacks_table", "ledger_table", "notification_topic", "success_topic", "error_topic"),
        *("resource_prefix", "label_batch_arn", "train_model_arn", "training_image", "training_role_arn"),
        *("inference_image", "inference_role_arn", "work_team_arn", "labeling_role_arn"),
        *("vpc_subnets", "vpc_security_groups"),
        *("pre_annotate_function_arn", "consolidate_function_arn", "judge_function_arn"),
    ]
)


def _no_source() -> Mapping[str, str]:
    raise MissingSettingError("nobody said where the settings are: import labelloop.store.settings_documents")


# Gives the deployed document; the settings that the work at hand has pinned, if it has.
source: Callable[[], Mapping[str, str]] = _no_source
pinned: ContextVar[Settings | None] = ContextVar("pinned", default=None)


def settings() -> Settings:
    return pinned.get() or deployed()


@cache
def deployed() -> Settings:
    """Read once per cold start; another deployment gives the functions another hash, and with it a cold start."""
    return Settings.from_environment(source())


def _parse(text: str, field: Field[object]) -> object:
    if field.type is int:
        return int(text)
    if field.type is float:
        return float(text)
    if field.type is str:
        return text
    if field.type is Skeleton:
        return skeleton(text)
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise ValueError("expected a comma-separated list of names, found none")
    check_names(names, f"parameter {field.name.title().replace('_', '')}")
    return names


def _wrong_window(text: str) -> list[str]:
    low, _, high = text.partition(",")
    try:
        fits = not text or -math.inf < float(low) < float(high) < math.inf
    except ValueError:
        fits = False
    return [] if fits else [f"DEEP_PIXEL_WINDOW is {text!r}: parameter DeepPixelWindow is empty or '<black>,<white>'"]


def _wrong_machine(environment: Mapping[str, str], work: str) -> str:
    """Why the container cannot run there, or would not use what is paid for; empty where it can."""
    name = f"{work}_INSTANCE_TYPE"
    found = f"{name} is {environment.get(name)}"
    if environment.get(name, "").startswith(("ml.inf", "ml.trn", "ml.dl")):
        return f"{found}, whose accelerator the container cannot use: choose ml.g*, ml.p* or a CPU type"
    if _ARM.match(environment.get(name, "")) and not environment.get(f"{work}_IMAGE"):
        return f"{found}, an ARM type, but the image that the stack builds is for x86-64: choose a type of Intel or AMD"
    return ""
