"""The errors the state machines know by name: Lambda reports the class name as the error name."""


class TransientError(Exception):
    """Something outside failed in a way that may pass (throttling, network, a conflict): retry the same call."""


class InvalidInputError(Exception):
    """A record, message or file breaks its contract, in the field the text names: it fails again, never retry."""


class LimitReachedError(Exception):
    """A limit of the account is reached; it frees up when other work ends: wait, then ask for the same again."""


class InferenceOverdueError(Exception):
    """The time in which a round may ask the model is over: nothing is asked, and no Retry asks again."""


class NotTheOwnerError(Exception):
    """Another execution, or the batch of a later marker, took over while this one was at rest: this one stops."""


class ConservationError(Exception):
    """The images of a batch do not add up (lost, invented or decided twice): publish nothing until a person looks."""


class ChangedObjectError(Exception):
    """An object that is written once was deleted or has other bytes: a person restores it, then the same is started."""
