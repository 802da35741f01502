"""The tree of errors in the documentation is the tree in the code."""

import inspect
import re

from lake import errors


def test_the_documented_tree_is_the_real_one():
    """Every error and its exit code is in the module's docstring, and nothing else is."""
    documented = dict(re.findall(r"(\w+) .*exit code (\d)", errors.__doc__))
    classes = inspect.getmembers(errors, inspect.isclass)
    assert documented == {
        name: str(kind.exit_code) for name, kind in classes if issubclass(kind, errors.LakeError)
    }
