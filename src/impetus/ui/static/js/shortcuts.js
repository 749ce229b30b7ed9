// Keys for everything an operator does often: single keys, and pairs that begin with `g`.

const PAIR_TIME = 1200;
const actions = new Map();
let first = "";
let timer = 0;

/** Do `action` when the keys are pressed: `"a"`, `"?"`, `"g l"`. */
export function shortcut(keys, action) {
  actions.set(keys, action);
}

function typing(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 && event.key !== "?" ? event.key.toLowerCase() : event.key;
  const keys = first ? `${first} ${key}` : key;
  clearTimeout(timer);
  first = "";
  if (key === "g" && keys === "g") {
    first = "g";
    timer = setTimeout(() => { first = ""; }, PAIR_TIME);
    return;
  }
  const action = actions.get(keys);
  if (!action) return;
  event.preventDefault();
  action(event);
});
