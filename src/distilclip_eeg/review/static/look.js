// Where the model looked around the cursor: leads by seconds.

import { get } from "./api.js";
import { state, tell } from "./state.js";
import { clock } from "./time.js";
import { colour } from "./colours.js";

const LABELS = 58, BOTTOM = 13;
let canvas = null, says = null, newest = 0;

export function setUp(element, text) {
  [canvas, says] = [element, text];
  new ResizeObserver(draw).observe(canvas);
}

export async function look() {
  if (!state.lookOn || !state.about) { draw(); return; }
  const at = state.cursor ?? state.start + state.width / 2;
  const known = state.look;
  if (known && known.id === state.about.id && known.at === at) return;
  const mine = (newest += 1);
  says.textContent = "Asking the model …";
  try {
    const found = await get(`recordings/${state.about.id}/map`, { at });
    if (mine !== newest) return;
    state.look = { ...found, at, id: state.about.id };
    says.textContent = "";
  } catch (error) {
    if (mine !== newest) return;
    state.look = null;
    says.textContent = error.message;
  }
  draw();
  tell("looked");
}

export function draw() {
  canvas.hidden = !state.lookOn || !state.look;
  if (!state.lookOn) says.textContent = "Switch on, then click into the traces.";
  const ratio = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  const found = state.look;
  const nRows = found.leads.length, n = found.values[0].length;
  const most = Math.max(...found.values.flat().filter((v) => v !== null), 0);
  const tall = (height - BOTTOM) / nRows, wide = (width - LABELS) / n;
  c.font = "9px system-ui, sans-serif"; c.textBaseline = "middle"; c.textAlign = "right";
  found.leads.forEach((lead, r) => {
    const digit = lead.match(/\d+/g)?.map(Number) ?? [];
    c.fillStyle = colour(digit.length ? (digit[0] % 2 ? "left" : "right") : "middle");
    c.fillText(lead.replace(/\bFP/g, "Fp").replace(/Z\b/g, "z"), LABELS - 5, (r + 0.5) * tall);
    for (let s = 0; s < n; s += 1) {
      const v = found.values[r][s];
      c.fillStyle = colour("grid");
      c.fillRect(LABELS + s * wide + 0.5, r * tall + 0.5, wide - 1, tall - 1);
      if (!found.usable[r][s]) { c.strokeStyle = colour("soft"); c.beginPath();
        c.moveTo(LABELS + s * wide + 2, (r + 0.5) * tall); c.lineTo(LABELS + (s + 1) * wide - 2, (r + 0.5) * tall); c.stroke(); continue; }
      if (v > 0 && most > 0) {
        c.fillStyle = `rgba(196, 104, 0, ${Math.min(1, v / most)})`;
        c.fillRect(LABELS + s * wide + 0.5, r * tall + 0.5, wide - 1, tall - 1);
      }
    }
  });
  c.fillStyle = colour("soft"); c.textBaseline = "alphabetic";
  c.textAlign = "left"; c.fillText(clock(found.start_s, state.about.starts_at_s), LABELS, height - 2);
  c.textAlign = "right"; c.fillText(clock(found.start_s + n, state.about.starts_at_s), width, height - 2);
  says.textContent = summary(found, most);
}

function summary(found, most) {
  if (found.log_odds === null) return "Nothing can be seen here.";
  const p = Math.round(100 / (1 + Math.exp(-found.log_odds)));
  if (!(most > 0)) return `Window: ${p} %. No lead speaks for a seizure.`;
  const weight = found.leads.map((lead, r) => [found.values[r].reduce((a, v) => a + Math.max(0, v ?? 0), 0), lead]);
  weight.sort((a, b) => b[0] - a[0]);
  const against = found.against === "before" ? " More than before the event:" : " Most by";
  return `Window: ${p} %.${against} ${weight.slice(0, 3).filter(([w]) => w > 0).map(([, lead]) => lead).join(", ")}.`;
}
