"""The compiled kernel of extraction: takes lines apart, and keeps those of which it can prove what they mean.

One kernel serves every format: it follows a program, a table of numbers made from the format's declaration
(etl.lines.compiled). It never guesses. What it can't prove at once (an unusual escape, a user name with a space,
a list of upstreams) it leaves undecided, and the plain parser decides. So it changes what extraction costs and
never what comes out; tests/etl/lines/test_agreement.py and tests/etl/lines/fuzz.py hold it to that.

    layout        the numbers that the kernel and its caller agree on
    intrinsics    the instructions that Python has no words for
    texts, times  texts and timestamps at addresses
    masks         paths and rejected lines as they may be kept
    fields        what a field means
    delimited     lines of one field after the other
    keyed         JSON objects and logfmt
    envelopes     what collectors wrap around lines, taken off
    lines         the kernel: from lines to the columns of a batch
    compiling     all of it as one function, optimised once
    machine_code  keeps what is compiled, and loads it without numba

All but the last two are in the Python that numba compiles.
"""
