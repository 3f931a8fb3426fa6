"""Settings that are no parameters of their own: what they are by default, and how one deployment gives others.

template.yaml has three parameters for them. `TrainingRecipe` names a preset of RECIPES; `TrainingRecipeOverrides` and
`AdvancedSettings` are JSON objects that give single ones by the name that each had when it was a parameter, as in
{"TrainingSteps": 500}. Store Settings makes the whole document of them (`completed`), before anything else is there.
docs/parameters.md lists them all; `python -m lint.parameters` writes it.
"""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labelloop.contracts.settings import MissingSettingError, Settings

RECIPE, RECIPE_OVERRIDES, ADVANCED = "TRAINING_RECIPE", "TRAINING_RECIPE_OVERRIDES", "ADVANCED_SETTINGS"
_AMI = "al2-ami-sagemaker-inference-gpu-"
# Longest whole part and longest fraction of a number that is worth reading: nothing here has more.
_NUMBER = re.compile(r"-?[0-9]{1,12}([.][0-9]{1,12})?([eE]-?[0-9]{1,2})?")


@dataclass(frozen=True)
class Knob:
    """`default` is written as in the settings document. `least` and `most` bound numbers, both included; `choices` or
    `pattern` bound text, and `choices` also numbers of which only some will do.
    """

    default: str
    about: str
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    kind: type = int

    @property
    def allowed(self) -> str:
        """For people: "10 to 1000000", or the values that may be chosen."""
        if self.choices:
            return "one of " + ", ".join(choice or '""' for choice in self.choices)
        return f"as {self.pattern}" if self.pattern else f"{_shown(self.least)} to {_shown(self.most)}"


