"""`az keyvault security-domain restore-blob`, which works offline: it opens a domain that `keystead` made."""

import json

from customer import Customer
from security_domain import open_datum, open_with, share_of, unwrap


def test_az_opens_a_domain_that_keystead_made_and_sends_it_on(tmp_path, fresh):
    customer = Customer(tmp_path)
    made = customer.new_domain(2)
    # The first of the two is encrypted.
    keys = [customer.custodians[at] for at in (3, 0)]
    blob = tmp_path / "blob.json"
    fresh(
        "keyvault", "security-domain", "restore-blob", "--sd-file", tmp_path / "made/security-domain.json",
        "--sd-exchange-key", customer.transfer.pem, "--sd-wrapping-keys", *(key.key_pem for key in keys),
        "--passwords", "correct horse", "--sd-file-restore-blob", blob,
    )  # fmt: skip
    sent = json.loads(blob.read_bytes())
    master = unwrap(customer.transfer.key, sent["WrappedKey"])
    [datum] = sent["EncData"]["data"]
    shares = [share_of(made, owner.certificate, owner.key) for owner in customer.custodians[:2]]
    assert (datum["tag"], open_datum(master, datum)) == ("keystead_domain", open_with(made, shares)["keystead_domain"])
