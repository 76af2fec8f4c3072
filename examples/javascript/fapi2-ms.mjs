// Profile `fapi2-ms` (FAPI 2.0 Message Signing): as fapi2, and both the request (JAR) and its answer (JARM) are signed, so
// that each side can show later what the other one said.
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'
import { answerAt } from './callback.mjs'
import { signingKey } from './keys.mjs'

const issuer = new URL(process.env.ISSUER ?? 'http://localhost:8000/idp')
const redirectUri = process.env.REDIRECT_URI ?? 'http://localhost:9103/callback'
const { privateKey, jwks } = await signingKey(process.env.KEY_FILE ?? 'fapi2-ms.key.json')

if (process.argv[2] === 'register') {
  console.log(JSON.stringify({
    profile: 'fapi2-ms',
    sector: 'notary.example',
    client_name: 'Example notary',
    purpose: 'To draw up a deed with you',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'private_key_jwt',
    request_object_signing_alg: 'ES256',
    authorization_signed_response_alg: 'ES256',
    scope: 'openid profile',
    jwks,
  }, null, 2))
  process.exit()
}

const { client_id } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const metadata = { id_token_signed_response_alg: 'ES256', authorization_signed_response_alg: 'ES256' }
const config = await client.discovery(issuer, client_id, metadata, client.PrivateKeyJwt(privateKey), {
  // allowInsecureRequests only for http://localhost, where you try things out.
  execute: [client.useJwtResponseMode, ...(issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [])],
})
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const expectedNonce = client.randomNonce()
// The parameters are put into a signed object (RFC 9101) …
const signed = await client.buildAuthorizationUrlWithJAR(config, {
  redirect_uri: redirectUri,
  scope: 'openid profile',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
}, privateKey)
// … and the object is pushed (RFC 9126 §3).
const request = signed.searchParams.get('request')
const address = await client.buildAuthorizationUrlWithPAR(config, { request }, { DPoP })
const answered = answerAt(redirectUri)
console.log(`Open this address in a browser:\n\n  ${address}\n`)

// `response` in the answer is a JWT of the provider's: its signature, iss, aud and exp are checked first.
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, await answered, checks, undefined, { DPoP })
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })
console.log(JSON.stringify({ token_type: tokens.token_type, claims, userinfo }, null, 2))
