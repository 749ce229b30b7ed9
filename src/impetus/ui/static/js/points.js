// A Leaflet layer for very many points: one canvas, one pass, no object a point in the page.

const { L } = window;
const REACH = 11; // pixels around a mark that still hit it
const PAD = 120; // pixels drawn beyond each edge, so that a drag shows no empty rim
const PACE = 250; // milliseconds between drawings that data ask for, the first of them at once; drags and zooms never wait
const SLOW_PACE = 400; // the same where drawing takes long (very many points, no graphics processor)
const CELL = 3; // pixels; of equal marks that lie on each other only one is drawn

export const PointsLayer = L.Layer.extend({
  /** `mark(point)` gives a stamp of marks.js, or null for a point that is not shown now. */
  initialize(mark, options = {}) {
    this._mark = mark;
    this._points = new Map();
    this._order = null;
    this._drawnIn = 0;
    this._drawnAt = 0;
    this._waiting = 0;
    this._above = options.above ?? null; // drawn over everything: the chosen point
    L.setOptions(this, options);
  },

  onAdd(map) {
    this._map = map;
    this._canvas = L.DomUtil.create("canvas", "leaflet-layer leaflet-zoom-animated", this.getPane());
    this._pen = this._canvas.getContext("2d");
    this._reset();
  },

  onRemove() {
    L.DomUtil.remove(this._canvas);
    clearTimeout(this._waiting);
    this._waiting = 0;
  },

  getEvents() {
    return { moveend: this._reset, zoomend: this._reset, resize: this._reset, viewreset: this._reset, zoomanim: this._animate };
  },

  /** Put or change a point: `{id, at: [latitude, longitude], ...}`. */
  put(point) {
    const known = this._points.get(point.id);
    const unchanged = known && this._mark(known) === this._mark(point);
    const there = known && known.at[0] === point.at[0] && known.at[1] === point.at[1];
    point.world = there ? known.world : L.CRS.EPSG3857.latLngToPoint(L.latLng(point.at), 0);
    this._points.set(point.id, point);
    this._order = null;
    if (!(there && unchanged)) this.redraw();
  },

  remove_(id) {
    if (this._points.delete(id)) { this._order = null; this.redraw(); }
  },

  clear() {
    this._points.clear();
    this._order = null;
    this.redraw();
  },

  get(id) {
    return this._points.get(id);
  },

  values() {
    return this._points.values();
  },

  /** Draw again soon: at once after a quiet time; of many changes, those of a moment together. */
  redraw() {
    if (!this._map || this._waiting) return;
    const since = performance.now() - this._drawnAt;
    const wait = Math.max(16, (this._drawnIn > 8 ? SLOW_PACE : PACE) - since);
    this._waiting = setTimeout(() => { this._waiting = 0; this._draw(); }, wait);
  },

  /** The point under a place in the container, or null. */
  at(containerPoint) {
    let nearest = null;
    let best = REACH * REACH;
    const { scale, x, y } = this._view();
    for (const point of this._points.values()) {
      const dx = point.world.x * scale - x - containerPoint.x;
      const dy = point.world.y * scale - y - containerPoint.y;
      const distance = dx * dx + dy * dy;
      if (distance <= best && this._mark(point)) { best = distance; nearest = point; }
    }
    return nearest;
  },

  _view() {
    const scale = 2 ** this._map.getZoom();
    const corner = this._map.getPixelBounds().min;
    return { scale, x: corner.x, y: corner.y };
  },

  _reset() {
    const size = this._map.getSize().add([2 * PAD, 2 * PAD]);
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    if (this._canvas.width !== Math.round(size.x * ratio) || this._canvas.height !== Math.round(size.y * ratio)) {
      this._canvas.width = Math.round(size.x * ratio);
      this._canvas.height = Math.round(size.y * ratio);
      this._canvas.style.width = `${size.x}px`;
      this._canvas.style.height = `${size.y}px`;
    }
    this._draw();
  },

  _animate(event) {
    const scale = this._map.getZoomScale(event.zoom);
    const offset = this._map._latLngToNewLayerPoint(this._topLeft, event.zoom, event.center);
    L.DomUtil.setTransform(this._canvas, offset, scale);
  },

  _draw() {
    const begun = performance.now();
    const pen = this._pen;
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    const size = this._map.getSize().add([2 * PAD, 2 * PAD]);
    const { scale, x, y } = this._view();
    // Where a drag is under way, the canvas goes along with it from its new place.
    L.DomUtil.setTransform(this._canvas, this._map.containerPointToLayerPoint([-PAD, -PAD]), 1);
    this._topLeft = this._map.containerPointToLatLng([-PAD, -PAD]);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    this._order ??= this.options.order ? [...this._points.values()].sort(this.options.order) : [...this._points.values()];
    const taken = new Map();
    const columns = Math.ceil(size.x / CELL);
    for (const point of this._order) {
      const left = Math.round(point.world.x * scale - x) + PAD;
      const top = Math.round(point.world.y * scale - y) + PAD;
      if (left < 0 || top < 0 || left > size.x || top > size.y) continue;
      const mark = this._mark(point);
      if (!mark) continue;
      let cells = taken.get(mark);
      if (!cells) taken.set(mark, cells = new Set());
      const cell = Math.floor(top / CELL) * columns + Math.floor(left / CELL);
      if (cells.has(cell)) continue;
      cells.add(cell);
      this._stamp(mark, left, top);
    }
    const chosen = this._above?.();
    const point = chosen && this._points.get(chosen.id);
    if (point) this._stamp(chosen.mark, Math.round(point.world.x * scale - x) + PAD, Math.round(point.world.y * scale - y) + PAD);
    this._drawnAt = performance.now();
    this._drawnIn = this._drawnAt - begun;
  },

  _stamp(mark, left, top) {
    this._pen.drawImage(mark.canvas, left - mark.size / 2, top - mark.size / 2, mark.size, mark.size);
  },
});