SIZES = (96, 128, 160, 192, 224, 256, 320, 384, 416, 448, 512, 640, 768, 800, 896, 1024, 1280)
TRAINING = {
    "BASE_MODEL": Knob(
        "yolov8n.yaml",
        "Architecture of the first model: tiny.yaml (trains on a CPU in seconds), or a stock one such as yolov8n.yaml.",
        pattern=r"tiny\.yaml|yolo[a-z0-9-]+\.yaml",
        kind=str,
    ),
    "MODEL_WIDTH": Knob(
        "0.25", "Share of YOLOv8's channels in tiny.yaml; stock architectures have their own.", 0.03125, 1, kind=float
    ),
    "IMAGE_SIZE": Knob(
        "640", "Longest side (pixels) that models are trained and run at.", choices=tuple(map(str, SIZES))
    ),
    "TRAINING_STEPS": Knob("3000", "Optimizer steps of the first model.", 10, 1_000_000),
    "WARM_STEPS": Knob("1500", "Optimizer steps of later models, which start from the champion.", 10, 1_000_000),
    "TRAINING_BATCH_SIZE": Knob("16", "Images per optimizer step.", 1, 512),
    "LEARNING_RATE": Knob(
        "0.002", "Initial learning rate of the first model; later ones take half of it.", 0.000001, 1, kind=float
    ),
    "BASE_STEPS": Knob(
        "0",
        "Optimizer steps of a model that starts from base weights; 0: as many as there are training images, from 60 to "
        "3000, and twice as many where the fitted keep confidence is 0.30 or less (far from what the weights know).",
        0,
        1_000_000,
    ),
    "BASE_LEARNING_RATE": Knob(
        "0.001", "Initial learning rate of a model that starts from base weights.", 0.000001, 1, kind=float
    ),
    "START": Knob(
        "base",
        "What a later model starts from where there are base weights: base (all labels, from the base weights) or "
        "champion (on from the champion).",
        choices=("base", "champion"),
        kind=str,
    ),
}
# What a preset changes of `standard`.
RECIPES: dict[str, dict[str, str]] = {
    "quick": {"IMAGE_SIZE": "416", "TRAINING_STEPS": "1000", "WARM_STEPS": "500"},
    "standard": {},
    "thorough": {"BASE_MODEL": "yolov8s.yaml", "TRAINING_STEPS": "9000", "WARM_STEPS": "4500"},
}
LIMITS = {
    "SEED": Knob(
        "20260101",
        "Seed of every random draw. The same batch, seed, model and answers give the same manifest, byte for byte.",
        0,
        2_147_483_647,
    ),
    "MAX_IMAGE_BYTES": Knob("40000000", "Larger files (bytes) are rejected as too-large.", 100_000, 200_000_000),
    "MAX_IMAGE_PIXELS": Knob(
        "50000000",
        "Images with more pixels are rejected as too-many-pixels, before they are decoded. 50 million pixels need "
        "about 1 GB while inspected.",
        100_000,
        80_000_000,
    ),
    "MIN_IMAGE_SIDE": Knob("32", "Images with a shorter side (pixels) are rejected as too-small.", 1, 1024),
    "SAMPLE_MINIMUM": Knob(
        "110",
        "Fewest images in the random sample of a batch (a smaller batch is sampled whole): enough to judge and to "
        "train a first model. Once JudgeImages images judge, 30 are enough.",
        1,
        100_000,
    ),
    "SAMPLE_MAXIMUM": Knob(
        "2000",
        "Most images in that random sample. How much it tells depends on its own size, not on that of the batch.",
        1,
        100_000,
    ),
    "JUDGE_IMAGES": Knob(
        "50",
        "So many of the sampled images judge, those that people answer first, before one of them trains; of more, "
        "half. The policy certified accepts nothing with fewer than 50.",
        1,
        100_000,
    ),
    "KEEP_CONFIDENCE": Knob(
        "0.25",
        "Confidence from which a predicted box is part of a label, until judge images show another one to be better "
        "for the model. Fainter boxes, from 0.05, only lower the score of the image.",
        0.05,
        0.95,
        kind=float,
    ),
    "AUDIT_MINIMUM": Knob(
        "20",
        "Fewest accepted labels of a batch that people look at before they are published; all of them where a batch "
        "has fewer. With AuditRate=0 and this 0, nobody does.",
        0,
        10_000,
    ),
    "DOUBLE_LABEL_RATE": Knob(
        "0",
        "Share of people's images that two of them label each, which tells how far people agree with one another. The "
        "work team must have at least two.",
        0,
        1,
        kind=float,
    ),
    "JUDGE_MINIMUM": Knob(
        "20", "With fewer judge images no model is trained or promoted, and target-quality accepts nothing.", 1, 100_000
    ),
    "SECOND_TRAINING": Knob(
        "when-it-pays",
        "Whether a batch that has trained a model trains another one: when-it-pays does where it has at least 400 "
        "images, or the first accepted none. Labels that train nobody now train the next batch's model.",
        choices=("when-it-pays", "always", "never"),
        kind=str,
    ),
    "PROMOTION_TOLERANCE": Knob(
        "-0.05",
        "With GateRule better a later model serves when its labels are better in the mean and the lower bound of its "
        "paired gain over the champion is above this tolerance, too.",
        -0.5,
        0.5,
        kind=float,
    ),
    "OBJECTS_PER_JOB": Knob(
        "5000",
        "Most images of one labelling job; more are split into several, one after the other. Collect Labels reads all "
        "answers of one at once.",
        1,
        50_000,
    ),
    "MOST_PEOPLE": Knob(
        "6",
        "People in one picture for whom a page offers key points; it offers more where a model proposes more.",
        1,
        20,
    ),
    "WORKER_MINIMUM_QUALITY": Knob(
        "0.5",
        "Mean quality of a person's answers to honeypots (1 is right, 0 is what an answer without looking gets). Below "
        "it, after at least 3 of them, the person counts least when several label one image, and is named in the "
        "report.",
        0,
        1,
        kind=float,
    ),
    "TASK_TIME_LIMIT_SECONDS": Knob("600", "Seconds a person has for one image once it is opened.", 30, 28_800),
    "TRAINING_TIMEOUT_SECONDS": Knob(
        "14400",
        "Seconds a training job may run once its container has started. The execution waits half an hour longer, for "
        "the instance to start and the data to be copied. A job that takes longer is stopped, and the old model serves "
        "on.",
        60,
        172_800,
    ),
    "DEPLOYMENT_TIMEOUT_SECONDS": Knob("3600", "Seconds an endpoint has to come into service.", 60, 86_400),
    "INFERENCE_AMI_VERSION": Knob(
        "al2023-ami-sagemaker-inference-gpu-4-1",
        "Host image of GPU endpoints; it decides the driver, which must fit the CUDA of the container's torch "
        "(gpu.md). Not sent for CPU types.",
        choices=("", *(_AMI + version for version in ("2", "2-1", "3-1")), "al2023-ami-sagemaker-inference-gpu-4-1"),
        kind=str,
    ),
    "SHARD_SIZE": Knob("128", "Images per inspection task and inference request.", 1, 512),
    "INSPECT_CONCURRENCY": Knob(
        "20", "Shards inspected at once. Keep it below the account's Lambda concurrency.", 1, 1000
    ),
    "INFERENCE_CONCURRENCY": Knob("16", "Inference requests in flight at once, waiting ones included.", 1, 1000),
    "CONCURRENT_INVOCATIONS": Knob("2", "Requests that one instance works on at once.", 1, 1000),
    "INFERENCE_QUEUE_SECONDS": Knob(
        "3600",
        "Seconds a request may wait in the endpoint's queue. Waking from zero takes about 15 minutes.",
        60,
        21_600,
    ),
    "INVOCATION_TIMEOUT_SECONDS": Knob("900", "Seconds the container has for one request.", 10, 3600),
    "KEPT_ENDPOINTS": Knob(
        "3", "Newest endpoints that are kept for a quick rollback; the champion's is always kept.", 1, 20
    ),
}
_BY_COUNT = "which sampled images judge goes by their number now: see JudgeImages in AdvancedSettings"
_ONE_MINIMUM = "there is one minimum of judge images now, JudgeMinimum in AdvancedSettings"


