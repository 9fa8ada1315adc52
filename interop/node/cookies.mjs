// Keeps cookies per host, path and lifetime (RFC 6265). One person, a few hosts on loopback.

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

export class Cookies {
  #kept = []

  /// Takes in the Set-Cookie headers of a response from `url`.
  keep(url, headers) {
    for (const header of headers) {
      const cookie = read(header, url)
      if (cookie === undefined) continue
      this.#kept = this.#kept.filter((old) => !same(old, cookie))
      if (cookie.expires > Date.now()) this.#kept.push(cookie)
    }
  }

  /// The Cookie header for a request to `url`; empty if there is none to send.
  header(url) {
    return this.#kept
      .filter((cookie) => cookie.host === url.hostname && covers(cookie.path, url.pathname))
      .filter((cookie) => cookie.expires > Date.now())
      .filter((cookie) => !cookie.secure || url.protocol === 'https:' || LOOPBACK.has(url.hostname))
      .sort((a, b) => b.path.length - a.path.length)
      .map((cookie) => `${cookie.name}=${cookie.value}`)
      .join('; ')
  }
}

function read(header, url) {
  const [pair, ...attributes] = header.split(';').map((part) => part.trim())
  const at = pair.indexOf('=')
  if (at < 1) return undefined
  const cookie = {
    name: pair.slice(0, at),
    value: pair.slice(at + 1),
    host: url.hostname,
    path: url.pathname.slice(0, Math.max(url.pathname.lastIndexOf('/'), 1)),
    secure: false,
    expires: Infinity,
  }
  let maxAge
  for (const attribute of attributes) {
    const [name, value = ''] = attribute.split(/=(.*)/s)
    switch (name.toLowerCase()) {
      case 'path':
        if (value.startsWith('/')) cookie.path = value
        break
      case 'secure':
        cookie.secure = true
        break
      case 'max-age':
        maxAge = Number(value)
        break
      case 'expires':
        cookie.expires = Date.parse(value)
        break
    }
  }
  if (maxAge !== undefined) cookie.expires = Date.now() + maxAge * 1000
  return cookie
}

function same(a, b) {
  return a.name === b.name && a.host === b.host && a.path === b.path
}

function covers(cookiePath, path) {
  if (path === cookiePath) return true
  return path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}
