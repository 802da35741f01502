"""The kernel's machine code: compiled once with numba, kept in a file, and loaded without it.

Numba takes half a minute to compile, and half a second and 100 MB to load what it compiled; LLVM alone takes a
tenth of that. The file is named by all that went into it, so another version or another processor makes another.
What is compiled for PORTABLE, as container images have it, is taken by any processor that has its instructions.
"""

import ctypes
import hashlib
import logging
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lake.store.disk import replace_file

try:
    import llvmlite
    from llvmlite import binding
except ImportError as error:
    raise ImportError("numba is not installed") from error

SOURCES = (
    *("layout.py", "intrinsics.py", "texts.py", "times.py", "masks.py", "fields.py", "delimited.py", "keyed.py"),
    *("envelopes.py", "rejects.py", "lines.py", "compiling.py"),
)
CACHE = "error-rate-lake"
ARGUMENTS = 6
Kernel = Callable[..., int]


class Processor(NamedTuple):
    """What machine code is for, as LLVM names it: a processor, and which of its features it has beside."""

    name: str
    features: str


PORTABLE = {  # by machine; and what a processor must have
    "x86_64": (Processor("x86-64-v2", ""), ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")),
    "aarch64": (Processor("generic", ""), ()),
}

logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


def kernel() -> Kernel:
    """Return the kernel, as lines.run has it; the first time on a machine, compile it.

    Raises:
        ImportError: It is not compiled yet, and numba is not there to do it.
    """
    with _one_at_a_time:  # the readers of several files all want it first
        return _kernel()


@lru_cache
def _kernel() -> Kernel:
    return _loaded(_compiled_or_kept())


def keep_portable() -> None:
    """Compile the kernel for every processor that is likely to meet it, and keep it with the source.

    Raises:
        OSError: It can't be kept there.
        KeyError: Nothing is known of such machines.
    """
    processor, _ = PORTABLE[platform.machine()]
    folder = next(_folders())
    folder.mkdir(exist_ok=True)
    replace_file(folder / _key(processor), _compiled(processor), 0o644)


def _compiled_or_kept() -> bytes:
    """Return the file's bytes: its digest, the kernel's name, and the machine code."""
    own, *others = _processors()
    for processor in (own, *others):
        for folder in _folders():
            with suppress(OSError):
                return _checked(folder.joinpath(_key(processor)).read_bytes())
    logger.warning("Compiling the extraction kernel, once on this machine.")
    code = _compiled(own)
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / _key(own), code, 0o644)  # for all users of an installation
            return code
    logger.warning("The kernel could not be kept: no folder of %s is writable.", ", ".join(map(str, _folders())))
    return code


def _processors() -> Iterator[Processor]:
    """Yield this processor, and the portable one if this has what it has."""
    features = binding.get_host_cpu_features()
    yield Processor(binding.get_host_cpu_name(), features.flatten())
    portable, needed = PORTABLE.get(platform.machine(), (None, ()))
    if portable and all(features.get(each) for each in needed):
        yield portable


def _folders() -> Iterator[Path]:
    """Yield where machine code is kept: beside the source, as Python's own byte code is, or with the user."""
    yield Path(__file__).with_name("__pycache__")
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / CACHE


def _key(processor: Processor) -> str:
    """Return the file's name: a digest of the source, of who compiles it, and of the processor it is for."""
    digest = hashlib.sha256(llvmlite.__version__.encode())
    digest.update(" ".join(processor).encode())
    for name in SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return f"kernel-{digest.hexdigest()[:32]}.o"


def _compiled(processor: Processor) -> bytes:
    """Compile the kernel; see _compiled_or_kept."""
    from etl.kernel.compiling import compiled  # noqa: PLC0415 - numba takes half a second, and is seldom needed

    name, code = compiled(ARGUMENTS, *processor)
    body = name.encode() + b"\n" + code
    return hashlib.sha256(body).digest() + body


def _checked(code: bytes) -> bytes:
    """Return a file's bytes; OSError if they are not what was written."""
    size = hashlib.sha256().digest_size
    if hashlib.sha256(code[size:]).digest() != code[:size]:
        raise OSError("damaged")
    return code


def _loaded(code: bytes) -> Kernel:
    """Return the kernel that a file's bytes are."""
    name, _, machine_code = code[hashlib.sha256().digest_size :].partition(b"\n")
    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    # numba's convention: a status is returned, the result and what was raised are written to addresses
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * ARGUMENTS)
    function = prototype(engine.get_function_address(name.decode()))

    def kernel(task: int, *arguments: int) -> int:
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        given = (*arguments, *[0] * (ARGUMENTS - 1 - len(arguments)))
        if function(ctypes.byref(result), ctypes.byref(error), task, *given):
            raise AssertionError("the kernel raises nothing")
        return result.value

    return kernel


@lru_cache
def _engine() -> binding.ExecutionEngine:
    """Return what holds machine code in memory, as long as this process lasts."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
