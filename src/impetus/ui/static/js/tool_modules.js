// The ES modules that tools bring for what no widget can show: loaded, given a small context, and taken away again.

import { context as page, may } from "./context.js";
import { libraries } from "./dashboard/libraries.js";
import { decide } from "./deciding.js";
import { element } from "./dom.js";
import { all, get, post, put, remove } from "./http.js";
import { locale, t } from "./i18n.js";
import { colour } from "./palette.js";
import { stream } from "./stream.js";
import { ask } from "./tool_tasks.js";

const TOPICS = {
  result: "results", request: "results", alert: "alerts", incident: "incidents", assessment: "alerts", readings: "readings",
  health: "health", task: "tasks", procedure: "tasks",
};

/** What a module gets. `ending` collects what is to be undone when it goes. */
function contextFor(place, address, ending) {
  const { tool, panelId } = place.closest("[data-tool]").dataset;
  return Object.freeze({
    tool, panel: panelId, language: page.language, locale, zone: page.zone, person: Object.freeze({ ...page.person }),
    get, post, put, remove, all, t, may, colour,
    ask: (task, content, more) => ask(tool, task, content, more),
    on(event, handler) {
      if (TOPICS[event]) stream.want(TOPICS[event]);
      const heard = (message) => {
        try {
          handler(message.detail);
        } catch (problem) {
          fail(place, problem);
        }
      };
      stream.addEventListener(event, heard);
      const end = () => stream.removeEventListener(event, heard);
      ending.push(end);
      return end;
    },
    decide,
    openAlert: (id) => location.assign(`/#${encodeURIComponent(id)}`),
    library: (name) => libraries(name),
    async map(element) {
      await libraries("leaflet");
      const { cityMap } = await import("./basemap.js"); // needs the library when it is loaded
      const map = await cityMap(element);
      ending.push(() => map.remove());
      return map;
    },
    file: (path) => new URL(path, address).href,
  });
}

function fail(place, problem) {
  console.error(problem);
  place.ariaBusy = "false";
  place.replaceChildren(element("div", { class: "empty", role: "alert" },
    element("b", {}, t("This part of the panel cannot be shown.")),
    element("span", {}, problem?.message ?? String(problem)),
    element("button", { type: "button", class: "button", onclick: () => mountModule(place) }, t("Try again"))));
}

/** Call back once an element is no longer on the page. */
function whenGone(place, gone) {
  const watch = new MutationObserver(() => { if (!place.isConnected) { watch.disconnect(); gone(); } });
  watch.observe(document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}

/** Load the module of a panel and let it draw into its place. It is taken away when the place leaves the page. */
export async function mountModule(place) {
  const ending = [];
  place.ariaBusy = "true";
  try {
    if (!place.dataset.module) throw new Error(t("The tool's files are not there."));
    const address = new URL(place.dataset.module, location.href);
    const module = await import(address.href);
    if (typeof module.mount !== "function") throw new Error(t("The tool's module has no function mount."));
    const inner = element("div", { class: "panel-body" });
    place.replaceChildren(inner);
    const unmount = await module.mount(inner, contextFor(place, address, ending));
    if (typeof unmount === "function") ending.push(unmount);
    place.ariaBusy = "false";
    const end = () => { for (const undo of ending.splice(0)) undo(); };
    whenGone(place, end);
    addEventListener("pagehide", end, { once: true });
  } catch (problem) {
    for (const undo of ending.splice(0)) undo();
    fail(place, problem);
  }
}
