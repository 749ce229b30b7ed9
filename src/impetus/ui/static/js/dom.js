// Building the page from data. Text from outside only ever becomes text.

// Characters that reorder, hide or garble what follows them; ui/text.py does the same on the server.
// eslint-disable-next-line no-control-regex
const DECEPTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]/g;

/** The text with deceptive characters written out by their number. */
export function harmless(text) {
  return String(text ?? "").replace(DECEPTIVE, (found) => `‹U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

/** An element with attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : harmless(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(harmless(child)))));
  return made;
}

export function setText(target, text) {
  const shown = harmless(text);
  if (target && target.textContent !== shown) target.textContent = shown;
}

export function find(selector, within = document) {
  return within.querySelector(selector);
}

export function findAll(selector, within = document) {
  return [...within.querySelectorAll(selector)];
}

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("../icons.svg", import.meta.url).pathname;

export function icon(name, small = true) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", small ? "icon icon-s" : "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  made.append(use);
  return made;
}

/** Calls `work` soon, and at most every `pace` milliseconds however often it is asked for. */
export function paced(work, pace) {
  let last = 0;
  let timer = 0;
  return () => {
    if (timer) return;
    const wait = Math.max(16, last + pace - performance.now());
    timer = setTimeout(() => { timer = 0; last = performance.now(); work(); }, wait);
  };
}

/** Calls `work` when nothing asked for it during `delay` milliseconds. */
export function settled(work, delay) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), delay);
  };
}

/** A choice of buttons of which one is pressed. */
export function choice(group, name, chosen) {
  group.addEventListener("click", (event) => {
    const button = event.target.closest(`[data-${name}]`);
    if (!button) return;
    for (const other of findAll(`[data-${name}]`, group)) other.setAttribute("aria-pressed", String(other === button));
    chosen(button.dataset[name]);
  });
}
