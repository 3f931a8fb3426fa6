"""What a network of key points is trained to make small: ultralytics' loss, blind to points that are unknown."""

from collections.abc import Callable, Sequence
from typing import Any

import libraries  # noqa: F401  first: sets what torch and ultralytics read
import torch
from label_files import OUTSIDE, UNLABELLED
from ultralytics.utils.loss import E2ELoss, v8PoseLoss

SURELY_NOT = -1e4  # a confidence before the sigmoid, of which nothing is learned where there is no point


class PeopleLoss(v8PoseLoss):
    """A point that nobody labelled teaches nothing: neither where it is, nor whether it is there."""

    def calculate_keypoints_loss(  # type: ignore[no-untyped-def]
        self, masks, target_gt_idx, keypoints, stride_tensor, target_bboxes, pred_kpts
    ):
        """Of `keypoints` (pictures, people, points, 3) and `pred_kpts` (pictures, places, points, 3); `target_gt_idx`
        (pictures, places) tells whose points a place has to see.
        """
        unknown = keypoints[..., 2] == UNLABELLED
        pictures = torch.arange(len(unknown), device=unknown.device)[:, None]
        confidences = pred_kpts[..., 2].masked_fill(unknown[pictures, target_gt_idx], SURELY_NOT)
        seen = torch.cat([pred_kpts[..., :2], confidences[..., None]], -1)
        known = torch.cat([keypoints[..., :2], keypoints[..., 2:].masked_fill(unknown[..., None], OUTSIDE)], -1)
        return super().calculate_keypoints_loss(masks, target_gt_idx, known, stride_tensor, target_bboxes, seen)


def of(sigmas: Sequence[float]) -> Callable[[Any], Any]:
    """What makes the loss for a network that is about to be trained."""

    def loss(network: Any) -> Any:
        network.kpt_oks_sigmas = list(sigmas)
        is_doubled = getattr(network.model[-1], "one2one_cv2", None) is not None
        return E2ELoss(network, PeopleLoss) if is_doubled else PeopleLoss(network)

    return loss
