// The page's colours as the style sheet has them, and a scale whose lightness rises.

let known = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  known = new Map();
});

export function colour(name) {
  if (!known.has(name)) {
    known.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return known.get(name);
}

const STOPS = [[12, 10, 48], [62, 26, 110], [138, 38, 112], [211, 74, 74], [246, 152, 42], [252, 240, 150]];

// share 0..1 -> [r, g, b]; darker is less, in grey too.
export function heat(share) {
  const x = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const i = Math.min(Math.floor(x), STOPS.length - 2), f = x - i;
  return STOPS[i].map((c, k) => Math.round(c + f * (STOPS[i + 1][k] - c)));
}

// Diagonal lines, so that a mark is told by more than its colour.
export function hatch(context, stroke, step, width = 1) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = step;
  const c = tile.getContext("2d");
  c.strokeStyle = stroke;
  c.lineWidth = width;
  c.beginPath();
  for (const d of [-step, 0, step]) { c.moveTo(d, step); c.lineTo(d + step, 0); }
  c.stroke();
  return context.createPattern(tile, "repeat");
}
