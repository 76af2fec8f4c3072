// Profile `wallet`: an app on a citizen's device. It has no secret; PKCE guards the code, and DPoP binds the tokens to a
// key that never leaves the device.
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'
import { answerAt } from './callback.mjs'

const issuer = new URL(process.env.ISSUER ?? 'http://localhost:8000/idp')
const redirectUri = process.env.REDIRECT_URI ?? 'http://127.0.0.1:9101/callback'

if (process.argv[2] === 'register') {
  console.log(JSON.stringify({
    profile: 'wallet',
    sector: 'wallet.example',
    client_name: 'Example wallet',
    application_type: 'native',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    scope: 'openid profile offline_access',
  }, null, 2))
  process.exit()
}

const { client_id } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const config = await client.discovery(issuer, client_id, { id_token_signed_response_alg: 'ES256' }, client.None(), {
  // Only for http://localhost, where you try things out.
  execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [],
})
// On a phone this pair is made once, in the secure element, and kept there.
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const expectedNonce = client.randomNonce()
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: 'openid profile offline_access',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
  // The code is then good for this key alone (RFC 9449 §10).
  dpop_jkt: await DPoP.calculateThumbprint(),
})
const answered = answerAt(redirectUri)
console.log(`Open this address in a browser:\n\n  ${address}\n`)

// Checks state, iss (RFC 9207), then exchanges the code and verifies the ID token with its nonce.
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, await answered, checks, undefined, { DPoP })
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })

// Keep the new refresh token: those of a wallet are good once.
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
console.log(JSON.stringify({ token_type: tokens.token_type, claims, userinfo, rotated: refreshed.refresh_token !== tokens.refresh_token }, null, 2))
