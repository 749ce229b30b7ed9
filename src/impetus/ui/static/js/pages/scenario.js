// The editor of scenarios: injects are put in at the cursor, and a problem leads to its line.

const text = document.getElementById("scenario-text");
const result = document.getElementById("scenario-result");

document.getElementById("scenario-insert").addEventListener("click", () => {
  const chosen = document.getElementById("scenario-kind").selectedOptions[0];
  const before = text.value.slice(0, text.selectionStart);
  // It begins on a line of its own, below the one of the cursor.
  const at = text.value.indexOf("\n", before.length);
  const place = at < 0 ? text.value.length : at + 1;
  const id = `new-${(text.value.match(/id: new-/g) || []).length + 1}`;
  const inject = `  - id: ${id}\n    at: "00:00"\n    ${chosen.dataset.snippet}\n`;
  text.setRangeText((place && text.value[place - 1] !== "\n" ? "\n" : "") + inject, place, place, "end");
  text.focus();
  text.dispatchEvent(new Event("input", { bubbles: true }));
});

result.addEventListener("click", (event) => {
  const button = event.target.closest("[data-line]");
  if (!button) return;
  const number = Number(button.dataset.line);
  const lines = text.value.split("\n");
  const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[number - 1] || "").length);
  const high = parseFloat(getComputedStyle(text).lineHeight) || 18;
  text.scrollTop = Math.max(0, (number - 6) * high);
});

// What was kept is what the next save is made over.
new MutationObserver(() => {
  const kept = result.querySelector("[data-known]");
  if (kept) document.getElementById("scenario-known").value = kept.dataset.known;
}).observe(result, { childList: true, subtree: true });

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    document.getElementById("scenario-save").click();
  }
});
