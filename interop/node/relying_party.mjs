// A relying party built on openid-client, which is certified and not ours, against a real provider.
//
//   node relying_party.mjs '{"issuer": …, "client_id": …, "client_secret": …, "redirect_uri": …,
//                            "scope": …, "username": …, "password": …, "post_logout_redirect_uri": …}'
//
// Prints one JSON object of what was seen and ends with 0; anything wrong goes to standard error, and
// it ends with 1. Without a client_secret the client is public. Nothing listens at the redirect URIs:
// the walk ends when the provider redirects there.

import { createHash } from 'node:crypto'

import * as client from 'openid-client'

import { codeRequest, discover, expect, explain, report } from './openid.mjs'
import { Person } from './person.mjs'

await report(run)

async function run(told) {
  const seen = { library: 'openid-client', steps: [] }
  const config = await discover(told, seen)
  const person = new Person(told.username, told.password)

  const tokens = await authorize(config, told, person, seen)
  await userinfo(config, tokens, seen)
  const current = await refresh(config, told, tokens, seen)
  await introspect(config, told, current, seen)
  await revoke(config, told, current, seen)
  await logout(config, told, tokens, person, seen)
  return seen
}

/// Authorization code with PKCE, state and nonce. The library checks state, `iss` of the response, and
/// the ID token's signature, iss, aud, exp and nonce; `at_hash` it leaves to us.
async function authorize(config, told, person, seen) {
  const { request: parameters, checks } = await codeRequest(told)
  // OpenID Connect Core §11: offline access needs consent to be asked for.
  if (told.scope.split(' ').includes('offline_access')) parameters.prompt = 'consent'
  const { url, pages } = await person.walk(
    client.buildAuthorizationUrl(config, parameters),
    told.redirect_uri,
  )
  seen.pages = pages
  seen.steps.push(...pages, 'authorization')

  if (config.serverMetadata().authorization_response_iss_parameter_supported) {
    expect(url.searchParams.get('iss') === seen.issuer, 'the authorization response names another issuer')
  }
  const tokens = await client.authorizationCodeGrant(config, url, checks)
  seen.id_token = tokens.claims()
  seen.sub = seen.id_token.sub
  seen.scope = tokens.scope ?? told.scope
  seen.at_hash_present = seen.id_token.at_hash !== undefined
  if (seen.at_hash_present) {
    const expected = atHash(tokens.id_token, tokens.access_token)
    expect(seen.id_token.at_hash === expected, 'at_hash does not fit the access token')
  }
  seen.steps.push('code')
  return tokens
}

async function userinfo(config, tokens, seen) {
  seen.userinfo = await client.fetchUserInfo(config, tokens.access_token, seen.sub)
  seen.steps.push('userinfo')
}

async function refresh(config, told, tokens, seen) {
  if (tokens.refresh_token === undefined) {
    const asked = told.scope.split(' ').includes('offline_access')
    expect(!asked, 'offline_access was asked for and accepted, but no refresh token came')
    return tokens
  }
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token)
  expect(renewed.access_token !== tokens.access_token, 'the refreshed access token is the old one')
  if (renewed.id_token !== undefined) {
    expect(renewed.claims().sub === seen.sub, 'the refreshed ID token is about somebody else')
  }
  seen.refresh_token_rotated =
    renewed.refresh_token !== undefined && renewed.refresh_token !== tokens.refresh_token
  seen.steps.push('refresh')
  return { ...renewed, refresh_token: renewed.refresh_token ?? tokens.refresh_token }
}

/// A public client cannot authenticate, so RFC 7662 §2.1 gives it no introspection.
async function introspect(config, told, tokens, seen) {
  if (told.client_secret === undefined) return
  const active = await client.tokenIntrospection(config, tokens.access_token)
  expect(active.active === true, 'a fresh access token is said to be inactive')
  expect(active.sub === undefined || active.sub === seen.sub, 'introspection names another subject')
  seen.introspection = active
  seen.steps.push('introspection')
}

async function revoke(config, told, tokens, seen) {
  await client.tokenRevocation(config, tokens.access_token, { token_type_hint: 'access_token' })
  await mustBeInactive(config, told, tokens.access_token, 'access token')
  if (tokens.refresh_token !== undefined) {
    await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' })
    await mustBeInactive(config, told, tokens.refresh_token, 'refresh token')
    await mustNotRefresh(config, tokens.refresh_token)
  }
  seen.steps.push('revocation')
  if (told.client_secret !== undefined) seen.steps.push('inactive')
}

async function mustBeInactive(config, told, token, what) {
  if (told.client_secret === undefined) return
  const answer = await client.tokenIntrospection(config, token)
  expect(answer.active === false, `the revoked ${what} is still active`)
}

async function mustNotRefresh(config, token) {
  try {
    await client.refreshTokenGrant(config, token)
  } catch (error) {
    expect(error.error === 'invalid_grant', `a revoked refresh token answers ${explain(error)}`)
    return
  }
  throw new Error('a revoked refresh token was accepted')
}

async function logout(config, told, tokens, person, seen) {
  if (told.post_logout_redirect_uri === undefined) return
  const state = client.randomState()
  const url = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: told.post_logout_redirect_uri,
    state,
  })
  const { url: end, pages } = await person.walk(url, told.post_logout_redirect_uri)
  expect(end.searchParams.get('state') === state, 'state did not come back from the logout')
  seen.pages.push(...pages)
  seen.steps.push('logout')
}

/// OpenID Connect Core §3.1.3.6: the left half of the hash that belongs to the signature algorithm.
function atHash(idToken, accessToken) {
  const header = JSON.parse(Buffer.from(idToken.split('.')[0], 'base64url'))
  const size = header.alg === 'EdDSA' || header.alg === 'Ed25519' ? '512' : header.alg.slice(-3)
  const hash = createHash(`sha${size}`).update(accessToken, 'ascii').digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}
