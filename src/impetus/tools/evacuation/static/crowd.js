// Positions of a recorded run: fetched in parts, put together, and drawn on a canvas between frames.

const GONE = -32768;

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

/** Draws a venue and one moment of a run; returns how many are left. */
export class Scene {
  constructor(canvas, context, venue, head) {
    this.canvas = canvas;
    this.context = context;
    this.flat = plane(head.longitude, head.latitude);
    this.shapes = venue.features.map((feature) => ({
      kind: feature.properties.kind, name: feature.properties.name, rings: lines(feature.geometry, this.flat),
    }));
    const walkable = this.shapes.filter((shape) => shape.kind === "walkable").flatMap((shape) => shape.rings.flat());
    const xs = walkable.map((at) => at[0]);
    const ys = walkable.map((at) => at[1]);
    this.box = [Math.min(...xs) - 4, Math.min(...ys) - 4, Math.max(...xs) + 4, Math.max(...ys) + 4];
    this.cells = new Uint16Array(0);
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
    const { canvas, context } = this;
    this.ground = document.createElement("canvas");
    this.ground.width = canvas.width;
    this.ground.height = canvas.height;
    const pen = this.ground.getContext("2d");
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
  }

  /** Everybody at a moment between two frames, coloured by how many stand on the same four square metres. */
  draw(run, time) {
    this.fit();
    const { head, table } = run;
    const pen = this.canvas.getContext("2d");
    pen.drawImage(this.ground, 0, 0);
    const place = Math.min(Math.max(time / head.frame_s, 0), head.frames - 1.001);
    const frame = Math.floor(place);
    const part = place - frame;
    const width = 2 * head.people;
    const now = frame * width;
    const next = Math.min(frame + 1, head.frames - 1) * width;
    const [left, bottom, right, top] = this.box;
    const columns = Math.ceil((right - left) / 2) + 1;
    const cells = columns * (Math.ceil((top - bottom) / 2) + 1);
    if (this.cells.length !== cells) this.cells = new Uint16Array(cells);
    this.cells.fill(0);
    const unit = head.unit_m;
    const people = head.people;
    let left_over = 0;
    for (let person = 0; person < people; person += 1) {
      const x = table[now + person];
      if (x === GONE) continue;
      left_over += 1;
      const column = Math.floor((x * unit - left) / 2);
      const row = Math.floor((table[now + people + person] * unit - bottom) / 2);
      if (row >= 0 && column >= 0 && column < columns) this.cells[row * columns + column] += 1;
    }
    const colours = ["good", "severity-minor", "severity-moderate", "severity-severe", "severity-extreme"].map((name) => this.context.colour(name));
    const size = Math.max(1.5, 0.4 * this.scale);
    const half = size / 2;
    // One colour after the other: changing the pen's colour for each person would cost the most.
    for (let level = 0; level < colours.length; level += 1) {
      pen.fillStyle = colours[level];
      for (let person = 0; person < people; person += 1) {
        let x = table[now + person];
        if (x === GONE) continue;
        let y = table[now + people + person];
        const column = Math.floor((x * unit - left) / 2);
        const row = Math.floor((y * unit - bottom) / 2);
        const density = (this.cells[row * columns + column] ?? 0) / 4;
        const own = density < 1 ? 0 : density < 2 ? 1 : density < 3.5 ? 2 : density < 5 ? 3 : 4;
        if (own !== level) continue;
        const x2 = table[next + person];
        if (x2 !== GONE) { x += (x2 - x) * part; y += (table[next + people + person] - y) * part; }
        pen.fillRect((x * unit - left) * this.scale - half, this.canvas.height - (y * unit - bottom) * this.scale - half, size, size);
      }
    }
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
    return left_over;
  }
}
