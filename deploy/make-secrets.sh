#!/bin/sh
# Makes what compose.yaml needs and nobody else may know; keeps what is there. The certificates are for a try on one
# machine: a real deployment puts its own edge.pem, edge.key and ca.pem here.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
cd secrets

once() { [ -s "$1" ] || { "$2" "$1" > "$1.new" && mv "$1.new" "$1"; }; }
secret() { openssl rand -hex 32; }
short_secret() { openssl rand -hex 10; }
url() {
    role=${1%_database_url}
    echo "postgresql://$role:$(openssl rand -hex 24)@postgres:5432/khizana"
}

for name in postgres_password idp_secret locker_secret s3_secret_key; do once "$name" secret; done
once s3_access_key short_secret
for role in owner idp locker; do once "${role}_database_url" url; done

if [ ! -s edge.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=Khizana test CA" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=khizana.test" \
        -keyout edge.key -out edge.csr 2>/dev/null
    printf '%s\n' "subjectAltName=DNS:id.khizana.test,DNS:mtls.khizana.test,DNS:locker.khizana.test" "extendedKeyUsage=serverAuth" \
        "basicConstraints=critical,CA:FALSE" > edge.ext
    openssl x509 -req -in edge.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile edge.ext \
        -out edge.pem 2>/dev/null
    rm -f edge.csr edge.ext ca.srl
fi
# The containers' users are not ours: Compose hands files over with the modes that they have here.
chmod 0711 .
chmod 0444 ./*
chmod 0400 ca.key
echo "made $(ls | wc -l) files in $(pwd)"
