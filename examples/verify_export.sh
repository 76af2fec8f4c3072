#!/bin/sh
# Is this export of a locker whole, and signed by it? With openssl, jq and unzip; no network.
#
#     curl -s https://LOCKER/.well-known/jwks.json > keys.json
#     sh verify_export.sh khizana.zip keys.json
#
# RFC 7515 (JWS), RFC 7518 §3.4 (ES256: R and S, 32 bytes each).
set -eu
keys=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unzip -q "$1" -d "$folder/zip"
cd "$folder"

unbase64url() { tr '_-' '/+' | awk '{ n = length($0) % 4; print $0 substr("===", 1, n ? 4 - n : 0) }' | base64 -d; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

jws=$(cat zip/manifest.jws)
printf '%s' "${jws%.*}" > signed
printf '%s\n' "${jws##*.}" | unbase64url | hex > signature.hex
kid=$(printf '%s\n' "${jws%%.*}" | unbase64url | jq -r 'select(.alg == "ES256" and .typ == "khizana-export+jwt").kid')
point=$(for part in x y; do
    jq -r --arg kid "$kid" ".keys[] | select(.kid == \$kid and .crv == \"P-256\").$part" "$keys" | unbase64url | hex
done)
test -n "$point" || { echo "no key of this list signed it: the list is old, or the key is distrusted" >&2; exit 1; }

# A P-256 key as SubjectPublicKeyInfo, and the signature as DER, which openssl reads.
cat > key.conf <<EOF
asn1=SEQUENCE:spki
[spki]
algorithm=SEQUENCE:algorithm
key=FORMAT:HEX,BITSTRING:04$point
[algorithm]
kind=OID:id-ecPublicKey
curve=OID:prime256v1
EOF
cat > signature.conf <<EOF
asn1=SEQUENCE:rs
[rs]
r=INTEGER:0x$(cut -c1-64 signature.hex)
s=INTEGER:0x$(cut -c65-128 signature.hex)
EOF
for part in key signature; do openssl asn1parse -genconf "$part.conf" -noout -out "$part.der"; done
openssl dgst -sha256 -verify key.der -keyform DER -signature signature.der signed

payload=${jws#*.}
claims=$(printf '%s\n' "${payload%.*}" | unbase64url)
echo "$(printf '%s' "$claims" | jq -r .manifest_sha256)  zip/manifest.json" | sha256sum -c --quiet
(cd zip && jq -r '.files[] | .sha256 + "  " + .name' manifest.json | sha256sum -c --quiet)
listed=$(jq '.files | length' zip/manifest.json)
test "$(find zip -type f | wc -l)" -eq $((listed + 3)) || { echo "there are files that the manifest does not list"; exit 1; }
printf '%s' "$claims" | jq '{iss, sub, export_id, made: (.iat | todate)}'
