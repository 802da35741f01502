"""Instructions that Python has no words for: memory at an address, and many bytes compared at once."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

_BYTE, _LONG = ir.IntType(8), ir.IntType(64)
Built = tuple[Signature, Any]


def _load(bits: int, kind: Any) -> Any:
    @intrinsic
    def load(typing: Any, address: Any) -> Built:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            of = ir.IntType(bits)
            value = builder.load(builder.inttoptr(arguments[0], of.as_pointer()), align=1)
            return value if bits == 64 else builder.zext(value, _LONG)

        return types.int64(types.int64), build

    return load


def _store(bits: int) -> Any:
    @intrinsic
    def store(typing: Any, address: Any, value: Any) -> Built:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            of = ir.IntType(bits)
            value = arguments[1] if bits == 64 else builder.trunc(arguments[1], of)
            builder.store(value, builder.inttoptr(arguments[0], of.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), build

    return store


load8, load16, load32, load64 = (_load(bits, None) for bits in (8, 16, 32, 64))
store8, store16, store32, store64 = (_store(bits) for bits in (8, 16, 32, 64))


@intrinsic
def store_float(typing: Any, address: Any, value: Any) -> Built:
    """Write a float."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], ir.DoubleType().as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.float64), build


@intrinsic
def first_set(typing: Any, mask: Any) -> Built:
    """Return the number of the lowest bit that is set; the mask is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build


@intrinsic
def bits_set(typing: Any, mask: Any) -> Built:
    """Return how many bits are set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), build


@intrinsic
def prefetch(typing: Any, address: Any) -> Built:
    """Have what lies at an address brought to the processor's cache; it need not be readable."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, pointer = ir.IntType(32), _BYTE.as_pointer()
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], pointer), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), build


def _vector(builder: Any, address: Any, lanes: int) -> Any:
    return builder.load(builder.inttoptr(address, ir.VectorType(_BYTE, lanes).as_pointer()), align=1)


def _splat(lanes: int, byte: str) -> Any:
    return ir.Constant(ir.VectorType(_BYTE, lanes), [ord(byte)] * lanes)


def _mask(builder: Any, found: Any, lanes: int) -> Any:
    mask = builder.bitcast(found, ir.IntType(lanes))
    return mask if lanes == 64 else builder.zext(mask, _LONG)


def _finder(lanes: int, wanted: str) -> Any:
    @intrinsic
    def find(typing: Any, address: Any) -> Built:
        """Set bit n where byte n is one of them."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = _vector(builder, arguments[0], lanes)
            found = None
            for byte in wanted:
                equal = builder.icmp_unsigned("==", data, _splat(lanes, byte))
                found = equal if found is None else builder.or_(found, equal)
            return _mask(builder, found, lanes)

        return types.int64(types.int64), build

    return find


def _finder_in_text(lanes: int) -> Any:
    @intrinsic
    def find(typing: Any, address: Any) -> Built:
        """Set bit n where byte n is a quote, a backslash, a control character, or not ASCII."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = _vector(builder, arguments[0], lanes)
            found = builder.icmp_signed("<", data, _splat(lanes, " "))  # from 128 on, a byte is below 0
            for byte in '"\\':
                found = builder.or_(found, builder.icmp_unsigned("==", data, _splat(lanes, byte)))
            return _mask(builder, found, lanes)

        return types.int64(types.int64), build

    return find


def _finder_between(lanes: int, first: str, last: str) -> Any:
    @intrinsic
    def find(typing: Any, address: Any) -> Built:
        """Set bit n where byte n is none of a range of ASCII."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            shifted = builder.sub(_vector(builder, arguments[0], lanes), _splat(lanes, first))
            width = ord(last) - ord(first)
            return _mask(builder, builder.icmp_unsigned(">", shifted, _splat(lanes, chr(width))), lanes)

        return types.int64(types.int64), build

    return find


@intrinsic
def mask_bytes(typing: Any, address: Any, out: Any) -> Built:
    """Write 64 bytes masked: letters as x, digits as 9, and what is not printable ASCII as a question mark."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = 64
        data = _vector(builder, arguments[0], lanes)

        def within(values: Any, first: str, last: str) -> Any:
            shifted = builder.sub(values, _splat(lanes, first))
            return builder.icmp_unsigned("<=", shifted, _splat(lanes, chr(ord(last) - ord(first))))

        masked = builder.select(within(data, " ", "~"), data, _splat(lanes, "?"))
        masked = builder.select(within(data, "0", "9"), _splat(lanes, "9"), masked)
        is_letter = within(builder.or_(data, _splat(lanes, " ")), "a", "z")
        masked = builder.select(is_letter, _splat(lanes, "x"), masked)
        builder.store(masked, builder.inttoptr(arguments[1], masked.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


text_stops = _finder_in_text(64)
unprintable = _finder_between(32, "!", "~")
no_digits = _finder_between(32, "0", "9")
# Bit n is set where byte n from the address is one of these
line_feeds = _finder(64, "\n")
slashes = _finder(64, "/")
dots_of = _finder(32, ".")
signs = _finder(32, "%@:")
quotes = _finder(64, '"\\\n')
json_stops = _finder(64, '"{},')
cuts = _finder(64, "?#;%")
key_ends = _finder(32, '= "\r\n')
bare_ends = _finder(32, ' "\r\n')
tabs = _finder(64, "\t\r\n")
authority_ends = _finder(32, "/?#; ")


@intrinsic
def word_ends(typing: Any, address: Any, end: Any) -> Built:
    """Set bit n where byte n ends a word: it is white space, a control, a quote, a bracket, or `end`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = 32
        data = _vector(builder, arguments[0], lanes)
        vector = ir.VectorType(_BYTE, lanes)
        one = builder.insert_element(
            ir.Constant(vector, ir.Undefined), builder.trunc(arguments[1], _BYTE), ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        end = builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)
        found = builder.icmp_unsigned("<=", data, _splat(lanes, " "))
        for byte in '"[]':
            found = builder.or_(found, builder.icmp_unsigned("==", data, _splat(lanes, byte)))
        return _mask(builder, builder.or_(found, builder.icmp_unsigned("==", data, end)), lanes)

    return types.int64(types.int64, types.int64), build


@intrinsic
def same_bytes(typing: Any, address: Any, other: Any) -> Built:
    """Set bit n where byte n from both addresses is the same, 32 of them."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one, two = (_vector(builder, address, 32) for address in arguments)
        return _mask(builder, builder.icmp_unsigned("==", one, two), 32)

    return types.int64(types.int64, types.int64), build
