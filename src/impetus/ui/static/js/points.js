// A Leaflet layer for very many points: no object a point in the page, and never more work in a frame than a frame has
// room for. Everything is drawn afresh on a hidden canvas, some of it each frame, which is shown when it is complete; a
// point that changes is drawn again alone, with its neighbours.

const { L } = window;
const REACH = 11; // pixels around a mark that still hit it
const BUDGET = 6; // milliseconds of a frame for drawing
const CELL = 64; // pixels of a side of a cell in which neighbours are looked for
const LARGEST = 46; // pixels of the largest mark
const REGIONS = 120; // changes in one frame from which on everything is drawn afresh
const MARGIN = 30;

export const PointsLayer = L.Layer.extend({
  /** `mark(point)` gives a stamp of marks.js, or null for a point that is not shown now. */
  initialize(mark, options = {}) {
    this._mark = mark;
    this._points = new Map();
    this._order = null;
    this._dirty = [];
    this._above = options.above ?? null; // drawn over everything: the chosen point
    L.setOptions(this, options);
  },

  onAdd(map) {
    this._map = map;
    this._shown = this._canvas();
    this._hidden = this._canvas();
    this._reset();
  },

  onRemove() {
    this._shown.remove();
    this._hidden.remove();
    cancelAnimationFrame(this._frame);
    this._frame = 0;
  },

  getEvents() {
    return { moveend: this._reset, zoomend: this._reset, resize: this._reset, viewreset: this._reset, zoomanim: this._animate };
  },

  /** Put or change a point: `{id, at: [latitude, longitude], ...}`. */
  put(point) {
    const known = this._points.get(point.id);
    const there = known && known.at[0] === point.at[0] && known.at[1] === point.at[1];
    point.world = there ? known.world : L.CRS.EPSG3857.latLngToPoint(L.latLng(point.at), 0);
    this._points.set(point.id, point);
    this._order = null;
    if (known) this._forget(known);
    this._changed(point, true);
  },

  remove_(id) {
    const known = this._points.get(id);
    if (!known) return;
    this._points.delete(id);
    this._order = null;
    this._forget(known);
    this._changed(known, false);
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

  /** Draw everything again, a part of it each frame. */
  redraw() {
    this._job = null;
    this._wanted = true;
    this._schedule();
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

  _canvas() {
    const made = L.DomUtil.create("canvas", "leaflet-layer leaflet-zoom-animated", this.getPane());
    made.style.visibility = "hidden";
    return made;
  },

  _view() {
    const scale = 2 ** this._map.getZoom();
    const corner = this._map.getPixelBounds().min;
    return { scale, x: corner.x, y: corner.y };
  },

  // What is shown stays in its place on the map until what is drawn afresh is complete.
  _reset() {
    if (this._drawn) {
      L.DomUtil.setTransform(this._shown, this._map.latLngToLayerPoint(this._drawn.corner), 2 ** this._map.getZoom() / this._drawn.scale);
    }
    this.redraw();
  },

  _animate(event) {
    if (!this._drawn) return;
    const offset = this._map._latLngToNewLayerPoint(this._drawn.corner, event.zoom, event.center);
    L.DomUtil.setTransform(this._shown, offset, 2 ** event.zoom / this._drawn.scale);
  },

  _schedule() {
    if (!this._map || this._frame) return;
    this._frame = requestAnimationFrame(() => { this._frame = 0; this._work(); });
  },

  _work() {
    if (this._wanted && !this._job) { this._wanted = false; this._job = this._begin(); }
    if (this._job) this._carryOn(this._job);
    else if (this._dirty.length) this._mend();
    if (this._job || this._wanted || this._dirty.length) this._schedule();
  },

  _begin() {
    const size = this._map.getSize();
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    const canvas = this._hidden;
    const [width, height] = [Math.round(size.x * ratio), Math.round(size.y * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${size.x}px`;
      canvas.style.height = `${size.y}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    this._order ??= this.options.order ? [...this._points.values()].sort(this.options.order) : [...this._points.values()];
    this._dirty = [];
    return { ...this._view(), size, pen, order: this._order, next: 0, cells: new Map(), corner: this._map.containerPointToLatLng([0, 0]), layer: this._map.containerPointToLayerPoint([0, 0]) };
  },

  _carryOn(job) {
    const until = performance.now() + BUDGET;
    const { order, pen, scale, x, y, size } = job;
    while (job.next < order.length) {
      const point = order[job.next];
      job.next += 1;
      const left = point.world.x * scale - x;
      const top = point.world.y * scale - y;
      if (left > -MARGIN && top > -MARGIN && left < size.x + MARGIN && top < size.y + MARGIN) {
        put(job.cells, point, left, top);
        const mark = this._mark(point);
        if (mark) pen.drawImage(mark.canvas, left - mark.size / 2, top - mark.size / 2, mark.size, mark.size);
      }
      if (job.next % 64 === 0 && performance.now() > until) return;
    }
    this._ring(job);
    this._job = null;
    this._drawn = job;
    [this._shown, this._hidden] = [this._hidden, this._shown];
    // The map may have been dragged while this was drawn: its pane moves, its corner stays where it was on the pane.
    L.DomUtil.setTransform(this._shown, job.layer, 1);
    this._shown.style.visibility = "visible";
    this._hidden.style.visibility = "hidden";
  },

  _ring({ pen, scale, x, y }) {
    const chosen = this._above?.();
    const point = chosen && this._points.get(chosen.id);
    if (!point) return;
    const { mark } = chosen;
    pen.drawImage(mark.canvas, point.world.x * scale - x - mark.size / 2, point.world.y * scale - y - mark.size / 2, mark.size, mark.size);
  },

  _changed(point, present) {
    for (const view of [this._drawn, this._job]) {
      if (!view) continue;
      const left = point.world.x * view.scale - view.x;
      const top = point.world.y * view.scale - view.y;
      if (present) put(view.cells, point, left, top);
    }
    if (!this._drawn) { this.redraw(); return; }
    this._dirty.push(point);
    if (this._dirty.length > REGIONS) { this._dirty = []; this._wanted = true; }
    this._schedule();
  },

  _forget(point) {
    for (const view of [this._drawn, this._job]) {
      view?.cells.get(cellOf(point.world.x * view.scale - view.x, point.world.y * view.scale - view.y))?.delete(point.id);
    }
    if (this._drawn) this._dirty.push(point);
  },

  // Draw again what is around the points that changed.
  _mend() {
    const { pen, scale, x, y } = this._drawn;
    const until = performance.now() + BUDGET;
    while (this._dirty.length) {
      const changed = this._dirty.pop();
      const left = Math.round(changed.world.x * scale - x);
      const top = Math.round(changed.world.y * scale - y);
      const near = this._neighbours(left, top);
      pen.save();
      pen.beginPath();
      pen.rect(left - LARGEST / 2, top - LARGEST / 2, LARGEST, LARGEST);
      pen.clip();
      pen.clearRect(left - LARGEST / 2, top - LARGEST / 2, LARGEST, LARGEST);
      for (const point of near) {
        const mark = this._mark(point);
        if (mark) pen.drawImage(mark.canvas, point.world.x * scale - x - mark.size / 2, point.world.y * scale - y - mark.size / 2, mark.size, mark.size);
      }
      this._ring(this._drawn);
      pen.restore();
      if (performance.now() > until) return;
    }
  },

  _neighbours(left, top) {
    const found = [];
    for (let column = Math.floor((left - LARGEST) / CELL); column <= Math.floor((left + LARGEST) / CELL); column += 1) {
      for (let row = Math.floor((top - LARGEST) / CELL); row <= Math.floor((top + LARGEST) / CELL); row += 1) {
        const cell = this._drawn.cells.get(`${column} ${row}`);
        if (cell) found.push(...cell.values());
      }
    }
    return this.options.order ? found.sort(this.options.order) : found;
  },
});

function cellOf(left, top) {
  return `${Math.floor(left / CELL)} ${Math.floor(top / CELL)}`;
}

function put(cells, point, left, top) {
  const key = cellOf(left, top);
  let cell = cells.get(key);
  if (!cell) { cell = new Map(); cells.set(key, cell); }
  cell.set(point.id, point);
}
