// Texts in the reader's language, from the same catalogue as the pages.

import { context } from "./context.js";

async function load() {
  try {
    const response = await fetch(context.messages);
    return response.ok ? await response.json() : {};
  } catch {
    return {}; // English then: better than no page
  }
}

const messages = await load();

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The translation of an English text; `{name}` stands for a value. */
export function t(message, values = {}) {
  const found = messages[message];
  return fill(typeof found === "string" ? found : message, values);
}

/** The same for a text with a number in it, called `{n}` there. */
export function tn(singular, plural, n, values = {}) {
  const forms = messages[singular];
  const pair = Array.isArray(forms) ? forms : [singular, plural];
  return fill(n === 1 ? pair[0] : pair[1], { n: number.format(n), ...values });
}

const locale = context.language === "en" ? "en-GB" : context.language;
const number = new Intl.NumberFormat(locale);

export { locale };
