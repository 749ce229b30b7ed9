// The REST interface, called with the reader's session.

import { context } from "./context.js";
import { t } from "./i18n.js";

const PREFIX = "/api/v1";
const PAGE_SIZE = 500;

/** What the interface refused, as RFC 9457 says it. */
export class Problem extends Error {
  constructor(status, content) {
    super(content.detail || content.title || t("The server answered {status}.", { status }));
    this.status = status;
    this.hint = content.hint || "";
    this.content = content;
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      headers: body === undefined ? { Accept: "application/json" }
        : { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": context.csrf },
      body: body === undefined || body === null ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new Problem(0, { detail: t("The server does not answer."), hint: t("Nothing was sent. Try again in a moment.") });
  }
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, content);
  return content;
}

/** A query string from values; a list gives its name several times, null and undefined give nothing. */
export function query(values) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") parts.append(name, one);
    }
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

export function get(path, values = {}) {
  return call("GET", path + query(values));
}

export function post(path, body) {
  return call("POST", path, body);
}

/** Put something at a path, in place of what is there. */
export function put(path, body) {
  return call("PUT", path, body);
}

/** Remove what is at a path. */
export function remove(path, values = {}) {
  return call("DELETE", path + query(values), null);
}

/** All items of a list, page by page; `each` gets every page as it comes. */
export async function all(path, values = {}, { limit = Infinity, each = null } = {}) {
  const items = [];
  let after = null;
  do {
    const page = await get(path, { limit: PAGE_SIZE, ...values, after });
    items.push(...page.items);
    if (each) each(page.items);
    after = page.next;
  } while (after && items.length < limit);
  return items;
}

/** A fresh identifier for something that must not happen twice when it is sent twice. */
export function newId() {
  return crypto.randomUUID ? crypto.randomUUID()
    : [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
