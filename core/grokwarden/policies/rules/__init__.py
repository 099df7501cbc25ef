"""The built-in rules of the detectors, as data, and how they add up to a score."""
