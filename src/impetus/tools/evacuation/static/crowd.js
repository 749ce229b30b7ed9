// Positions of a recorded run: fetched in parts, put together, and drawn on a canvas between frames.

const GONE = -32768;
const CELL_M = 2;
/** From how many people a square metre on a colour is used, and which. */
export const DENSITIES = [[0, "good"], [1, "severity-minor"], [2, "severity-moderate"], [3.5, "severity-severe"], [5, "severity-extreme"]];

/** Parts of a playback as one table of int16: frame, x of everybody, y of everybody, in `unit_m`. */
export async function load(context, plan, number) {
  const page = await context.get(`/tools/${context.tool}/results`, { kind: "playback", limit: 100 });
  const parts = page.items.map((item) => item.content).filter((one) => one.plan === plan && one.number === number);
  parts.sort((a, b) => a.part - b.part);
  const head = parts[0];
  if (!head || parts.length < head.parts) return null;
  const bytes = parts.slice(0, head.parts).map((part) => Uint8Array.from(atob(part.data), (letter) => letter.charCodeAt(0)));
  const stream = new Blob(bytes).stream().pipeThrough(new DecompressionStream("deflate"));
  const table = new Int16Array(await new Response(stream).arrayBuffer());
  const width = 2 * head.people;
  if (table.length < width * head.frames) return null;
  // The parts hold differences from frame to frame.
  for (let at = width; at < width * head.frames; at += 1) table[at] += table[at - width];
  return { head, table };
}

/** Metres east and north of a middle, as the tool's projection has them to a few centimetres. */
export function plane(longitude, latitude) {
  const rad = Math.PI / 180;
  const phi = latitude * rad;
  const e2 = 0.00669437999014;
  const s = Math.sqrt(1 - e2 * Math.sin(phi) ** 2);
  const east = (6378137 / s) * Math.cos(phi) * rad;
  const north = ((6378137 * (1 - e2)) / s ** 3) * rad;
  return {
    metres: ([lon, lat]) => [(lon - longitude) * east, (lat - latitude) * north],
    degrees: ([x, y]) => [longitude + x / east, latitude + y / north],
  };
}

/** All rings and lines of a GeoJSON geometry, in metres. */
export function lines(geometry, flat) {
  const { type, coordinates } = geometry;
  if (type === "Point") return [[flat.metres(coordinates)]];
  if (type === "LineString") return [coordinates.map(flat.metres)];
  if (type === "Polygon") return coordinates.map((ring) => ring.map(flat.metres));
  if (type === "MultiPolygon") return coordinates.flat().map((ring) => ring.map(flat.metres));
  return [];
}

/** A colour of the style sheet as a pixel of an image. */
function pixel(colour) {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return new Uint32Array(pen.getImageData(0, 0, 1, 1).data.buffer)[0];
}

