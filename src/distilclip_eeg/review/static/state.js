// What the page is about right now. Whoever changes it tells the others by name.

const listeners = new Map();

export const state = {
  about: null, // of the open recording, as the server gives it
  reviewer: "",
  reviews: [], // of all reviewers
  candidates: [], // the model's events at the threshold
  threshold: null,
  probability: null,
  spectrogram: null,
  start: 0, // first second on the page
  width: 10, // seconds on the page
  montage: "longitudinal",
  sensitivity: 7, // µV/mm
  highpass: 0.5,
  lowpass: 70,
  notch: 0,
  negativeUp: true,
  cursor: null, // second that was clicked
  selection: null, // [start, stop] that was drawn
  chosen: null, // key of the chosen event
  look: null,
  lookOn: false,
};

export function on(names, what) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(what);
  }
}

export function tell(name, ...about) {
  for (const what of listeners.get(name) ?? []) what(...about);
}

export function myReview() {
  return state.reviews.find((r) => r.reviewer === state.reviewer) ?? null;
}

// Everything that can be chosen: what I decided, and what is open of the model's.
export function myEvents() {
  const mine = (myReview()?.events ?? []).map((e) => ({
    ...e, key: e.id, kind: e.is_seizure ? "seizure" : "rejected",
  }));
  const open = state.candidates.filter((c) => !c.is_decided).map((c) => ({
    ...c, key: `open-${c.onset}-${c.duration}`, kind: "open", comment: "",
  }));
  return [...mine, ...open].sort((a, b) => a.onset - b.onset);
}

export function chosenEvent() {
  return myEvents().find((e) => e.key === state.chosen) ?? null;
}

export function moveTo(start) {
  const last = Math.max(0, (state.about?.duration_s ?? 0) - state.width);
  state.start = Math.min(Math.max(0, start), last);
  tell("moved");
}

export function zoomTo(width, around = state.start + state.width / 2) {
  const share = (around - state.start) / state.width;
  state.width = Math.min(Math.max(1, width), Math.max(1, state.about.duration_s));
  moveTo(around - share * state.width);
  tell("zoomed");
}
