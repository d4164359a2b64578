"""Modes of AES computed from single blocks. The service keeps its keys to itself, but lets one block after the other be
encrypted (CBC with a vector of zeros): with that, whatever else it made can be computed again here."""

ZERO = bytes(16)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def blocks(data):
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def cbc(block, iv, plain):
    """Of whole blocks."""
    out = []
    for one in blocks(plain):
        iv = block(xor(one, iv))
        out.append(iv)
    return b"".join(out)


def pkcs7(plain):
    fill = 16 - len(plain) % 16
    return plain + bytes([fill]) * fill


def zeros(plain):
    return plain + bytes(-len(plain) % 16)


def key_wrap(block, plain, first=b"\xa6" * 8):
    """RFC 3394, section 2.2.1."""
    parts = [plain[at : at + 8] for at in range(0, len(plain), 8)]
    a = first
    for step in range(6 * len(parts)):
        at = step % len(parts)
        made = block(a + parts[at])
        a, parts[at] = xor(made[:8], (step + 1).to_bytes(8, "big")), made[8:]
    return a + b"".join(parts)


def key_wrap_padded(block, plain):
    """RFC 5649, section 4.1."""
    first = b"\xa6\x59\x59\xa6" + len(plain).to_bytes(4, "big")
    padded = plain + bytes(-len(plain) % 8)
    return block(first + padded) if len(padded) == 8 else key_wrap(block, padded, first)


def _times(x, y):
    """In GF(2^128), SP 800-38D, section 6.3."""
    z = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gcm(block, iv, plain, aad):
    """Ciphertext and tag under a nonce of 12 bytes, SP 800-38D, section 7.1."""
    at = 1

    def key_stream():
        nonlocal at
        at += 1
        return block(iv + at.to_bytes(4, "big"))

    cipher = b"".join(xor(one, key_stream()) for one in blocks(plain))
    h, sum_ = int.from_bytes(block(ZERO), "big"), 0
    lengths = (8 * len(aad)).to_bytes(8, "big") + (8 * len(cipher)).to_bytes(8, "big")
    for one in blocks(zeros(aad) + zeros(cipher) + lengths):
        sum_ = _times(sum_ ^ int.from_bytes(one, "big"), h)
    return cipher, xor(sum_.to_bytes(16, "big"), block(iv + b"\0\0\0\1"))