/** Draws a venue and one moment of a run; returns how many are left. */
export class Scene {
  constructor(canvas, context, venue, head) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.context = context;
    this.flat = plane(head.longitude, head.latitude);
    this.shapes = venue.features.map((feature) => ({
      kind: feature.properties.kind, name: feature.properties.name, rings: lines(feature.geometry, this.flat),
    }));
    const walkable = this.shapes.filter((shape) => shape.kind === "walkable").flatMap((shape) => shape.rings.flat());
    const xs = walkable.map((at) => at[0]);
    const ys = walkable.map((at) => at[1]);
    this.box = [Math.min(...xs) - 4, Math.min(...ys) - 4, Math.max(...xs) + 4, Math.max(...ys) + 4];
    this.columns = Math.ceil((this.box[2] - this.box[0]) / CELL_M) + 1;
    this.cells = new Uint16Array(this.columns * (Math.ceil((this.box[3] - this.box[1]) / CELL_M) + 1));
    this.levels = new Uint8Array(head.people);
    this.known = -1;
    this.ground = null;
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    const [left, bottom, right, top] = this.box;
    // The whole venue is on the screen at once, however the room beside it lies.
    const highest = (0.7 * window.innerHeight * (right - left)) / (top - bottom);
    const wide = Math.max(200, Math.min(this.canvas.parentElement?.clientWidth ?? this.canvas.clientWidth, highest));
    this.canvas.style.width = `${Math.round(wide)}px`;
    const width = Math.round(wide * ratio);
    const scale = width / (right - left);
    const height = Math.round((top - bottom) * scale);
    if (this.canvas.width !== width || this.canvas.height !== height || !this.ground) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.scale = scale;
      this.drawGround();
    }
  }

  at([x, y]) {
    return [(x - this.box[0]) * this.scale, this.canvas.height - (y - this.box[1]) * this.scale];
  }

  drawGround() {
    const { canvas, context, pen } = this;
    pen.fillStyle = context.colour("surface-1");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const paint = (shape, fill, stroke, width) => {
      pen.beginPath();
      for (const ring of shape.rings) {
        ring.forEach((at, index) => (index ? pen.lineTo(...this.at(at)) : pen.moveTo(...this.at(at))));
      }
      if (fill) { pen.fillStyle = fill; pen.fill("evenodd"); }
      if (stroke) { pen.strokeStyle = stroke; pen.lineWidth = width; pen.stroke(); }
    };
    const of = (kind) => this.shapes.filter((shape) => shape.kind === kind);
    for (const shape of of("walkable")) paint(shape, context.colour("surface-3"), null, 0);
    for (const shape of of("obstacle")) {
      const closed = shape.rings[0].length > 3;
      paint(shape, closed ? context.colour("line-3") : null, context.colour("line-3"), 2);
    }
    for (const shape of of("gate")) paint(shape, null, context.colour("severity-moderate"), 4);
    for (const shape of of("exit")) paint(shape, null, context.colour("good"), 5);
    pen.fillStyle = context.colour("ink-2");
    pen.font = `${Math.max(10, Math.round(canvas.width / 55))}px sans-serif`;
    for (const shape of of("exit")) {
      const [x, y] = this.at(shape.rings[0][0]);
      pen.fillText(shape.name ?? "", Math.min(Math.max(x, 4), canvas.width - 90), Math.min(Math.max(y - 6, 12), canvas.height - 6));
    }
    // Each moment is put together as pixels on a copy of the ground: a rectangle drawn for each of ten thousand people takes several times as long.
    this.ground = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    this.image = pen.createImageData(canvas.width, canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.colours = Uint32Array.from(DENSITIES, ([, name]) => pixel(context.colour(name)));
  }

  /** How dense it is around everybody in a frame, as a number of a colour; returns how many are left. */
  crowded({ head, table }, frame) {
    if (frame === this.known) return this.inside;
    this.known = frame;
    this.inside = 0;
    this.cells.fill(0);
    const xs = 2 * head.people * frame;
    const ys = xs + head.people;
    const [left, bottom] = this.box;
    const last = this.cells.length / this.columns - 1;
    const cell = (person) => {
      const column = Math.floor((table[xs + person] * head.unit_m - left) / CELL_M);
      const row = Math.floor((table[ys + person] * head.unit_m - bottom) / CELL_M);
      return Math.min(Math.max(row, 0), last) * this.columns + Math.min(Math.max(column, 0), this.columns - 1);
    };
    for (let person = 0; person < head.people; person += 1) {
      if (table[xs + person] === GONE) continue;
      this.inside += 1;
      this.cells[cell(person)] += 1;
    }
    for (let person = 0; person < head.people; person += 1) {
      if (table[xs + person] === GONE) continue;
      const density = this.cells[cell(person)] / CELL_M ** 2;
      let level = DENSITIES.length - 1;
      while (density < DENSITIES[level][0]) level -= 1;
      this.levels[person] = level;
    }
    return this.inside;
  }

  /** Everybody at a moment between two frames, coloured by how many stand on the same four square metres. */
  draw(run, time) {
    this.fit();
    const { head, table } = run;
    const place = Math.min(Math.max(time / head.frame_s, 0), head.frames - 1.001);
    const frame = Math.max(Math.floor(place), 0);
    const part = place - frame;
    const { people, unit_m: unit } = head;
    const now = 2 * people * frame;
    const next = 2 * people * Math.min(frame + 1, head.frames - 1);
    const inside = this.crowded(run, frame);
    const { pixels, colours, levels, scale } = this;
    const { width, height } = this.canvas;
    const [left, bottom] = this.box;
    const size = Math.max(2, Math.round(0.4 * scale));
    pixels.set(this.ground);
    for (let person = 0; person < people; person += 1) {
      let x = table[now + person];
      if (x === GONE) continue;
      let y = table[now + people + person];
      const x2 = table[next + person];
      if (x2 !== GONE) { x += (x2 - x) * part; y += (table[next + people + person] - y) * part; }
      const column = Math.round((x * unit - left) * scale - size / 2);
      const row = Math.round(height - (y * unit - bottom) * scale - size / 2);
      if (column < 0 || row < 0 || column + size > width || row + size > height) continue;
      const colour = colours[levels[person]];
      for (let start = row * width + column, end = start + size * width; start < end; start += width) {
        for (let at = start; at < start + size; at += 1) pixels[at] = colour;
      }
    }
    const { pen } = this;
    pen.putImageData(this.image, 0, 0);
    const threat = head.threat?.[Math.min(Math.floor(time / 2), head.threat.length - 1)];
    if (threat) {
      const [x, y] = this.at(this.flat.metres(threat));
      pen.strokeStyle = this.context.colour("severity-extreme");
      pen.lineWidth = 3;
      pen.beginPath();
      pen.arc(x, y, 9, 0, 2 * Math.PI);
      pen.moveTo(x - 13, y); pen.lineTo(x + 13, y); pen.moveTo(x, y - 13); pen.lineTo(x, y + 13);
      pen.stroke();
    }
    return inside;
  }
}
