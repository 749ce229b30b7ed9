// The newest posts with filters by language, kind and words. Texts are shown as text.

import { kind as kindName, language as languageName } from "./named.js";

export function mount(element, context) {
  const t = context.t;
  element.classList.add("social-stream");
  const style = node("link");
  style.rel = "stylesheet";
  style.href = context.file("social.css");
  const form = node("form", "social-filters");
  const language = choice(t("Language"), ["", "en", "it", "no"], (code) => languageName(t, code));
  const kind = choice(t("Kind"), ["", "incitement", "weapon", "gathering", "claim", "eyewitness", "rumour", "none"], (name) => kindName(t, name));
  const words = node("input");
  words.type = "search";
  words.maxLength = 100;
  words.placeholder = t("Words");
  words.setAttribute("aria-label", t("Words"));
  form.append(language, kind, words);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", draw);
  const list = node("ol", "social-posts");
  element.replaceChildren(style, form, list);

  let posts = [];
  let gone = false;

  async function load() {
    try {
      const found = await context.get(`/tools/${context.tool}/results`, { kind: "stream", limit: 1 });
      posts = found.items[0]?.content.posts ?? [];
    } catch (error) {
      list.replaceChildren(node("li", "social-empty", error.message));
      return;
    }
    if (!gone) draw();
  }

  function draw() {
    const wanted = words.value.trim().toLowerCase();
    const shown = posts.filter(
      (post) =>
        (!language.value || post.language === language.value) &&
        (!kind.value || post.kind === kind.value) &&
        (!wanted || post.text.toLowerCase().includes(wanted)),
    );
    list.replaceChildren(
      ...shown.map((post) => {
        const row = node("li", post.event ? "social-post social-flagged" : "social-post");
        const time = new Date(post.time).toLocaleTimeString(context.locale, { timeZone: context.zone, timeStyle: "short" });
        row.append(
          node("time", "", time),
          node("span", "social-kind", kindName(t, post.kind)),
          node("span", "social-score", `${Math.round(100 * post.relevance)} %`),
          node("p", "", post.text),
        );
        return row;
      }),
    );
    if (!shown.length) list.replaceChildren(node("li", "social-empty", t("Nothing to show")));
  }

  const stop = context.on("result", (news) => {
    if (news.tool === context.tool && news.kind === "stream") load();
  });
  load();
  return () => {
    gone = true;
    stop();
  };
}

function choice(name, values, called) {
  const made = node("select");
  made.setAttribute("aria-label", name);
  for (const value of values) {
    const option = node("option", "", value ? called(value) : name);
    option.value = value;
    made.append(option);
  }
  return made;
}

function node(tag, className = "", text = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}
