// The browser libraries, each loaded when the first panel needs it.

const VENDOR = new URL("../../vendor/", import.meta.url);
const FILES = {
  leaflet: "leaflet/leaflet.js",
  grid: "ag-grid-community/ag-grid-community.min.noStyle.js",
  charts: "echarts/echarts.min.js",
};
const GLOBALS = { leaflet: "L", grid: "agGrid", charts: "echarts" };
const loading = new Map();

function load(name) {
  if (GLOBALS[name] in window) return null; // the page has it already
  if (!loading.has(name)) {
    loading.set(name, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL(FILES[name], VENDOR).href;
      // The grid takes the nonce for its style sheet from the first script of the page.
      script.nonce = document.querySelector("script[nonce]").nonce;
      script.addEventListener("load", done);
      script.addEventListener("error", () => failed(new Error(`${name} did not load`)));
      document.head.append(script);
    }));
  }
  return loading.get(name);
}

/** Wait until these libraries are there. */
export function libraries(...names) {
  return Promise.all(names.map(load));
}
