// Events that wait for an analyst. Every text of a post is hostile until proven otherwise: it is shown as text.

import { language, sentiment, trend } from "./named.js";

const KEYS = { r: "relevant", n: "not-relevant", p: "promote" };
const TITLES = { relevant: "Relevant", "not-relevant": "Not relevant", promote: "Promote" };

export function mount(element, context) {
  const t = context.t;
  element.classList.add("social-review");
  const style = node("link");
  style.rel = "stylesheet";
  style.href = context.file("social.css");
  const list = node("ul", "social-list");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("To review"));
  list.tabIndex = 0;
  const view = node("article", "social-view");
  view.setAttribute("aria-live", "polite");
  const state = node("p", "social-state");
  state.setAttribute("role", "status");
  const body = node("div", "social-body");
  body.append(list, view);
  element.replaceChildren(style, state, body);

  let events = [];
  let chosen = null;
  let busy = false;
  let gone = false;
  let waiting = null;

  async function load() {
    let found;
    try {
      found = await context.get(`/tools/${context.tool}/results`, { kind: "event", limit: 200 });
    } catch (error) {
      state.textContent = error.message;
      return;
    }
    if (gone) return;
    events = found.items
      .filter((one) => one.content.state === "awaiting")
      .sort((a, b) => b.content.confidence - a.content.confidence || (a.time < b.time ? 1 : -1));
    if (!events.some((one) => one.id === chosen)) chosen = events[0]?.id ?? null;
    draw();
  }

  function draw() {
    list.replaceChildren(
      ...events.map((event) => {
        const row = node("li", "social-row");
        row.id = `social-${event.id}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(event.id === chosen));
        row.append(
          node("span", "social-score", percent(event.content.confidence)),
          node("span", "social-title", event.title),
          node("span", "social-count", `${event.content.posts} · ${trend(t, event.content.trend)}`),
        );
        row.addEventListener("click", () => choose(event.id));
        return row;
      }),
    );
    list.setAttribute("aria-activedescendant", chosen ? `social-${chosen}` : "");
    const event = events.find((one) => one.id === chosen);
    view.replaceChildren(...(event ? show(event) : [node("p", "social-empty", t("Nothing waits for review"))]));
  }

  function show(event) {
    const content = event.content;
    const buttons = node("div", "social-buttons");
    for (const [key, task] of Object.entries(KEYS)) {
      const button = node("button", task === "promote" ? "primary" : "", `${t(TITLES[task])} (${key.toUpperCase()})`);
      button.type = "button";
      button.dataset.task = task;
      button.disabled = busy;
      button.addEventListener("click", () => decide(task));
      buttons.append(button);
    }
    const reasons = node("ul", "social-reasons");
    reasons.append(...content.reasons.map((reason) => node("li", "", reason)));
    const examples = content.examples.map((example) => {
      const quote = node("blockquote", "social-example", example.text);
      if (["en", "it", "no"].includes(example.language)) quote.lang = example.language;
      return quote;
    });
    const facts = node("dl", "social-facts");
    fact(facts, t("Voices"), content.voices);
    fact(facts, t("Posts"), `${content.posts} (${content.copies} ${t("copies")})`);
    fact(facts, t("Place"), content.place || "–");
    fact(facts, t("Since"), moment(content.first));
    fact(facts, t("Languages"), content.languages.map((code) => language(t, code)).join(", "));
    fact(
      facts,
      t("Sentiment"),
      ["negative", "neutral", "positive"].map((name) => `${sentiment(t, name)} ${content.sentiment[name] ?? 0}`).join(", "),
    );
    return [node("h3", "", event.title), buttons, reasons, ...examples, facts];
  }

  function choose(id) {
    chosen = id;
    draw();
  }

  function step(by) {
    const at = events.findIndex((one) => one.id === chosen);
    const next = events[Math.max(0, Math.min(events.length - 1, at + by))];
    if (next) choose(next.id);
    document.getElementById(`social-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }

  async function decide(task) {
    const id = chosen;
    if (!id || busy) return;
    const at = events.findIndex((one) => one.id === id);
    if (await ask(task, { id })) {
      events = events.filter((one) => one.id !== id);
      chosen = (events[at] ?? events[at - 1])?.id ?? null;
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
      state.classList.toggle("social-failed", !done);
    } catch (error) {
      state.textContent = [error.message, error.hint].filter(Boolean).join(" ");
      state.classList.add("social-failed");
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
    if (news.kind !== "event" || waiting) return;
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
