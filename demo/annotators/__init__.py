"""Simulated annotators: they fill in the forms of labelling tasks from known truth, with adjustable mistakes.

Coordinates are pixels of the stored image, origin top left; a box is `left, top, width, height`.
An answer depends on what the page asks and shows, and on one stream of random numbers for each seed, worker and image;
the task is not part of that. So it does not change with the order of tasks or the number of runs.
"""

from labelloop.contracts.records import Box, KeyPoint

from demo.annotators.answers import answer
from demo.annotators.noise import Noise, parse_noise, worker_names
from demo.annotators.truth import ImageTruth, Truth, TruthError, image_key, load_truth, parse_truth

__all__ = [
    "Box",
    "ImageTruth",
    "KeyPoint",
    "Noise",
    "Truth",
    "TruthError",
    "answer",
    "image_key",
    "load_truth",
    "parse_noise",
    "parse_truth",
    "worker_names",
]
