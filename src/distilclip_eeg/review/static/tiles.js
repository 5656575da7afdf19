// Tiles of traces: fetched as they come into sight, a little ahead, and put together.

import { getValues } from "./api.js";
import { state, tell } from "./state.js";

const BIN_S = [0, 1 / 16, 1 / 4, 1, 4, 16];
const BINS = 960;
const WIDEST = [40, 150, 900, 3600, 14400, Infinity]; // seconds on the page, by level
const KEPT = 160;
const AGAIN_MS = 400;

const tiles = new Map(); // key -> { data, asked, whole }
let generation = 0;

export function tileLength(level) {
  return level ? BIN_S[level] * BINS : 10;
}

export function levelFor(width) {
  return WIDEST.findIndex((widest) => width <= widest);
}

export function forgetTiles() {
  tiles.clear();
  generation += 1;
}

function keyOf(level, index) {
  const { about, montage, highpass, lowpass, notch } = state;
  return [about.id, montage, highpass, lowpass, notch, level, index].join("|");
}

async function fetchTile(key, level, index) {
  const { about, montage, highpass, lowpass, notch } = state;
  const mine = generation;
  const entry = tiles.get(key) ?? { data: null, whole: false };
  entry.asked = true;
  tiles.set(key, entry);
  try {
    entry.data = await getValues(`recordings/${about.id}/tile`,
      { montage, highpass, lowpass, notch, level, index });
    entry.whole = entry.data.is_whole;
  } catch (error) {
    entry.whole = true; // asked for again when the page is opened anew
    tell("trouble", `Traces: ${error.message}`);
  }
  entry.asked = false;
  if (mine !== generation) return;
  if (!entry.whole) setTimeout(() => mine === generation && tell("tiles"), AGAIN_MS);
  tell("tiles");
}

function wanted(level, index) {
  const key = keyOf(level, index);
  const entry = tiles.get(key);
  if (!entry || (!entry.whole && !entry.asked)) fetchTile(key, level, index);
  if (entry) { tiles.delete(key); tiles.set(key, entry); } // the last used is the last
  return entry;
}

function forgetOldest() {
  for (const [key, entry] of tiles) {
    if (tiles.size <= KEPT) return;
    if (!entry.asked) tiles.delete(key);
  }
}

// Everything on the page and one tile to either side.
// Returns { id, times, rows }, rows[trace][i] in µV or null; id changes when they do.
export function assemble(nTraces) {
  const level = levelFor(state.width), length = tileLength(level);
  const end = state.about.duration_s;
  const lastTile = Math.max(0, Math.ceil(end / length - 1e-9) - 1);
  const first = Math.max(0, Math.floor(state.start / length) - 1);
  const last = Math.min(lastTile, Math.floor((state.start + state.width) / length) + 1);
  const parts = [];
  let id = `${level}:`;
  for (let index = first; index <= last; index += 1) {
    const entry = wanted(level, index);
    if (entry?.data) {
      parts.push(entry.data);
      id += `${index}${entry.whole ? "" : `~${Math.random()}`},`;
    }
  }
  forgetOldest();
  return { id: `${generation}|${keyOf(level, "")}|${id}`, put: () => put(parts, nTraces) };
}

function put(parts, nTraces) {
  const times = [];
  const rows = Array.from({ length: nTraces }, () => []);
  let end = null;
  for (const { start_s, step_s, shape, values } of parts) {
    const n = shape[1];
    if (end !== null && start_s > end + 2 * step_s) { // a tile between is not there yet
      times.push(end);
      for (const row of rows) row.push(null);
    }
    for (let i = 0; i < n; i += 1) times.push(start_s + i * step_s);
    for (let r = 0; r < nTraces; r += 1) {
      const row = rows[r], from = r * n;
      for (let i = 0; i < n; i += 1) {
        const v = values[from + i];
        row.push(Number.isNaN(v) ? null : v);
      }
    }
    end = start_s + n * step_s;
  }
  return { times, rows };
}
