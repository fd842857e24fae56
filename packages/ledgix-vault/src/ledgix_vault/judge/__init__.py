"""Asking a language model about a call: two wire protocols, prompts, strict answers, one deadline over all of it.

Whatever isn't exactly the answer that was asked for counts as no answer, and no answer means that a person decides.
"""
