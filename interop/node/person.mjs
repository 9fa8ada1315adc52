// A person in front of a browser without JavaScript: follows redirects, signs in, consents, signs out.

import { Cookies } from './cookies.mjs'
import { formWith, forms, hidden, values } from './forms.mjs'

const MOST_STEPS = 30

export class Person {
  #cookies = new Cookies()
  #username
  #password

  constructor(username, password) {
    this.#username = username
    this.#password = password
  }

  /// Goes from `start` until the provider redirects to `end`. Returns that URL and the pages met.
  async walk(start, end) {
    const pages = []
    let request = { url: new URL(start) }
    for (let step = 0; step < MOST_STEPS; step++) {
      if (isAt(request.url, end)) return { url: request.url, pages }
      const response = await this.#send(request)
      request = redirect(response, request.url) ?? (await this.#answer(response, request.url, pages))
    }
    throw new Error(`not at ${end} after ${MOST_STEPS} requests; pages met: ${pages.join(', ')}`)
  }

  async #send({ url, body }) {
    const headers = { accept: 'text/html' }
    const cookie = this.#cookies.header(url)
    if (cookie !== '') headers.cookie = cookie
    if (body !== undefined) headers.origin = url.origin
    const method = body === undefined ? 'GET' : 'POST'
    const response = await fetch(url, { method, headers, body, redirect: 'manual' })
    this.#cookies.keep(url, response.headers.getSetCookie())
    return response
  }

  /// Fills in the form of a page.
  async #answer(response, url, pages) {
    const html = await response.text()
    const all = forms(html, url)
    for (const [name, kind, fill] of this.#kinds()) {
      const form = formWith(all, name)
      if (form === undefined) continue
      if (kind === 'login' && pages.includes('login')) {
        throw new Error('the sign-in page came back: were identifier and password refused?')
      }
      pages.push(kind)
      if (form.method !== 'post') throw new Error(`the ${kind} form does not post`)
      return { url: new URL(form.action), body: new URLSearchParams([...hidden(form), ...fill(form)]) }
    }
    throw new Error(`HTTP ${response.status} at ${url.pathname}, and no form known here: ${excerpt(html)}`)
  }

  #kinds() {
    return [
      ['login_challenge', 'login', () => [
        ['identifier', this.#username],
        ['password', this.#password],
        ['action', 'login'],
      ]],
      ['consent_challenge', 'consent', (form) => [
        ...values(form, 'grant_scope')
          .filter((scope) => !hidden(form).some(([n, v]) => n === 'grant_scope' && v === scope))
          .map((scope) => ['grant_scope', scope]),
        ['remember', 'true'],
        ['action', 'accept'],
      ]],
      ['logout_challenge', 'logout', () => [['action', 'accept']]],
    ]
  }
}

function redirect(response, url) {
  const location = response.headers.get('location')
  if (response.status < 300 || response.status > 399 || location === null) return undefined
  if (![302, 303].includes(response.status)) {
    throw new Error(`HTTP ${response.status} from ${url.pathname}: a redirect after a form must be 302 or 303`)
  }
  return { url: new URL(location, url) }
}

function isAt(url, end) {
  const wanted = new URL(end)
  return url.origin === wanted.origin && url.pathname === wanted.pathname
}

function excerpt(html) {
  return html.replace(/<(style|script)[\s\S]*?<\/\1>/g, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 300)
}
