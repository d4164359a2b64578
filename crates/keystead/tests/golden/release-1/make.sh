#!/bin/sh
# Makes a release's golden directory anew, in an empty directory: make.sh KEYSTEAD OUT. Needs openssl. A release that is
# kept is never made again; this says how the next one is.
set -eu
keystead=$1 out=$2
mkdir "$out"
cd "$out"
for name in alice bob carol; do
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$name" -days 3650 -keyout "$name.key.pem" -out "$name.pem" 2> /dev/null
  chmod 600 "$name.key.pem"
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
  -days 2 -keyout tls.key -out tls.pem 2> /dev/null
chmod 600 tls.key
cat > policy.toml <<'END'
[[administrators]]
issuer = "built-in"
subject = "golden"

[[clients]]
id = "golden"
name = "golden"
subject = "golden"
# SHA-256 of "golden-secret"
secrets = ["SECRET"]

[[assignments]]
scope = "/"
role = "Key Vault Crypto Officer"
principal = { issuer = "built-in", subject = "golden" }
END
sed -i "s/SECRET/$(printf %s golden-secret | openssl dgst -sha256 -r | cut -d' ' -f1)/" policy.toml
cat > serve.toml <<END
[node]
data = "$PWD/data"
[listen]
tls = ["127.0.0.1:18443"]
certificate = "$PWD/tls.pem"
private_key = "$PWD/tls.key"
[backup]
directory = "$PWD/backups"
END
"$keystead" serve --config serve.toml 2> serve.log &
server=$!
trap "kill $server 2> /dev/null" EXIT
until [ -S data/operator.sock ]; do sleep 0.1; done
operator() { word=$1; shift; "$keystead" "$word" --socket data/operator.sock "$@"; }
operator vault create golden --custody quorum --retention 7 --authority golden.example --authority localhost:18443
operator vault offer golden --out offer.json > offer.txt
node=$(sed -n '2s/^ *//p' offer.txt)
"$keystead" domain new --custodian alice.pem --custodian bob.pem --custodian carol.pem --quorum 2 \
  --transfer-key offer.json --policy policy.toml --node "$node" --out domain
operator vault activate golden --domain domain
words=$("$keystead" domain show domain | sed -n 's/^words *//p')
"$keystead" custodian confirm --record domain --domain domain --key alice.key.pem --words "$words" --out confirmation.json
operator vault confirm golden --confirmation confirmation.json
export KEYSTEAD_VAULT_URL=https://localhost:18443 AZURE_AUTHORITY_HOST=https://localhost:18443 AZURE_TENANT_ID=adfs \
  KEYSTEAD_CA_FILE=tls.pem AZURE_CLIENT_ID=golden AZURE_CLIENT_SECRET=golden-secret
"$keystead" key create sign --kty EC
"$keystead" key create sign --kty EC
"$keystead" key create rsa --kty RSA --size 2048
"$keystead" key create gone --kty EC
"$keystead" key delete gone
"$keystead" key show sign --output json > sign.json
"$keystead" backup start
"$keystead" backup inventory --out inventory.json
trap - EXIT
kill "$server"
wait "$server"
mv backups/backups/*/vault.ksbackup vault.ksbackup
# The journal is mostly holes: as an archive it is small.
tar --exclude=spare --exclude=lock --exclude=operator.sock -czf data.tar.gz data
rm -r backups data tls.key tls.pem serve.toml serve.log offer.json offer.txt policy.toml domain/transfer.json alice.pem \
  bob.pem carol.pem confirmation.json
