"""The one error of a run."""


class RunError(Exception):
    """What was to be measured did not come about, or ended up wrong: there are no figures."""
