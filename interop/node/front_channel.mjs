// A relying party built on openid-client that takes id tokens from the front channel: `code id_token` and `id_token`.
//
//   node front_channel.mjs '{"issuer": …, "client_id": …, "client_secret": …, "redirect_uri": …,
//                            "scope": …, "username": …, "password": …}'
//
// The library checks signature, iss, aud, nonce, state and c_hash. Prints what was seen, as relying_party.mjs does.

import * as client from 'openid-client'

import { discover, expect, report } from './openid.mjs'
import { Person } from './person.mjs'

await report(run)

async function run(told) {
  const seen = { library: 'openid-client', steps: [] }
  const person = new Person(told.username, told.password)
  await hybrid(told, person, seen)
  await implicit(told, person, seen)
  return seen
}

async function hybrid(told, person, seen) {
  const config = await discover(told, seen)
  client.useCodeIdTokenResponseType(config)
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const { url, state, nonce } = await ask(config, told, person, {
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const tokens = await client.authorizationCodeGrant(config, url, {
    pkceCodeVerifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
  seen.hybrid = tokens.claims().sub
  seen.userinfo = await client.fetchUserInfo(config, tokens.access_token, seen.hybrid)
  seen.steps.push('hybrid')
}

async function implicit(told, person, seen) {
  const config = await discover(told, seen)
  client.useIdTokenResponseType(config)
  const { url, state, nonce } = await ask(config, told, person, {})
  seen.implicit = await client.implicitAuthentication(config, url, nonce, { expectedState: state })
  seen.steps.push('implicit')
}

async function ask(config, told, person, parameters) {
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const request = { redirect_uri: told.redirect_uri, scope: told.scope, state, nonce, ...parameters }
  const { url } = await person.walk(client.buildAuthorizationUrl(config, request), told.redirect_uri)
  expect(url.search === '', `the query of the answer is ${url.search}`)
  return { url, state, nonce }
}
