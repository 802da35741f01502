"""Digests: what is published, kept and recorded is told by them, so they never change."""

from lake.digests import DIGITS, sha256_of, sha256_of_text, short

OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_a_file_and_a_text_have_the_digest_of_their_bytes(tmp_path):
    """As the standard says; a text's bytes are UTF-8."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_of(path) == sha256_of_text("abc") == OF_ABC
    path.write_bytes("für".encode())
    assert sha256_of(path) == sha256_of_text("für")


def test_a_short_digest_is_the_begin_of_the_long_one():
    """So that one can be found by the other."""
    assert short("abc") == OF_ABC[:DIGITS]
