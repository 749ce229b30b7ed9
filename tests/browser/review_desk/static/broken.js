export function mount() {
  throw new Error("the drawing has no <b>data</b>");
}
