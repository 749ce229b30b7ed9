// The review queue with the item in view. Every text of an item is hostile until proven otherwise: it is shown as text.

const KEYS = { k: "keep", r: "reject", p: "promote" };
const TITLES = { keep: "Keep", reject: "Reject", promote: "Promote" };

export function mount(element, context) {
  const t = context.t;
  element.classList.add("cti-review");
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = context.file("review.css");
  const list = node("ul", "cti-list");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("To review"));
  list.tabIndex = 0;
  const view = node("article", "cti-view");
  view.setAttribute("aria-live", "polite");
  const state = node("p", "cti-state");
  state.setAttribute("role", "status");
  const body = node("div", "cti-body");
  body.append(list, view);
  element.replaceChildren(style, state, body);

  let items = [];
  let chosen = null;
  let busy = false;
  let gone = false;
  let waiting = null;

  async function load() {
    let found;
    try {
      found = await context.get(`/tools/${context.tool}/results`, { kind: "item", limit: 200 });
    } catch (error) {
      state.textContent = error.message;
      return;
    }
    if (gone) return;
    items = found.items.sort((a, b) => b.content.relevance - a.content.relevance || (a.time < b.time ? 1 : -1));
    if (!items.some((item) => item.id === chosen)) chosen = items[0]?.id ?? null;
    draw();
  }

  function draw() {
    list.replaceChildren(
      ...items.map((item) => {
        const row = node("li", "cti-row");
        row.id = `cti-${item.id}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(item.id === chosen));
        row.append(
          node("span", "cti-score", percent(item.content.relevance)),
          node("span", "cti-kind", t(item.content.kind)),
          node("span", "cti-title", item.title),
          node("span", "cti-grade", item.content.grade),
        );
        row.addEventListener("click", () => choose(item.id));
        return row;
      }),
    );
    list.setAttribute("aria-activedescendant", chosen ? `cti-${chosen}` : "");
    const item = items.find((one) => one.id === chosen);
    if (!item) {
      view.replaceChildren(node("p", "cti-empty", t("Nothing waits for review")));
      return;
    }
    view.replaceChildren(...show(item));
  }

  function show(item) {
    const content = item.content;
    const buttons = node("div", "cti-buttons");
    for (const [key, task] of Object.entries(KEYS)) {
      const button = node("button", task === "promote" ? "primary" : "", `${t(TITLES[task])} (${key.toUpperCase()})`);
      button.type = "button";
      button.dataset.task = task;
      button.disabled = busy;
      button.addEventListener("click", () => decide(task));
      buttons.append(button);
    }
    const reasons = node("ul", "cti-reasons");
    reasons.append(...content.reasons.map((reason) => node("li", "", reason)));
    const passages = content.passages.map((runs) => {
      const quote = node("blockquote", "cti-passage");
      for (const run of runs) {
        if (!run.mark) {
          quote.append(run.text);
          continue;
        }
        const mark = node("mark", `cti-${run.mark}`, run.text);
        mark.title = run.why ?? "";
        quote.append(mark);
      }
      return quote;
    });
    const facts = node("dl", "cti-facts");
    fact(facts, t("Sources"), content.sources.map((source) => `${source.title} (${source.reliability})`).join(", "));
    fact(facts, t("Grade"), content.grade);
    fact(facts, "TLP", content.tlp.toUpperCase());
    fact(facts, t("Published"), content.published ? moment(content.published) : "–");
    fact(
      facts,
      t("Indicators"),
      content.indicators
        .slice(0, 40)
        .map((one) => one.value + (one.warnings.length ? ` [${one.warnings.join(", ")}]` : ""))
        .join("\n") || "–",
    );
    fact(facts, t("Techniques"), content.techniques.map((one) => `${one.technique} ${one.name}`).join("\n") || "–");
    fact(facts, t("Names"), content.entities.map((one) => one.name).join(", ") || "–");
    const notes = node("ul", "cti-notes");
    notes.append(...content.notes.map((note) => node("li", "", `${moment(note.time)}  ${note.text}`)));
    const form = node("form", "cti-note");
    const input = node("input");
    input.name = "note";
    input.maxLength = 2000;
    input.required = true;
    input.setAttribute("aria-label", t("Case note"));
    input.placeholder = t("Case note");
    form.append(input, node("button", "", t("Add")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask("note", { id: item.id, text: input.value });
    });
    return [node("h3", "", item.title), buttons, reasons, ...passages, facts, node("h4", "", t("Case notes")), notes, form];
  }

  function choose(id) {
    chosen = id;
    draw();
  }

  function step(by) {
    const at = items.findIndex((item) => item.id === chosen);
    const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
    if (next) choose(next.id);
    document.getElementById(`cti-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }

  async function decide(task) {
    const id = chosen;
    if (!id || busy) return;
    const at = items.findIndex((item) => item.id === id);
    if (await ask(task, { id })) {
      items = items.filter((item) => item.id !== id);
      chosen = (items[at] ?? items[at - 1])?.id ?? null;
      draw();
      list.focus();
    }
  }

  async function ask(task, content) {
    busy = true;
    draw();
    let done = false;
    try {
      const answer = await context.ask(task, content);
      done = answer.state !== "failed";
      state.textContent = answer.text ?? "";
      state.classList.toggle("cti-failed", !done);
    } catch (error) {
      state.textContent = [error.message, error.hint].filter(Boolean).join(" ");
      state.classList.add("cti-failed");
    }
    busy = false;
    draw();
    return done;
  }

  function onKey(event) {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest?.("input, textarea, select, [contenteditable]")) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (target !== list) return;
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (KEYS[event.key] && (element.contains(target) || target === document.body)) {
      decide(KEYS[event.key]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function moment(text) {
    return new Date(text).toLocaleString(context.locale, { timeZone: context.zone, dateStyle: "short", timeStyle: "short" });
  }

  document.addEventListener("keydown", onKey);
  const stop = context.on("result", (news) => {
    if (news.tool && news.tool !== context.tool) return;
    if (news.kind !== "item" || waiting) return;
    waiting = setTimeout(() => {
      waiting = null;
      if (!busy && !view.contains(document.activeElement)) load();
    }, 300);
  });
  load();
  return () => {
    gone = true;
    clearTimeout(waiting);
    document.removeEventListener("keydown", onKey);
    stop();
  };
}

function node(tag, className = "", text = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

function fact(list, name, value) {
  list.append(node("dt", "", name), node("dd", "", value));
}

function percent(value) {
  return `${Math.round(100 * value)} %`;
}
