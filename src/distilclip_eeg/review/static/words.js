// Moments of all recordings, asked for in words.

import { get } from "./api.js";
import { tell } from "./state.js";
import { length } from "./time.js";

const $ = (id) => document.getElementById(id);
const POLL_MS = 2000;
let asked = 0;

export function setUp() {
  $("words-form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask($("words").value.trim());
  });
}

async function ask(words) {
  const mine = ++asked;
  if (!words) { $("moments").replaceChildren(); $("words-says").textContent = ""; return; }
  $("words-says").textContent = "Searching …";
  do {
    let answer;
    try { answer = await get("search", { words }); } catch (error) {
      if (mine === asked) { $("words-says").textContent = error.message; $("moments").replaceChildren(); }
      return;
    }
    if (mine !== asked) return;
    draw(answer);
    if (!answer.n_waiting) return;
    await new Promise((done) => { setTimeout(done, POLL_MS); });
  } while (mine === asked);
}

function draw({ moments, n_searched, n_waiting, n_failed }) {
  const parts = [`${n_searched} recording${n_searched === 1 ? "" : "s"} searched`];
  if (n_waiting) parts.push(`${n_waiting} to come`);
  if (n_failed) parts.push(`${n_failed} cannot be read`);
  $("words-says").textContent = `${parts.join(", ")}; most alike first.`;
  $("moments").replaceChildren(...moments.map((moment) => {
    const li = document.createElement("li"), button = document.createElement("button");
    button.textContent = `${moment.name} · ${length(moment.onset)} in`;
    button.title = `Score ${moment.score.toFixed(2)}`;
    button.addEventListener("click", () => tell("open", `${moment.id}@${moment.onset}`));
    li.append(button);
    return li;
  }));
}
