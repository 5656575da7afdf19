// How the traces are shown: montage, sensitivity, timebase, filters, polarity, threshold.

import { state, tell, zoomTo } from "./state.js";
import { length } from "./time.js";
import { paperWidth } from "./traces.js";

export const SENSITIVITIES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200];
const SPEEDS = [60, 30, 15, 10]; // mm/s
const WIDTHS = [60, 300, 900, 3600, 14400]; // s per page
const HIGHPASS = [0, 0.1, 0.3, 0.5, 1, 1.6, 5];
const LOWPASS = [0, 15, 30, 50, 70];
const NOTCH = [0, 50, 60];
const KEPT = "distilclip-review-view";
const KEPT_NAMES = ["sensitivity", "highpass", "lowpass", "notch", "negativeUp"];
const $ = (id) => document.getElementById(id);

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

export function setUp() {
  try { Object.assign(state, JSON.parse(localStorage.getItem(KEPT) ?? "{}")); } catch { localStorage.removeItem(KEPT); }
  const hz = (values) => values.map((v) => [v, v ? `${v} Hz` : "off"]);
  fill($("sensitivity"), SENSITIVITIES.map((v) => [v, `${v} µV/mm`]));
  fill($("highpass"), hz(HIGHPASS));
  fill($("lowpass"), hz(LOWPASS));
  fill($("notch"), hz(NOTCH));
  for (const name of ["sensitivity", "highpass", "lowpass", "notch"]) {
    if (![...$(name).options].some((o) => Number(o.value) === state[name])) state[name] = Number($(name).options[0].value);
    $(name).value = state[name];
    $(name).addEventListener("change", () => set(name, Number($(name).value)));
  }
  $("negative-up").checked = state.negativeUp;
  $("negative-up").addEventListener("change", () => set("negativeUp", $("negative-up").checked));
  $("montage").addEventListener("change", () => set("montage", $("montage").value));
  $("timebase").addEventListener("change", () => setTimebase($("timebase").value));
}

export function set(name, value) {
  state[name] = value;
  localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(KEPT_NAMES.map((n) => [n, state[n]]))));
  const control = $(name === "negativeUp" ? "negative-up" : name);
  if (control.type === "checkbox") control.checked = value;
  else control.value = value;
  tell(name === "sensitivity" || name === "negativeUp" ? "scaled" : "refiltered", name);
}

export function cycle(name, by) {
  const options = [...$(name).options].map((o) => (name === "montage" ? o.value : Number(o.value)));
  const at = options.indexOf(state[name]);
  const wraps = name === "montage" || name === "notch" || name === "highpass" || name === "lowpass";
  const next = wraps ? (at + by + options.length) % options.length : Math.min(Math.max(at + by, 0), options.length - 1);
  set(name, options[next]);
}

export function offerMontages() {
  fill($("montage"), state.about.montages.map((m) => [m.name,
    m.name[0].toUpperCase() + m.name.slice(1) + (m.missing.length ? ` (${m.traces.length})` : "")]));
  if (!state.about.montages.some((m) => m.name === state.montage)) state.montage = state.about.montages[0].name;
  $("montage").value = state.montage;
  $("montage").title = state.about.montages.filter((m) => m.missing.length)
    .map((m) => `${m.name}: without ${m.missing.join(" ")}`).join("\n");
}

export function offerTimebases() {
  const all = state.about.duration_s;
  fill($("timebase"), [
    ...SPEEDS.map((v) => [`${v} mm/s`, `${v} mm/s · ${(paperWidth() / v).toFixed(1)} s`]),
    ...WIDTHS.filter((w) => w < all && w > paperWidth() / 10).map((w) => [w, length(w)]),
    [all, "whole recording"],
  ]);
  sayTimebase();
}

export function setTimebase(value, around = undefined) {
  const speed = String(value).endsWith("mm/s");
  zoomTo(speed ? paperWidth() / parseFloat(value) : Number(value), around);
}

export function zoomStep(by) {
  const widths = [...SPEEDS.map((v) => paperWidth() / v), ...WIDTHS.filter((w) => w > paperWidth() / 10), state.about.duration_s]
    .filter((w) => w <= state.about.duration_s + 1e-6).sort((a, b) => a - b);
  const next = by > 0 ? widths.find((w) => w > state.width * 1.01) : widths.findLast((w) => w < state.width * 0.99);
  const around = state.cursor !== null && state.cursor >= state.start && state.cursor <= state.start + state.width ? state.cursor : undefined;
  if (next) zoomTo(next, around);
}

export function sayTimebase() {
  const select = $("timebase");
  const isAt = (o) => Math.abs((o.value.endsWith("mm/s") ? paperWidth() / parseFloat(o.value) : Number(o.value)) - state.width) < 0.01;
  const at = [...select.options].find(isAt);
  [...select.options].filter((o) => o.dataset.free).forEach((o) => o !== at && o.remove());
  if (at) { select.value = at.value; return; }
  const free = new Option(`${state.width < 60 ? state.width.toFixed(1) + " s" : length(state.width)}`, state.width);
  free.dataset.free = "1";
  select.append(free);
  select.value = free.value;
}
