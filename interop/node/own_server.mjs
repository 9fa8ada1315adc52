// A relying party built on openid-client that has a server of its own: there it publishes its keys (`jwks_uri`) and
// its request (`request_uri`), which it signs and, with jose, encrypts to the provider. It authenticates by
// `private_key_jwt`, and its id tokens, userinfo and introspections are encrypted to it.
//
//   node own_server.mjs '{"issuer": …, "client_id": …, "redirect_uri": …, "scope": …, "username": …, "password": …,
//                         "port": …, "alg": "RSA-OAEP-256", "enc": "A256GCM"}'
//
// The library decrypts, and verifies signatures, since it is told to. Prints what was seen, as relying_party.mjs does.

import { createServer } from 'node:http'

import * as jose from 'jose'
import * as client from 'openid-client'

import { codeRequest, discover, expect, report } from './openid.mjs'
import { Person } from './person.mjs'

await report(run)

async function run(told) {
  const seen = { library: 'openid-client', steps: [] }
  const [signing, decryption] = await Promise.all([keyPair('ES256', 'sig'), keyPair(told.alg, 'enc')])
  const documents = { '/keys': JSON.stringify({ keys: [signing.jwk, decryption.jwk] }) }
  const server = await serve(told.port, documents, seen)
  try {
    return await walk(told, seen, signing, decryption, documents)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function walk(told, seen, signing, decryption, documents) {
  const privateKey = { key: signing.privateKey, kid: signing.jwk.kid }
  const config = await discover(told, seen, {
    authentication: client.PrivateKeyJwt(privateKey),
    metadata: {
      id_token_signed_response_alg: 'ES256',
      userinfo_signed_response_alg: 'ES256',
      introspection_signed_response_alg: 'ES256',
    },
  })
  const opened = { key: decryption.privateKey, alg: told.alg, kid: decryption.jwk.kid }
  client.enableDecryptingResponses(config, [told.enc], opened)
  client.enableNonRepudiationChecks(config)

  const { request, checks } = await codeRequest(told)
  const withJar = await client.buildAuthorizationUrlWithJAR(config, request, privateKey)
  documents['/request.jwt'] = await encrypt(withJar.searchParams.get('request'), told, config)
  const url = new URL(withJar.origin + withJar.pathname)
  url.searchParams.set('client_id', told.client_id)
  url.searchParams.set('request_uri', `http://127.0.0.1:${told.port}/request.jwt`)
  const person = new Person(told.username, told.password)
  const walked = await person.walk(url, told.redirect_uri)
  seen.steps.push('request')

  const tokens = await client.authorizationCodeGrant(config, walked.url, checks)
  expect(tokens.id_token.split('.').length === 5, 'the id token is not encrypted')
  seen.sub = tokens.claims().sub
  seen.steps.push('code')
  seen.userinfo = await client.fetchUserInfo(config, tokens.access_token, seen.sub)
  seen.steps.push('userinfo')
  seen.introspection = await client.tokenIntrospection(config, tokens.access_token)
  seen.steps.push('introspection')
  return seen
}

/// What only the provider can read.
async function encrypt(jwt, told, config) {
  const answer = await fetch(config.serverMetadata().jwks_uri)
  const { keys } = await answer.json()
  const kty = told.alg.startsWith('RSA') ? 'RSA' : 'EC'
  const jwk = keys.find((key) => key.use === 'enc' && key.kty === kty)
  const key = await jose.importJWK(jwk, told.alg)
  return new jose.CompactEncrypt(new TextEncoder().encode(jwt))
    .setProtectedHeader({ alg: told.alg, enc: told.enc, kid: jwk.kid, cty: 'oauth-authz-req+jwt' })
    .encrypt(key)
}

async function keyPair(alg, use) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  return { privateKey, jwk: { ...(await jose.exportJWK(publicKey)), kid: `${use}-1`, use, alg } }
}

async function serve(port, documents, seen) {
  seen.asked = []
  const server = createServer((request, response) => {
    seen.asked.push(request.url)
    const document = documents[request.url]
    response.statusCode = document === undefined ? 404 : 200
    response.end(document)
  })
  await new Promise((listening) => server.listen(port, '127.0.0.1', listening))
  return server
}
