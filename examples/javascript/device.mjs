// The device grant (RFC 8628), for what has no browser: a counter, a television. Here a public client (profile `wallet`).
import { readFile } from 'node:fs/promises'
import * as client from 'openid-client'

const issuer = new URL(process.env.ISSUER ?? 'http://localhost:8000/idp')

if (process.argv[2] === 'register') {
  console.log(JSON.stringify({
    profile: 'wallet',
    sector: 'television.example',
    client_name: 'Example television',
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
    scope: 'openid profile',
  }, null, 2))
  process.exit()
}

const { client_id } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const config = await client.discovery(issuer, client_id, { id_token_signed_response_alg: 'ES256' }, client.None(), {
  // Only for http://localhost, where you try things out.
  execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [],
})
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const device = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
console.log(`Open ${device.verification_uri} on your telephone and type\n\n  ${device.user_code}\n`)

// Asks now and then, as slowly as the provider wishes, until the citizen has answered.
const tokens = await client.pollDeviceAuthorizationGrant(config, device, undefined, { DPoP })
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })
console.log(JSON.stringify({ token_type: tokens.token_type, claims, userinfo }, null, 2))
