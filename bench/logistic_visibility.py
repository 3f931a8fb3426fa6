"""A rule of visibility to compare with thresholds: logistic regression on the logits of both confidences.

Two questions, as thresholds ask them: is a point in view, and is it visible if it is? Each is a logistic model of
(1, logit main, logit additional) with a normal prior; the likeliest coefficients are found by Newton's steps. Points of
all names are fitted first, each name after that, drawn to what all have in common; so it has the interface of
`tasks.visibility.fit`. Confidences lie in 0..1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labelloop.tasks.visibility import Judged, JudgedPoint

Vector = tuple[float, float, float]
Example = tuple[Vector, bool]

# What thresholds of .6 say, softened: in view by the main confidence, visible by the additional one.
IN_VIEW: Vector = (-0.4, 1.0, 0.0)
VISIBLE: Vector = (-0.4, 0.0, 1.0)
DEVIATION_OF_ALL, DEVIATION_OF_NAME = 1.0, 0.3
SUREST = 0.999  # logits of 0 and 1 have no end
STEPS = 25


@dataclass(frozen=True)
class LogisticVisibility:
    """The coefficients of both questions of each name; those of "" for a name without a point."""

    in_view: Mapping[str, Vector]
    visible: Mapping[str, Vector]

    def visibility(self, name: str, main: float, additional: float) -> str:
        """The likeliest of the three."""
        features = _features(main, additional)
        in_view = _sigmoid(_dot(self.in_view.get(name, self.in_view[""]), features))
        visible = in_view * _sigmoid(_dot(self.visible.get(name, self.visible[""]), features))
        shares = {"visible": visible, "occluded": in_view - visible, "outside": 1 - in_view}
        return max(shares, key=shares.__getitem__)


def fit(judged: Judged) -> LogisticVisibility:
    by_name: dict[str, list[JudgedPoint]] = defaultdict(list)
    for points in judged.values():
        for point in points:
            if point.seen is not None:
                by_name[point.label].append(point)
    return LogisticVisibility(
        _hierarchy({name: list(map(_in_view, points)) for name, points in by_name.items()}, IN_VIEW),
        _hierarchy(
            {name: [_visible(p) for p in points if p.truth != "outside"] for name, points in by_name.items()}, VISIBLE
        ),
    )


def _hierarchy(examples: Mapping[str, Sequence[Example]], usual: Vector) -> dict[str, Vector]:
    of_all = _likeliest([example for name in sorted(examples) for example in examples[name]], usual, DEVIATION_OF_ALL)
    return {name: _likeliest(examples[name], of_all, DEVIATION_OF_NAME) for name in examples} | {"": of_all}


def _likeliest(examples: Sequence[Example], usual: Vector, deviation: float) -> Vector:
    """The mode of the posterior, whose logarithm is concave; a step that would lower it is halved."""
    precision, found = deviation**-2, usual
    reached = _posterior(examples, found, usual, precision)
    for _ in range(STEPS):
        gradient = [-precision * (one - other) for one, other in zip(found, usual, strict=True)]
        curvature = [[precision * (row == column) for column in range(3)] for row in range(3)]
        for features, answer in examples:
            share = _sigmoid(_dot(found, features))
            for row in range(3):
                gradient[row] += (answer - share) * features[row]
                for column in range(3):
                    curvature[row][column] += share * (1 - share) * features[row] * features[column]
        step = _solved(curvature, gradient)
        while max(map(abs, step)) > 1e-9:
            nearer = found[0] + step[0], found[1] + step[1], found[2] + step[2]
            if (value := _posterior(examples, nearer, usual, precision)) >= reached:
                found, reached = nearer, value
                break
            step = [part / 2 for part in step]
        else:
            break
    return found


def _posterior(examples: Iterable[Example], found: Vector, usual: Vector, precision: float) -> float:
    """Its logarithm, less a constant."""
    prior = -precision / 2 * sum((one - other) ** 2 for one, other in zip(found, usual, strict=True))
    return prior + math.fsum(
        _log_sigmoid(_dot(found, features) * (1 if answer else -1)) for features, answer in examples
    )


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Of a symmetric positive definite matrix: Gauss's elimination needs no other order of the rows."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for pivot in range(3):
        for row in range(3):
            if row != pivot:
                factor = rows[row][pivot] / rows[pivot][pivot]
                rows[row] = [one - factor * other for one, other in zip(rows[row], rows[pivot], strict=True)]
    return [row[3] / row[place] for place, row in enumerate(rows)]


def _in_view(point: JudgedPoint) -> Example:
    return _of_point(point), point.truth != "outside"


def _visible(point: JudgedPoint) -> Example:
    return _of_point(point), point.truth == "visible"


def _of_point(point: JudgedPoint) -> Vector:
    assert point.seen is not None
    return _features(point.seen.main, point.seen.additional)


def _features(main: float, additional: float) -> Vector:
    return 1.0, _logit(main), _logit(additional)


def _logit(share: float) -> float:
    bounded = min(SUREST, max(1 - SUREST, share))
    return math.log(bounded / (1 - bounded))


def _sigmoid(value: float) -> float:
    return math.exp(_log_sigmoid(value))


def _log_sigmoid(value: float) -> float:
    return min(value, 0.0) - math.log1p(math.exp(-abs(value)))


def _dot(one: Vector, other: Vector) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
