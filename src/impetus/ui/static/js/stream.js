// The one live stream of a page: server-sent events that resume where they broke off.

import { may } from "./context.js";
import { t } from "./i18n.js";

const FIRST_WAIT = 800;
const LONGEST_WAIT = 15_000;
const SILENCE = 40_000; // the server speaks at least every 15 s

// A stream with a topic that the reader may not see is refused as a whole.
const NEEDS = {
  alerts: "alerts:read", incidents: "incidents:read", readings: "observations:read", health: "tools:read",
  tasks: "procedures:read", sharing: "sharing:read", results: "results:read", shift: "alerts:decide",
};

const EVENTS = [
  "alert", "incident", "assessment", "readings", "health", "reset", "shared-incident", "incident-share",
  "incident-message", "agreement", "task", "procedure", "result", "request", "handover",
];

class Stream extends EventTarget {
  #source = null;
  #topics = new Set();
  #last = null;
  #wait = FIRST_WAIT;
  #timer = 0;
  #watch = 0;
  #asked = false;
  #started = false;
  #wasOpen = false;

  /** Ask for topics; those that the reader may not see are left out. A page's script that came late connects anew. */
  want(...topics) {
    const fresh = topics.filter((topic) => may(NEEDS[topic]) && !this.#topics.has(topic));
    for (const topic of fresh) this.#topics.add(topic);
    if (!fresh.length || !this.#asked) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#started ? this.#connect() : this.start()));
  }

  on(event, handler) {
    this.addEventListener(event, (message) => handler(message.detail));
  }

  start() {
    this.#asked = true;
    if (this.#started || this.#topics.size === 0) return;
    this.#started = true;
    this.#connect();
    addEventListener("online", () => this.#again(0));
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.#connect(); });
  }

  #connect() {
    this.#close();
    const query = new URLSearchParams({ topics: [...this.#topics].join(",") });
    if (this.#last !== null) query.set("last_event_id", this.#last);
    const source = new EventSource(`/api/v1/stream?${query}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#heard();
      this.#tell("state", "live");
      // What happened between the page's own loading and this moment is fetched again.
      this.#tell("open", { again: this.#wasOpen });
      this.#wasOpen = true;
    });
    source.addEventListener("error", () => this.#again(this.#wait));
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        this.#heard();
        if (event.lastEventId) this.#last = event.lastEventId;
        let data;
        try {
          data = JSON.parse(event.data);
        } catch {
          return; // half a message: the next one brings the whole state
        }
        this.#tell(name, data);
      });
    }
    source.addEventListener("ping", (event) => {
      this.#heard();
      if (event.lastEventId) this.#last = event.lastEventId;
    });
    this.#heard();
  }

  #heard() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#again(0), SILENCE);
  }

  #again(wait) {
    if (!this.#started) return;
    this.#close();
    this.#tell("state", "reconnecting");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), wait + Math.random() * 0.3 * wait);
    this.#wait = Math.min(LONGEST_WAIT, Math.max(FIRST_WAIT, this.#wait) * 1.7);
  }

  #close() {
    clearTimeout(this.#watch);
    this.#source?.close();
    this.#source = null;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const stream = new Stream();

/** What the state of the connection is called. */
export function connectionWord(state) {
  return state === "live" ? t("Live") : state === "reconnecting" ? t("Reconnecting") : t("Connecting");
}
