// The whole recording in one strip: probability, frequencies left and right, events.

import { moveTo, myEvents, state } from "./state.js";
import { clock } from "./time.js";
import { colour, heat } from "./colours.js";

const LABELS = 78;
const LANES = { probability: [4, 46], left: [53, 33], right: [88, 33], events: [125, 14] };
const AXIS_Y = 154;

let canvas = null, image = null, asked = false, isHeld = false;

export function setUp(element) {
  canvas = element;
  new ResizeObserver(refresh).observe(canvas);
  canvas.addEventListener("pointerdown", (event) => {
    isHeld = true;
    canvas.setPointerCapture(event.pointerId);
    goTo(event);
  });
  canvas.addEventListener("pointermove", (event) => isHeld && goTo(event));
  canvas.addEventListener("pointerup", () => { isHeld = false; });
}

function goTo(event) {
  if (!state.about) return;
  const { left, width } = canvas.getBoundingClientRect();
  const share = (event.clientX - left - LABELS) / (width - LABELS);
  moveTo(share * state.about.duration_s - state.width / 2);
}

export function refresh() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; if (state.about && canvas.clientWidth) draw(); });
}

// Colours run from the 5th to the 98th percentile of what was recorded.
export function paintSpectrogram() {
  image = null;
  const drawn = state.spectrogram;
  if (!drawn) return refresh();
  const [, nHz, nColumns] = drawn.shape;
  const known = Array.from(drawn.values.filter((v) => !Number.isNaN(v))).sort((a, b) => a - b);
  const low = known[Math.floor(0.05 * known.length)] ?? 0;
  const high = known[Math.floor(0.98 * known.length)] ?? 1;
  image = [0, 1].map((side) => {
    const sheet = document.createElement("canvas");
    sheet.width = nColumns; sheet.height = nHz;
    const c = sheet.getContext("2d"), pixels = c.createImageData(nColumns, nHz);
    for (let f = 0; f < nHz; f += 1) {
      for (let t = 0; t < nColumns; t += 1) {
        const v = drawn.values[(side * nHz + f) * nColumns + t];
        const at = 4 * ((nHz - 1 - f) * nColumns + t);
        if (Number.isNaN(v)) continue;
        pixels.data.set([...heat((v - low) / (high - low || 1)), 255], at);
      }
    }
    c.putImageData(pixels, 0, 0);
    return sheet;
  });
  refresh();
}

function draw() {
  const ratio = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  c.font = "11px system-ui, sans-serif";
  const x = (s) => LABELS + (s / state.about.duration_s) * (width - LABELS);
  drawAxis(c, x, width);
  drawSpectrograms(c, x, width);
  drawProbability(c, x, width);
  drawEvents(c, x);
  drawLabels(c);
  const a = x(state.start), b = Math.max(x(state.start + state.width), a + 2);
  c.fillStyle = colour("ink");
  c.globalAlpha = 0.1; c.fillRect(a, 0, b - a, AXIS_Y - 12); c.globalAlpha = 1;
  c.strokeStyle = colour("ink"); c.lineWidth = 1.5;
  c.strokeRect(a, 1, b - a, AXIS_Y - 14);
}

function drawLabels(c) {
  c.textAlign = "right"; c.textBaseline = "middle";
  for (const [lane, text, name] of [["probability", "Probability", "ink"], ["left", "Left", "left"],
    ["right", "Right", "right"], ["events", "Events", "ink"]]) {
    const [top, tall] = LANES[lane];
    c.fillStyle = colour(name);
    c.fillText(text, LABELS - 7, top + tall / 2);
  }
  c.fillStyle = colour("soft");
  c.font = "9px system-ui, sans-serif";
  if (image) {
    const [, nHz] = state.spectrogram.shape, top = nHz * state.spectrogram.step_hz;
    c.fillText(`${Math.round(top)} Hz`, LABELS - 7, LANES.left[0] + 4);
    c.fillText(`${Math.round(top)} Hz`, LABELS - 7, LANES.right[0] + 4);
  }
}

