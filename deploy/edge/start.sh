#!/bin/sh
# Starts the edge with its configuration filled in. Each value is an environment variable KHIZANA_EDGE_NAME:
# hosts, where the apps listen, where to listen, the certificate, and how much one address may ask.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
run=${KHIZANA_EDGE_RUN:-/tmp/khizana-edge}
mkdir -p "$run"
filled="$run/nginx.conf"
cp "$here/nginx.conf" "$filled.new"

fill() {
    case $2 in *[!A-Za-z0-9_./:\[\]-]* | "") echo "KHIZANA_EDGE_$1: this value cannot stand in nginx.conf" >&2; exit 1 ;; esac
    sed "s|@$1@|$2|g" "$filled.new" > "$filled.part"
    mv "$filled.part" "$filled.new"
}
fill HERE "$here"
fill RUN "$run"
fill MODULES "${KHIZANA_EDGE_MODULES:-/usr/lib/nginx/modules}"
fill IDP_HOST "${KHIZANA_EDGE_IDP_HOST:-id.khizana.test}"
fill MTLS_HOST "${KHIZANA_EDGE_MTLS_HOST:-mtls.khizana.test}"
fill LOCKER_HOST "${KHIZANA_EDGE_LOCKER_HOST:-locker.khizana.test}"
fill IDP "${KHIZANA_EDGE_IDP:-idp:8000}"
fill LOCKER "${KHIZANA_EDGE_LOCKER:-locker:8000}"
fill HTTPS "${KHIZANA_EDGE_HTTPS:-443}"
fill HTTP "${KHIZANA_EDGE_HTTP:-80}"
fill CERTIFICATE "${KHIZANA_EDGE_CERTIFICATE:-/run/secrets/edge_certificate}"
fill KEY "${KHIZANA_EDGE_KEY:-/run/secrets/edge_key}"
fill CONNECTIONS_MAX "${KHIZANA_EDGE_CONNECTIONS_MAX:-4096}"
# One address may be a whole operator's customers behind one translation.
fill CONNECTIONS_PER_ADDRESS "${KHIZANA_EDGE_CONNECTIONS_PER_ADDRESS:-256}"
fill REQUESTS_PER_S "${KHIZANA_EDGE_REQUESTS_PER_S:-100}"
fill REQUESTS_BURST "${KHIZANA_EDGE_REQUESTS_BURST:-400}"
fill HEAD_MAX_S "${KHIZANA_EDGE_HEAD_MAX_S:-8}"
fill BODY_MAX_S "${KHIZANA_EDGE_BODY_MAX_S:-8}"
fill ANSWER_MAX_S "${KHIZANA_EDGE_ANSWER_MAX_S:-15}"
mv "$filled.new" "$filled"
exec nginx -e stderr -p "$run" -c "$filled" -g "daemon off;" "$@"