@dataclass(frozen=True)
class Gone:
    """What an earlier version could be given: its default there, the knob that came in its place, and why."""

    default: str
    successor: str
    why: str
    kind: type = float


GONE = {
    "CALIBRATION_SHARE": Gone("0.25", "JUDGE_IMAGES", _BY_COUNT),
    "GOLD_SHARE": Gone("0.25", "JUDGE_IMAGES", _BY_COUNT),
    "CALIBRATION_MINIMUM": Gone("10", "JUDGE_MINIMUM", _ONE_MINIMUM),
    "GOLD_MINIMUM": Gone("20", "JUDGE_MINIMUM", _ONE_MINIMUM),
}
DEFAULTS = {name: knob.default for name, knob in (TRAINING | LIMITS).items()}


class _Number(str):
    """A JSON number as it was written: the document holds 0.80 where 0.80 was given."""


def parameter_of(setting: str) -> str:
    """The name a setting has, or had, as a parameter: TrainingSteps of TRAINING_STEPS."""
    return setting.title().replace("_", "")


def moved(parameter: str) -> str:
    """Where what was this parameter is given now, as a sentence; empty for a name that was none."""
    for knobs, place in ((TRAINING, RECIPE_OVERRIDES), (LIMITS, ADVANCED)):
        for setting, knob in knobs.items():
            if parameter_of(setting) == parameter:
                example = json.dumps({parameter: knob.default if knob.kind is str else knob.kind(knob.default)})
                return f"{parameter} is given in the parameter {parameter_of(place)} now, as in {example}"
    gone = {parameter_of(setting): each.why for setting, each in GONE.items()}
    return f"{parameter} is gone: {gone[parameter]}" if parameter in gone else ""


