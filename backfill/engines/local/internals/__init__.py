"""All that touches what Luigi keeps to itself: a private name, and the words of its messages.

Nothing else here depends on more than Luigi documents. What Luigi changes without notice breaks this package and
its tests, and those say what.
"""
