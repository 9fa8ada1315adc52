// Reads the forms of an HTML page as a browser would.

import { parse } from 'parse5'

/// Every form of the page: where it posts to, and its fields as [name, value, type].
export function forms(html, pageUrl) {
  const found = []
  collect(parse(html), undefined, new URL(pageUrl), found)
  return found
}

function collect(node, form, pageUrl, found) {
  if (node.nodeName === 'form') {
    form = {
      action: new URL(attribute(node, 'action') || pageUrl.href, pageUrl).href,
      method: (attribute(node, 'method') ?? 'get').toLowerCase(),
      fields: [],
    }
    found.push(form)
  } else if (form !== undefined && attribute(node, 'name') !== undefined) {
    const field = read(node)
    if (field !== undefined) form.fields.push(field)
  }
  for (const child of node.childNodes ?? []) collect(child, form, pageUrl, found)
}

function read(node) {
  const name = attribute(node, 'name')
  switch (node.nodeName) {
    case 'input': {
      const type = (attribute(node, 'type') ?? 'text').toLowerCase()
      const boxed = type === 'checkbox' || type === 'radio'
      return { name, value: attribute(node, 'value') ?? (boxed ? 'on' : ''), type }
    }
    case 'button':
      return { name, value: attribute(node, 'value') ?? '', type: 'submit' }
    default:
      return undefined
  }
}

function attribute(node, name) {
  return node.attrs?.find((attribute) => attribute.name === name)?.value
}

/// The form that carries a hidden field of that name.
export function formWith(all, hidden) {
  return all.find((form) => form.fields.some((f) => f.type === 'hidden' && f.name === hidden))
}

/// The values of every field of that name.
export function values(form, name) {
  return form.fields.filter((field) => field.name === name).map((field) => field.value)
}

/// The hidden fields, which a browser posts as they are.
export function hidden(form) {
  return form.fields.filter((field) => field.type === 'hidden').map((f) => [f.name, f.value])
}
