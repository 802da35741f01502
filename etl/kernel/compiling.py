"""How numba compiles the kernel: all functions are linked into one, which is then optimised once.

Left to itself, numba optimises each function together with all that it calls, makes machine code of it, and does
both anew for each function that calls it: 68 s instead of 28 for the kernel's 158 functions, none of which but the
outermost is ever called from elsewhere.
"""

from typing import Any

from numba import types
from numba.core import config
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from etl.kernel import lines


class _Linked(JITCodeLibrary):
    """A function and what it calls, as they come from numba."""

    def get_pointer_to_function(self, _name: str) -> int:
        return 0  # for Python to call, which it doesn't

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    @global_compiler_lock
    def machine_code(self) -> bytes:
        self._ensure_finalized()
        super()._optimize_final_module()
        code: bytes = self._codegen._tm.emit_object(self._final_module)  # noqa: SLF001 - numba's own way
        return code


class _Codegen(JITCPUCodegen):
    _library_class = _Linked

    def set_env(self, _env_name: str, _env: Any) -> None:
        """Nothing refers to Python's objects."""


def compiled(arguments: int, processor: str, features: str) -> tuple[str, bytes]:
    """Return the name of the kernel, lines.run of so many 64-bit numbers, and its machine code for a processor."""
    vars(config).update(CPU_NAME=processor, CPU_FEATURES=features)
    signature = (types.int64,) * arguments
    context = cpu_target.target_context
    others, context._internal_codegen = context._internal_codegen, _Codegen("kernel")  # noqa: SLF001 - likewise
    try:
        lines.run.compile(signature)
    finally:
        context._internal_codegen = others  # noqa: SLF001
    result = lines.run.overloads[signature]
    return result.fndesc.llvm_func_name, result.library.machine_code()
