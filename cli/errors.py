"""What ends a command early."""


class Refused(Exception):
    """The command does nothing; the message is for the person: what is in the way, and what to do."""
