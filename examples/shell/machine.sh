#!/usr/bin/env bash
# Profile `machine`: an administration's back end, with nothing but curl and openssl.
#
#   machine.sh register                     prints the registration; makes the key at the first call
#   machine.sh client.json SCOPE            prints the token response
#   machine.sh client.json resolve UID      asks for a citizen's identifier in our sector, with that token
set -euo pipefail

issuer=${ISSUER:-http://localhost:8000/idp}
key=${KEY_FILE:-machine.key.pem}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

b64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# member NAME: a member of the flat JSON on standard input; no value of the protocol has a quote in it.
member() { tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"; }

if [ ! -e "$key" ]; then
  (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$key")
fi
# The public key in DER ends with the point: 32 bytes of x, 32 bytes of y.
openssl ec -in "$key" -pubout -outform DER -out "$work/public.der" 2>/dev/null
x=$(tail -c 64 "$work/public.der" | head -c 32 | b64url)
y=$(tail -c 32 "$work/public.der" | b64url)
kid=$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" | openssl dgst -sha256 -binary | b64url) # RFC 7638

# jws HEADER CLAIMS: compact, ES256. openssl writes an ASN.1 pair of integers; JOSE wants r and s in 32 bytes each
# (RFC 7518 §3.4).
jws() {
  local signed r s
  signed="$(printf '%s' "$1" | b64url).$(printf '%s' "$2" | b64url)"
  printf '%s' "$signed" | openssl dgst -sha256 -sign "$key" -out "$work/signature.der"
  read -r r s < <(openssl asn1parse -inform DER -in "$work/signature.der" | sed -n 's/.*INTEGER *:\(.*\)/\1/p' | xargs)
  printf -v r '%64s' "$r"; printf -v s '%64s' "$s"
  printf '%s.' "$signed"
  # shellcheck disable=SC2059 # the format is the bytes
  printf "$(printf '%s%s' "$r" "$s" | tr ' ' '0' | sed 's/../\\x&/g')" | b64url
}

# proof METHOD URL NONCE [TOKEN]: DPoP (RFC 9449 §4.2), for one request.
proof() {
  local claims
  claims="\"jti\":\"$(openssl rand -hex 16)\",\"htm\":\"$1\",\"htu\":\"$2\",\"iat\":$(date +%s)"
  [ -z "$3" ] || claims="$claims,\"nonce\":\"$3\""
  [ -z "${4:-}" ] || claims="$claims,\"ath\":\"$(printf '%s' "$4" | openssl dgst -sha256 -binary | b64url)\""
  jws "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$x\",\"y\":\"$y\"}}" "{$claims}"
}

# private_key_jwt (RFC 7523 §2.2): the audience is the issuer; each assertion is good once.
assertion() {
  jws "{\"alg\":\"ES256\",\"kid\":\"$kid\"}" "{\"iss\":\"$client_id\",\"sub\":\"$client_id\",\"aud\":\"$issuer\",\
\"jti\":\"$(openssl rand -hex 16)\",\"iat\":$(date +%s),\"exp\":$(($(date +%s) + 60))}"
}

# post URL TOKEN curl-arguments…: with a proof. It fails where the other side asks for its nonce in the proof, which is
# then kept for the next try (RFC 9449 §8).
nonce=''
post() {
  local url=$1 token=$2
  shift 2
  curl --silent --show-error --dump-header "$work/headers" --output "$work/answer" "$@" \
    --header "DPoP: $(proof POST "$url" "$nonce" "$token")" ${token:+--header "Authorization: DPoP $token"} "$url"
  nonce=$(tr -d '\r' < "$work/headers" | sed -n 's/^[Dd][Pp][Oo][Pp]-[Nn]once: //p')
  ! grep -q use_dpop_nonce "$work/headers" "$work/answer" || return 1
  cat "$work/answer"
}

token() {
  post "$issuer/token" '' --data-urlencode grant_type=client_credentials --data-urlencode "scope=$1" \
    --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode "client_assertion=$(assertion)"
}

resolve() {
  post "$issuer/subjects/resolve" "$1" --header 'Content-Type: application/json' --data "{\"uid\": \"$2\"}"
}

if [ "$1" = register ]; then
  cat <<JSON
{
  "profile": "machine",
  "sector": "registry.example",
  "client_name": "Example registry",
  "legal_ground": "Law 00-00, article 0",
  "token_endpoint_auth_method": "private_key_jwt",
  "scope": "subjects:resolve",
  "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "$x", "y": "$y", "kid": "$kid", "use": "sig", "alg": "ES256"}]}
}
JSON
  exit
fi

client_id=$(member client_id < "$1")
if [ "$2" = resolve ]; then
  access_token=$( (token subjects:resolve || token subjects:resolve) | member access_token)
  resolve "$access_token" "$3" || resolve "$access_token" "$3"
else
  token "$2" || token "$2"
fi
