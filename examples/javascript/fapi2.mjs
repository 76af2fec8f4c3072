// Profile `fapi2` (FAPI 2.0 Security Profile): the request is pushed, the client proves itself with its key, and the
// tokens are bound to a second key.
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'
import { answerAt } from './callback.mjs'
import { signingKey } from './keys.mjs'

const issuer = new URL(process.env.ISSUER ?? 'http://localhost:8000/idp')
const redirectUri = process.env.REDIRECT_URI ?? 'http://localhost:9102/callback'
const { privateKey, jwks } = await signingKey(process.env.KEY_FILE ?? 'fapi2.key.json')

if (process.argv[2] === 'register') {
  console.log(JSON.stringify({
    profile: 'fapi2',
    sector: 'bank.example',
    client_name: 'Example bank',
    purpose: 'To open an account in your name',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'private_key_jwt',
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'openid profile email',
    jwks,
  }, null, 2))
  process.exit()
}

const { client_id } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const config = await client.discovery(
  issuer, client_id, { id_token_signed_response_alg: 'ES256' }, client.PrivateKeyJwt(privateKey),
  // Only for http://localhost, where you try things out.
  { execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [] },
)
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const expectedNonce = client.randomNonce()
// POST to the PAR endpoint; the browser then carries a reference that is good once, for 90 seconds.
const address = await client.buildAuthorizationUrlWithPAR(config, {
  redirect_uri: redirectUri,
  scope: 'openid profile email',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
}, { DPoP })
const answered = answerAt(redirectUri)
console.log(`Open this address in a browser:\n\n  ${address}\n`)

const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, await answered, checks, undefined, { DPoP })
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })

// The refresh token of a client with a key of its own stays the same: an answer that got lost locks nobody out.
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
await client.tokenRevocation(config, tokens.refresh_token)
console.log(JSON.stringify({
  token_type: tokens.token_type,
  claims,
  userinfo,
  rotated: refreshed.refresh_token !== undefined && refreshed.refresh_token !== tokens.refresh_token,
}, null, 2))
