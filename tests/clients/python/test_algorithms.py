"""Every algorithm: what the service makes another library verifies or computes again, and the reverse."""

import os

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding

import aes_by_block as by_block
from verify_with import OAEP_1, OAEP_256, b64, digest, number, public_key, unb64, verifies

CURVES = [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("P-256K", "ES256K")]
RSA_SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
RSA_PADDINGS = [("RSA1_5", padding.PKCS1v15(), 11), ("RSA-OAEP", OAEP_1, 42), ("RSA-OAEP-256", OAEP_256, 66)]


def check_signature(vault, key, algorithm):
    crypto, of = vault.crypto(key), digest(algorithm=algorithm)
    made = crypto.sign(SignatureAlgorithm(algorithm), of)
    assert made.key_id == key.id and verifies(key.key, algorithm, of, made.signature)
    assert not verifies(key.key, algorithm, digest(b"other", algorithm), made.signature)
    # By the SDK's own means, and by the service.
    assert crypto.verify(SignatureAlgorithm(algorithm), of, made.signature).is_valid
    body = {"alg": algorithm, "digest": b64(of), "value": b64(made.signature)}
    verify = f"/keys/{key.name}/{key.properties.version}/verify"
    assert vault.post(verify, body) == {"value": True}
    assert vault.post(verify, {**body, "digest": b64(digest(b"other", algorithm))}) == {"value": False}
    with pytest.raises(HttpResponseError) as refused:
        vault.post(f"/keys/{key.name}//sign", {"alg": algorithm, "value": b64(of[1:])})
    assert refused.value.status_code == 400