def completed(values: Mapping[str, str], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole settings document of what the template gives: defaults, then the recipe, then what was given alone.

    A setting that `values` holds itself stays: so an earlier template gives them, which a rollback goes back to.
    `before`: what the deployment before this one gave; a choice it made of a setting that is no parameter any more must
    not be lost unseen.
    Raises MissingSettingError with every name, type and range that will not do.
    """
    given = {name: value for name, value in values.items() if name not in (RECIPE, RECIPE_OVERRIDES, ADVANCED)}
    recipe = values.get(RECIPE, "standard")
    problems = []
    if recipe not in RECIPES:
        problems.append(f"parameter TrainingRecipe is {recipe!r}: choose one of {', '.join(RECIPES)}")
    chosen = dict(RECIPES.get(recipe, {}))
    for parameter, knobs in ((RECIPE_OVERRIDES, TRAINING), (ADVANCED, LIMITS)):
        chosen |= _overrides(parameter, values.get(parameter, ""), knobs, problems)
    if not problems:
        problems += _lost({**DEFAULTS, **given, **chosen}, chosen, before or {})
    if problems:
        raise MissingSettingError("settings: " + "; ".join(problems))
    return {**DEFAULTS, **given, **chosen}


def _overrides(parameter: str, text: str, knobs: Mapping[str, Knob], problems: list[str]) -> dict[str, str]:
    """What the JSON object gives, by setting; what will not do goes into `problems`."""
    name = f"parameter {parameter_of(parameter)}"
    example = next(moved(parameter_of(setting)) for setting, knob in knobs.items() if knob.kind is int)
    example = example.partition("as in ")[2]
    try:
        pairs = json.loads(text or "{}", object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError) as error:
        problems.append(f"{name} is no JSON ({error}): give an object such as {example}")
        return {}
    if not isinstance(pairs, _Pairs):
        problems.append(f"{name} is no JSON object: give one such as {example}")
        return {}
    found: dict[str, str] = {}
    by_name = {_plain(setting): setting for setting in knobs}
    for field, value in pairs:
        setting = by_name.get(_plain(field))
        problem = _unknown(field, knobs) if setting is None else _unfit(knobs[setting], value)
        if problem:
            problems.append(f"{name}, field {field[:64]!r}: {problem}")
        elif setting:
            found[setting] = str(value)
    counts = Counter(by_name[plain] for plain in (_plain(field) for field, _ in pairs) if plain in by_name)
    problems += [f"{name}, field {parameter_of(key)!r} is given twice" for key, count in counts.items() if count > 1]
    return found


class _Pairs(list[tuple[str, object]]):
    """A JSON object with every field that was written, also those of one name."""


def _plain(name: str) -> str:
    """TrainingSteps, TRAINING_STEPS and training_steps are one name."""
    return name.replace("_", "").lower()


def _unknown(field: str, knobs: Mapping[str, Knob]) -> str:
    known = {_plain(name): parameter_of(name.upper()) for name in (*Settings.__dataclass_fields__, *GONE)}
    parameter = known.get(_plain(field), "")
    if elsewhere := moved(parameter):
        return elsewhere
    if parameter:
        return f"it cannot be given here: what people choose of it is the parameter {parameter}, where there is one"
    names = [parameter_of(setting) for setting in knobs]
    near = difflib.get_close_matches(field, names, 1)
    return f"there is no such setting; did you mean {near[0]}?" if near else f"it is none of {', '.join(names)}"


def _unfit(knob: Knob, value: object) -> str:
    """Why the value will not do, or nothing."""
    if knob.kind is str:
        fits = type(value) is str and (value in knob.choices if knob.choices else re.fullmatch(knob.pattern, value))
        return "" if fits else f"{_quoted(value)} is not allowed: text {knob.allowed}"
    kind = "a whole number" if knob.kind is int else "a number"
    if not isinstance(value, _Number) or not _NUMBER.fullmatch(value):
        return f"{_quoted(value)} is not {kind}: give {knob.allowed}, without quotes"
    if knob.kind is int and not re.fullmatch("-?[0-9]+", value):
        return f"{_quoted(value)} is not {kind}: give {knob.allowed}"
    fits = value in knob.choices if knob.choices else knob.least <= float(value) <= knob.most
    return "" if fits else f"{value} is out of range: give {knob.allowed}"


def _lost(document: Mapping[str, str], chosen: Mapping[str, str], before: Mapping[str, str]) -> Iterator[str]:
    """Choices of a deployment that gave each setting by itself, which this one would change unseen."""
    for setting, value in before.items():
        knob = (TRAINING | LIMITS).get(setting)
        if knob and setting not in chosen and _differ(knob, value, document[setting]):
            name = parameter_of(setting)
            place = moved(name).partition(", as in")[0]
            kept = f'{{"{name}": {json.dumps(value) if knob.kind is str else value}}}'
            yield (
                f"{name} was deployed as {value} and would become {document[setting]}. {place}: "
                f"give {kept} there to keep it, or the other value to change it"
            )
    for setting, gone in GONE.items():
        value = before.get(setting, gone.default)
        if setting not in document and gone.successor not in chosen and _differ(gone, value, gone.default):
            successor = json.dumps({parameter_of(gone.successor): int(DEFAULTS[gone.successor])})
            yield (
                f"{parameter_of(setting)} was deployed as {value} and is gone: {gone.why}; give {successor} or another "
                "number there to go on"
            )


def _differ(knob: Knob | Gone, one: str, other: str) -> bool:
    try:
        return bool(knob.kind(one) != knob.kind(other))
    except ValueError:
        return True


def _quoted(value: object) -> str:
    shown = str(value) if isinstance(value, _Number) else json.dumps(_as_json(value), ensure_ascii=False)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _as_json(value: object) -> object:
    return dict(value) if isinstance(value, _Pairs) else value


def _shown(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)
