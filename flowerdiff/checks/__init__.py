"""Tell a learner what is wrong with an answer, and why.

`exercise` is how an answer is graded and is the same for every lesson; the modules beside it hold
the exercises, one module for each lesson: an oracle, random inputs, and the known mistakes.
"""

from flowerdiff.checks.exercise import Exercise, Mistake, Verdict, summary

__all__ = ["Exercise", "Mistake", "Verdict", "summary"]
