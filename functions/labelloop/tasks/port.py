"""What a task is asked for: what people mark in an image, how good a label is, and what is made of several people's.

Marks are of the task's kind (contracts/marks.py), in canonical pixels; scores, qualities and confidences lie in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.in_image import Size
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.marks import Mark as Mark
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.settings import Settings
from labelloop.contracts.skeletons import Skeleton


class Label(Protocol):
    """Anything with the marks of one image: an Annotation, for example."""

    @property
    def task(self) -> str: ...

    @property
    def marks(self) -> Sequence[Any]: ...


class Truth(Label, Protocol):
    """Such a label and the image that it is of."""

    @property
    def source_ref(self) -> str: ...


JudgeImages = Sequence[tuple[Prediction, Truth]]
"""What a model saw in images that people labelled."""


class Answer(Protocol):
    """What one person marked in an image that the page saw as so large."""

    @property
    def marks(self) -> Sequence[Any]: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


@dataclass(frozen=True)
class Form:
    """What a kind of job shows and asks: answer attribute, worker template, categories, and words for people.

    The answer's attribute is never one that the input has: Ground Truth takes such lines for labelled.
    """

    attribute: str
    template: str
    categories: tuple[str, ...]
    title: str
    description: str
    keyword: str


@dataclass(frozen=True)
class Page:
    """What the worker template shows of one image: the labels to choose from, the pre-label as its widget takes it,
    what is asked for, and the boxes that lie over the image in a verification with the labels that they may have.
    `skeleton`: what a page of people draws besides, `bones` and `box_factor`; empty where there are no people.
    """

    labels: list[str]
    initial: list[dict[str, Any]]
    header: str
    overlay: list[dict[str, Any]]
    overlay_labels: list[str]
    skeleton: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trust:
    """How far a label is to be trusted: its score; of an `empty` one what its rule's `empty_score` is multiplied by."""

    factor: float
    empty: bool

    def score(self, empty_score: float) -> float:
        """0..1, rounded to 6 decimals."""
        return round(self.factor * empty_score if self.empty else self.factor, 6)


class Task(Protocol):
    """`name` is the value of the parameter Task, and the attribute of this project's manifests that holds the label;
    `answer` is the attribute of a labelling job's output that holds it, `verdict` the one that says whether people
    accept it. People mark with the crowd element `widget`, which submits the marks as its member `element`.
    `separable`: whether a label without one of its marks still is one.

    `skeleton` is the stack's, which tells how near a key point has to be; boxes need none.
    """

    @property
    def name(self) -> str: ...

    @property
    def answer(self) -> str: ...

    @property
    def verdict(self) -> str: ...

    @property
    def widget(self) -> str: ...

    @property
    def element(self) -> str: ...

    @property
    def separable(self) -> bool: ...

    def quality(self, marks: Sequence[Any], truth: Sequence[Any], skeleton: Skeleton | None = None) -> float:
        """How good a label of an image is; 0 against the truth of another task. Without a skeleton a key point has to
        be as near as usual.
        """
        ...

    def answered(
        self,
        listed: Sequence[Any],
        size: Size,
        nothing_here: bool,
        classes: Sequence[str],
        skeleton: Skeleton | None,
    ) -> tuple[Any, ...]:
        """The marks that somebody submitted in an image of this (width, height), checked; `nothing_here`: that is what
        the person ticked. Raises InvalidInputError naming the field.
        """
        ...

    def fuse(
        self, images: Sequence[Mapping[str, Answer]], names: Sequence[str], reliability: Mapping[str, float]
    ) -> list[dict[str, Any]]:
        """Per image, in the order given, the label value of {worker: answer}: that of a manifest, `objects` (confidence
        and agreement of each), `class-map`, `workers` (how many) and `agreement`.

        `reliability`: of every worker who looked, in (0, 1].
        """
        ...

    def propose(
        self,
        source_ref: str,
        width: int,
        height: int,
        marks: Sequence[Any] | None,
        names: Sequence[str],
        model: str,
        original_ref: str | None = None,
    ) -> dict[str, Any]:
        """A labelling job's input line with these marks for people to correct; None: no model looked."""
        ...

    def disturb(self, image: Annotation, names: Sequence[str], random: Random) -> list[Any]:
        """The true label as a model sees it, for people to correct: a little off, some marks missing, never right."""
        ...

    def spoil(self, image: Annotation, names: Sequence[str], random: Random) -> list[Any]:
        """A label that is plainly wrong, for people to reject."""
        ...

    def form(self, kind: str, names: Sequence[str], listed: str) -> Form:
        """What a job of this kind (annotate, adjust, verify) asks for; `listed` is `names` in words."""
        ...

    def page(self, record: Mapping[str, Any], settings: Settings, context: str) -> Page:
        """Of a manifest line. Raises InvalidInputError naming the field of a pre-label that is not one."""
        ...

    def label(self, prediction: Prediction, rule: LabelRule) -> tuple[Any, ...]:
        """The marks that the machine's label consists of."""
        ...

    def trusts(self, prediction: Prediction, rules: Sequence[LabelRule]) -> list[Trust]:
        """How likely the machine's label of this image by each of these rules is acceptable as it stands."""
        ...

    def qualities(
        self,
        prediction: Prediction,
        truth: Sequence[Any],
        rules: Sequence[LabelRule],
        skeleton: Skeleton | None = None,
    ) -> list[float]:
        """How good its label of this image would be by each of these rules."""
        ...

    def taught(self, judge_images: JudgeImages, rule: LabelRule) -> LabelRule:
        """The rule with what a label of this task needs besides, as it suits these judge images best."""
        ...

    def cross_taught(self, judge_images: JudgeImages, rule: LabelRule) -> list[LabelRule]:
        """For each judge image a rule like that of `taught`, which this image did not help to fit."""
        ...

    def figures(self, judge_images: JudgeImages, rule: LabelRule) -> dict[str, Any]:
        """What else is worth telling people of how well the model labels these images."""
        ...

    def gate_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> float | None:
        """What the first model must reach; None where the truth holds nothing to measure it with."""
        ...

    def class_metric(
        self, predictions: Iterable[Prediction], truths: Iterable[Truth], skeleton: Skeleton | None = None
    ) -> Callable[[Sequence[int]], dict[str, float]]:
        """A function of how often each image is drawn, in the order of the truths' source-refs: the gate's metric of
        each class that the drawn images hold.
        """
        ...

    def changes(self, before: Sequence[Any], after: Sequence[Any]) -> Adjustment:
        """What became of the pre-label `before` in the answer `after`; confidences and the order of marks do not
        matter.
        """
        ...

    def found(self, marks: Sequence[Any], truth: Sequence[Any]) -> set[int]:
        """The places of the true marks that a label has."""
        ...
