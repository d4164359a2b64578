#!/bin/sh
# Makes the directory of a release whose layouts are new, beside the others: make.sh KEYSTEAD OUT. Needs openssl and
# SoftHSM2. What is kept of a release is never made again.
set -eu
keystead=$1 out=$2 port=18477
module=${KEYSTEAD_SOFTHSM2:-/usr/lib/softhsm/libsofthsm2.so}
mkdir "$out"
cd "$out"
for name in alice bob carol; do
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$name" -days 3650 \
    -keyout "$name.key.pem" -out "$name.pem" 2> /dev/null
done
openssl genpkey -algorithm ed25519 -out approver.key.pem
openssl pkey -in approver.key.pem -pubout -out approver.pub.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
  -keyout tls.key -out tls.pem 2> /dev/null
chmod 600 ./*.key.pem tls.key

# A token with the PIN of the tests.
mkdir -p token/tokens
printf %s 7531-user > token/pin
chmod 600 token/pin
printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$PWD/token/tokens" > token/token.conf
SOFTHSM2_CONF=$PWD/token/token.conf softhsm2-util --init-token --free --label golden --so-pin 8642-officer \
  --pin 7531-user > /dev/null

cat > policy.toml << END
[[administrators]]
issuer = "built-in"
subject = "golden"

[[clients]]
id = "golden"
name = "golden"
subject = "golden"
# SHA-256 of "golden-secret"
secrets = ["$(printf %s golden-secret | openssl dgst -sha256 -r | cut -d' ' -f1)"]

[[assignments]]
scope = "/"
role = "Key Vault Crypto Officer"
principal = { issuer = "built-in", subject = "golden" }

[[approvers]]
name = "approver"
key = """
$(cat approver.pub.pem)
"""

[approvals]
purge = 1
END
cat > serve.toml << END
[node]
data = "$PWD/data"
[listen]
tls = ["127.0.0.1:$port"]
certificate = "$PWD/tls.pem"
private_key = "$PWD/tls.key"
[backup]
directory = "$PWD/backups"
[[hsm]]
name = "golden"
module = "$module"
label = "golden"
pin_file = "$PWD/token/pin"
placement = "wrapped"
environment = { SOFTHSM2_CONF = "$PWD/token/token.conf" }
END
"$keystead" serve --config serve.toml 2> serve.log &
server=$!
trap 'kill $server 2> /dev/null' EXIT
until [ -S data/operator.sock ]; do
  kill -0 $server
  sleep 0.1
done
operator() { word=$1; shift; "$keystead" "$word" --socket data/operator.sock "$@"; }

# A vault: its name, kind and address, the directory of its domain, its token. Two of three confirm it.
vault() {
  name=$1 kind=$2 address=$3 domain=$4
  shift 4
  operator vault create "$name" --custody quorum --kind "$kind" --retention 7 \
    --authority "$name.example" --authority "$address"
  operator vault offer "$name" --out "$domain.offer.json" > "$domain.offer.txt"
  node=$(sed -n '2s/^ *//p' "$domain.offer.txt")
  "$keystead" domain new --custodian alice.pem --custodian bob.pem --custodian carol.pem --quorum 2 \
    --transfer-key "$domain.offer.json" --policy policy.toml --node "$node" --out "$domain"
  operator vault activate "$name" --domain "$domain" "$@"
  words=$("$keystead" domain show "$domain" | sed -n 's/^words *//p')
  for custodian in alice bob; do
    confirmation=$domain/$custodian.confirmation.json
    "$keystead" custodian confirm --record "$domain" --domain "$domain" --key "$custodian.key.pem" --words "$words" \
      --out "$confirmation"
    operator vault confirm "$name" --confirmation "$confirmation"
  done
  rm "$domain/transfer.json"
}
export AZURE_TENANT_ID=adfs KEYSTEAD_CA_FILE=tls.pem AZURE_CLIENT_ID=golden AZURE_CLIENT_SECRET=golden-secret
at() { export KEYSTEAD_VAULT_URL="https://$1" AZURE_AUTHORITY_HOST="https://$1"; }
# What its customer keeps of a vault besides.
kept() {
  "$keystead" backup start
  mv backups/backups/*/vault.ksbackup "$1/vault.ksbackup"
  "$keystead" backup inventory --backup "$1/vault.ksbackup" --out "$1/inventory.json"
  rm -r backups/backups
}

vault golden vault "localhost:$port" domain
at "localhost:$port"
"$keystead" key create sign --kty EC
"$keystead" key create sign --kty EC
"$keystead" key create rsa --kty RSA --size 2048
"$keystead" key create gone --kty EC
"$keystead" key delete gone
"$keystead" key create purged --kty EC
"$keystead" key delete purged
"$keystead" key purge purged --yes --propose 'it was replaced' > proposed.txt
id=$(grep -oE '[0-9a-f]{32}' proposed.txt | head -n 1)
"$keystead" approval approve "$id" --key approver.key.pem --yes
"$keystead" key purge purged --yes
"$keystead" approval show "$id" --out proposal.json
"$keystead" approval show "$id" --text approve > proposal.txt
"$keystead" key show sign --output json > domain/sign.json
kept domain

vault golden-hsm hsm "127.0.0.1:$port" domain-hsm --hsm golden
at "127.0.0.1:$port"
"$keystead" key create sign --kty EC --hsm
"$keystead" key create rsa --kty RSA --hsm --size 2048
"$keystead" key create seal --kty oct --hsm --size 256
"$keystead" key show sign --output json > domain-hsm/sign.json
kept domain-hsm

trap - EXIT
kill "$server"
wait "$server"
# The journal is mostly holes: as an archive it is small.
tar --exclude=spare --exclude=lock --exclude=operator.sock -czf data.tar.gz data
tar -czf token.tar.gz -C token tokens
rm -r data token backups tls.key tls.pem serve.toml serve.log proposed.txt ./*.offer.json \
  ./*.offer.txt alice.pem bob.pem carol.pem
