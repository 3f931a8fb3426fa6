"""Which container image trains and serves: the one that a parameter names, or the one that was built last, by digest.

`images/current` is written by the image build (template.yaml, ImageBuild): {"image": "<repository>@sha256:<digest>",
"tag": "<hash of the sources and the base>", "base": "<image it was built on>@sha256:<digest>"}. A digest never changes
its content: a training job and an endpoint keep theirs.
"""

from labelloop.contracts.errors import InvalidInputError
from labelloop.store import storage

CURRENT = "images/current"


def resolve(parameter: str) -> str:
    """Raises InvalidInputError, with what to do, where no image was built yet."""
    if parameter:
        return parameter
    try:
        return str(storage.read_json(CURRENT)["image"])
    except storage.MissingObjectError as error:
        raise InvalidInputError(
            "no container image was built yet: run the command in the stack's output BuildImage, wait for the build "
            "(about 10 minutes), then start the same again; or name an image with TrainingImage and InferenceImage"
        ) from error