@pytest.mark.parametrize("curve, algorithm", CURVES)
def test_an_elliptic_curve_key_signs(vault, name, curve, algorithm):
    with vault.unless_lacking(algorithm, named=curve):
        key = vault.keys.create_ec_key(name, curve=curve)
        assert key.key_type == vault.kty("EC") and key.key.crv == curve
        check_signature(vault, key, algorithm)


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_an_rsa_key_signs_and_decrypts(vault, name, size):
    key = vault.keys.create_rsa_key(name, size=size)
    crypto, public = vault.crypto(key), public_key(key.key)
    assert public.key_size == size and key.key.e == b"\x01\x00\x01"
    for algorithm in RSA_SIGNATURES:
        check_signature(vault, key, algorithm)
    for algorithm, pads, taken in RSA_PADDINGS:
        longest = os.urandom(size // 8 - taken)
        for plain in (b"\0", longest):
            by_library = public.encrypt(plain, pads)
            by_sdk = crypto.encrypt(EncryptionAlgorithm(algorithm), plain).ciphertext
            by_service = unb64(vault.post(f"/keys/{name}//encrypt", {"alg": algorithm, "value": b64(plain)})["value"])
            for cipher in (by_library, by_sdk, by_service):
                with vault.unless_lacking(algorithm):
                    assert crypto.decrypt(EncryptionAlgorithm(algorithm), cipher).plaintext == plain
                with vault.unless_lacking(algorithm):
                    assert crypto.unwrap_key(KeyWrapAlgorithm(algorithm), cipher).key == plain
        with pytest.raises(HttpResponseError) as refused:
            vault.post(f"/keys/{name}//encrypt", {"alg": algorithm, "value": b64(longest + b"x")})
        assert refused.value.status_code == 400


def test_an_rsa_key_has_the_public_exponent_that_was_asked_for(vault, name):
    key = vault.keys.create_rsa_key(name, size=2048, public_exponent=17)
    rotated = vault.keys.create_rsa_key(name, size=2048)
    assert (number(key.key.e), number(rotated.key.e)) == (17, 65537)
    check_signature(vault, key, "PS256")
    cipher = public_key(key.key).encrypt(b"plain", OAEP_1)
    assert vault.crypto(key).decrypt(EncryptionAlgorithm.rsa_oaep, cipher).plaintext == b"plain"


def test_a_wrong_rsa1_5_ciphertext_decrypts_to_other_bytes_and_a_wrong_oaep_one_to_none(vault, name):
    key = vault.keys.create_rsa_key(name, size=2048)
    crypto = vault.crypto(key)
    cipher = bytearray(public_key(key.key).encrypt(b"plain", padding.PKCS1v15()))
    cipher[0], cipher[100] = 0, cipher[100] ^ 1
    twice = [crypto.decrypt(EncryptionAlgorithm.rsa1_5, bytes(cipher)).plaintext for _ in range(2)]
    assert twice[0] == twice[1] != b"plain", "nothing tells a wrong padding from a right one"
    said = set()
    for wrong in (bytes(cipher), os.urandom(255), b"", b"\0" + os.urandom(255)):
        with pytest.raises(HttpResponseError) as refused:
            crypto.decrypt(EncryptionAlgorithm.rsa_oaep, wrong)
        assert refused.value.status_code == 400
        said.add(refused.value.error.message)
    assert len(said) == 1, said


@pytest.fixture(params=[128, 192, 256])
def aes(request, vault, name):
    """An AES key of the service: its size, calls by name, and its work on one block."""
    key = vault.keys.create_key(name, "oct", size=request.param)
    assert key.properties and key.key.kty == vault.kty("oct") and key.key.k is None

    def call(op, alg, **members):
        body = {"alg": alg, **{member: b64(value) for member, value in members.items()}}
        answer = vault.post(f"/keys/{name}//{op}", body)
        return {member: unb64(answer[member]) for member in ("value", "iv", "tag", "aad") if member in answer}

    def block(one):
        return call("encrypt", f"A{request.param}CBC", value=one, iv=by_block.ZERO)["value"]

    call.size, call.block, call.crypto = request.param, block, vault.crypto(key)
    return call


def test_aes_gcm_is_what_its_standard_says(aes):
    alg, plain, aad = f"A{aes.size}GCM", os.urandom(37), b"bound"
    made = aes("encrypt", alg, value=plain, aad=aad)
    assert (made["value"], made["tag"]) == by_block.gcm(aes.block, made["iv"], plain, aad)
    iv = os.urandom(12)
    value, tag = by_block.gcm(aes.block, iv, plain, b"")
    assert aes("decrypt", alg, value=value, iv=iv, tag=tag)["value"] == plain
    sdk = aes.crypto.encrypt(EncryptionAlgorithm(alg), plain)
    assert (sdk.ciphertext, sdk.tag) == by_block.gcm(aes.block, sdk.iv, plain, b"")


def test_aes_cbc_is_what_its_standard_says(aes):
    iv, plain = os.urandom(16), os.urandom(37)
    for alg, filled in ((f"A{aes.size}CBC", by_block.zeros(plain)), (f"A{aes.size}CBCPAD", by_block.pkcs7(plain))):
        cipher = by_block.cbc(aes.block, iv, filled)
        made = aes("encrypt", alg, value=plain, iv=iv, aad=b"left aside")
        assert made == {"value": cipher, "iv": iv}
        back = aes("decrypt", alg, value=cipher, iv=iv)["value"]
        assert back == (plain if alg.endswith("PAD") else filled)
    sdk = aes.crypto.encrypt(EncryptionAlgorithm(f"A{aes.size}CBC"), plain, iv=iv)
    cipher = by_block.cbc(aes.block, iv, by_block.zeros(plain))
    assert (sdk.ciphertext, sdk.iv) == (cipher, iv)
    back = aes.crypto.decrypt(EncryptionAlgorithm(f"A{aes.size}CBC"), cipher, iv=iv).plaintext
    assert back == by_block.zeros(plain)


def test_aes_key_wrap_is_what_its_standard_says(aes):
    for plain in (os.urandom(16), os.urandom(32)):
        wrapped = by_block.key_wrap(aes.block, plain)
        for alg in (f"A{aes.size}KW", "CKM_AES_KEY_WRAP"):
            assert aes("wrapkey", alg, value=plain)["value"] == wrapped
            assert aes("unwrapkey", alg, value=wrapped)["value"] == plain
        assert aes("encrypt", "CKM_AES_KEY_WRAP", value=plain)["value"] == wrapped
        # Not with AnnnKW, nor with AnnnCBCPAD above: the SDK computes these itself, with a key that it invents where the
        # service shows none.
        by_sdk = KeyWrapAlgorithm.ckm_aes_key_wrap
        assert aes.crypto.wrap_key(by_sdk, plain).encrypted_key == wrapped
        assert aes.crypto.unwrap_key(by_sdk, wrapped).key == plain
    for plain in (b"x", os.urandom(8), os.urandom(20)):
        wrapped = by_block.key_wrap_padded(aes.block, plain)
        assert aes("wrapkey", "CKM_AES_KEY_WRAP_PAD", value=plain)["value"] == wrapped
        assert aes("unwrapkey", "CKM_AES_KEY_WRAP_PAD", value=wrapped)["value"] == plain


def test_a_wrong_aes_ciphertext_gets_one_answer(aes, vault):
    wrapped = bytearray(aes("wrapkey", "CKM_AES_KEY_WRAP_PAD", value=os.urandom(20))["value"])
    wrapped[3] ^= 1
    bare = f"A{aes.size}CBC"
    unpadded = aes("encrypt", bare, value=b"\0" * 16, iv=by_block.ZERO)["value"]
    said = set()
    for op, alg, members in (
        ("unwrapkey", "CKM_AES_KEY_WRAP_PAD", {"value": bytes(wrapped)}),
        ("unwrapkey", "CKM_AES_KEY_WRAP", {"value": bytes(wrapped)}),
        ("unwrapkey", f"A{aes.size}KW", {"value": b"short"}),
        ("decrypt", bare + "PAD", {"value": unpadded, "iv": by_block.ZERO}),
        ("decrypt", bare + "PAD", {"value": b"no whole block", "iv": by_block.ZERO}),
        ("decrypt", bare, {"value": b"no whole block", "iv": by_block.ZERO}),
        ("decrypt", f"A{aes.size}GCM", {"value": b"x", "iv": os.urandom(12), "tag": os.urandom(16)}),
    ):
        with pytest.raises(HttpResponseError) as refused:
            aes(op, alg, **members)
        assert refused.value.status_code == 400
        said.add(refused.value.error.message)
    assert len(said) == 1, said


@pytest.mark.parametrize("size", [128, 192, 256])
def test_a_symmetric_key_made_for_it_signs_and_verifies(vault, name, size):
    key = vault.keys.create_key(name, "oct", size=size, key_operations=["sign", "verify"])
    other = vault.keys.create_key(name + "-other", "oct", size=size, key_operations=["sign", "verify"])
    for algorithm in ("HS256", "HS384", "HS512"):
        # A token may demand a key as long as the hash.
        lacking = "short HMAC keys" if size < int(algorithm[2:]) else None
        with vault.unless_lacking(lacking, named=algorithm):
            check_mac(vault, key, other, algorithm)


def check_mac(vault, key, other, algorithm):
    of = digest(algorithm=algorithm)
    made = vault.post(f"/keys/{key.name}//sign", {"alg": algorithm, "value": b64(of)})
    assert made["kid"] == key.id and len(unb64(made["value"])) == len(of)

    def verify(who, of=of, tag=made["value"]):
        return vault.post(f"/keys/{who.name}//verify", {"alg": algorithm, "digest": b64(of), "value": tag})["value"]

    by_sdk = vault.crypto(key).sign(SignatureAlgorithm(algorithm), of)
    assert by_sdk.signature == unb64(made["value"])
    assert vault.crypto(key).verify(SignatureAlgorithm(algorithm), of, by_sdk.signature).is_valid
    assert verify(key) is True and verify(other) is False
    assert verify(key, of=digest(b"other", algorithm)) is False
    assert verify(key, tag=b64(unb64(made["value"])[1:])) is False


def test_a_symmetric_key_signs_only_if_that_was_asked_for(vault, name):
    vault.keys.create_key(name, "oct", size=256)
    with pytest.raises(HttpResponseError) as refused:
        vault.post(f"/keys/{name}//sign", {"alg": "HS256", "value": b64(digest())})
    assert refused.value.status_code == 403
