"""Texts made comparable: look-alikes folded, escapes undone, so that a rule is written once, in plain lower case."""
