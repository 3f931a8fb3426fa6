"""The embedded AWS: MiniStack in process plus what it lacks. Never imported by the product."""