function drawAxis(c, x, width) {
  const all = state.about.duration_s, offset = state.about.starts_at_s ?? 0;
  const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200];
  const step = steps.find((s) => (s / all) * (width - LABELS) > 86) ?? 86400;
  c.fillStyle = colour("soft"); c.textAlign = "center"; c.textBaseline = "alphabetic";
  c.strokeStyle = colour("grid");
  for (let t = Math.ceil(offset / step) * step - offset; t <= all; t += step) {
    const at = x(t);
    c.beginPath(); c.moveTo(at, 0); c.lineTo(at, AXIS_Y - 12); c.stroke();
    if (at > LABELS + 20 && at < width - 24) c.fillText(clock(t, state.about.starts_at_s), at, AXIS_Y);
  }
}

function drawSpectrograms(c, x, width) {
  for (const [i, lane] of ["left", "right"].entries()) {
    const [top, tall] = LANES[lane];
    c.fillStyle = colour("panel"); c.fillRect(LABELS, top, width - LABELS, tall);
    if (!image) continue;
    const { column_s, shape } = state.spectrogram;
    c.imageSmoothingEnabled = true;
    c.drawImage(image[i], LABELS, top, x(column_s * shape[2]) - LABELS, tall);
  }
}

function drawProbability(c, x, width) {
  const [top, tall] = LANES.probability, values = state.probability;
  c.fillStyle = colour("panel"); c.fillRect(LABELS, top, width - LABELS, tall);
  if (!values) {
    c.fillStyle = colour("soft"); c.textAlign = "left"; c.textBaseline = "middle";
    const { state: how, why } = state.about.detection;
    const says = { running: "Detecting …", waiting: "Waiting for detection …",
      failed: `No detection: ${why}`, done: "The detector kept no probabilities", none: "No detection" };
    c.fillText(says[how], LABELS + 10, top + tall / 2);
    return;
  }
  const y = (p) => top + tall - p * tall;
  const perPixel = Math.max(1, values.length / (width - LABELS));
  for (let i = 0; i < values.length; i += perPixel) {
    let most = NaN;
    for (let k = Math.floor(i); k < Math.min(values.length, i + perPixel); k += 1) {
      if (!(values[k] <= most)) most = Number.isNaN(values[k]) ? most : values[k];
    }
    if (!(most > 0)) continue;
    const wide = Math.max(1, x(i + perPixel) - x(i)) + 0.3;
    c.fillStyle = colour("model-area");
    c.fillRect(x(i), y(most), wide, most * tall);
    c.fillStyle = colour("model");
    c.fillRect(x(i), y(most), wide, 1.5);
  }
  c.strokeStyle = colour("ink"); c.lineWidth = 1; c.setLineDash([4, 3]);
  c.beginPath(); c.moveTo(LABELS, y(state.threshold)); c.lineTo(width, y(state.threshold)); c.stroke();
  c.setLineDash([]);
}

function drawEvents(c, x) {
  const [top, tall] = LANES.events;
  for (const event of myEvents()) {
    const a = x(event.onset), wide = Math.max(3, x(event.onset + event.duration) - a);
    const name = { open: "model", seizure: "yes", rejected: "no" }[event.kind];
    c.fillStyle = c.strokeStyle = colour(name);
    c.lineWidth = 1.2;
    if (event.kind === "seizure") c.fillRect(a, top, wide, tall - 4);
    else c.strokeRect(a + 0.5, top + 0.5, wide - 1, tall - 5);
    if (event.kind === "rejected") {
      c.beginPath(); c.moveTo(a, top + tall - 4); c.lineTo(a + wide, top); c.stroke();
    }
    if (event.key === state.chosen) { c.fillStyle = colour("ink"); c.fillRect(a - 1, top + tall - 2, wide + 2, 2); }
  }
  c.fillStyle = colour("others");
  for (const review of state.reviews.filter((r) => r.reviewer !== state.reviewer)) {
    for (const event of review.events.filter((e) => e.is_seizure)) {
      c.fillRect(x(event.onset), top + tall - 3, Math.max(3, x(event.onset + event.duration) - x(event.onset)), 2);
    }
  }
}
