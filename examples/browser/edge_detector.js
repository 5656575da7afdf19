/**
 * The edge detector for a browser or node: microvolts in, seizures out.
 *
 * Takes one second at a time. Filters, windows and thresholds come from the model
 * folder; the network is run by onnxruntime-web (or anything with its interface).
 * Not a medical device.
 */

const RATE = 256; // Hz; a recording at another rate is resampled before
const OTHER_NAMES = { T3: "T7", T4: "T8", T5: "P7", T6: "P8" };

/** Names of electrodes (FP1) or leads (FP1-F7), and their microvolts, of an EDF file. */
export function readEdf(buffer) {
  const bytes = new Uint8Array(buffer);
  const text = (at, width) =>
    String.fromCharCode(...bytes.subarray(at, at + width)).trim();
  const n = Number(text(252, 4));
  const field = (at, width) =>
    Array.from({ length: n }, (_, i) => text(256 + n * at + i * width, width));
  const [low, high, digitalLow, digitalHigh, size] = [104, 112, 120, 128, 216].map(
    (at) => field(at, 8).map(Number),
  );
  const perRecord = size.reduce((a, b) => a + b, 0);
  const first = 256 * (n + 1);
  const records = Math.floor((bytes.length - first) / (2 * perRecord));
  const view = new DataView(buffer, first);
  const names = [], channels = [];
  let skip = 0;
  for (let i = 0; i < n; skip += size[i++]) {
    if (size[i] !== RATE * Number(text(244, 8))) continue; // annotations, slow sensors
    const gain = (high[i] - low[i]) / (digitalHigh[i] - digitalLow[i]);
    const uv = new Float32Array(records * size[i]);
    for (let r = 0, k = 0; r < records; r++)
      for (let t = 0; t < size[i]; t++, k++) {
        const digital = view.getInt16(2 * (r * perRecord + skip + t), true);
        uv[k] = (digital - digitalLow[i]) * gain + low[i];
      }
    names.push(electrodeOrLead(field(0, 16)[i]));
    channels.push(uv);
  }
  return { names, channels, seconds: channels.length ? channels[0].length / RATE : 0 };
}

function electrodeOrLead(label) {
  const bare = label.toUpperCase().replace(/^EEG |-(REF|AVG|LE|AR)$/g, "");
  return bare.split("-").map((point) => OTHER_NAMES[point] ?? point).join("-");
}

/** Second `s` of every channel; a last, incomplete one is held at its last value. */
export function second(channels, s) {
  return channels.map((uv) =>
    Float32Array.from({ length: RATE }, (_, t) => uv[Math.min(s * RATE + t, uv.length - 1)]),
  );
}

/** Eighteen conditioned leads, and which of them can be trusted in this second. */
class Conditioner {
  constructor(names, signal) {
    this.leads = signal.leads.map((lead) => {
      const way = names.includes(lead) ? [lead] : lead.split("-"); // stored, or a difference
      const at = way.map((point) => names.indexOf(point));
      return at.includes(-1) ? [] : at;
    });
    this.band = signal.filter_sos.band;
    this.notch = signal.filter_sos.notch;
    this.state = this.leads.map(() =>
      [...this.band, ...this.notch].map(() => [0, 0]),
    );
  }

  push(channels) {
    const bad = channels.map(isFaulty);
    const taken = this.leads.map((way) =>
      Float64Array.from({ length: RATE }, (_, t) =>
        way.reduce((sum, at, i) => sum + (i ? -1 : 1) * finite(channels[at][t]), 0),
      ),
    );
    this.first ??= taken.map((lead) => lead[0]); // else its step would ring
    const leads = [], usable = [];
    taken.forEach((lead, row) => {
      const state = this.state[row], n = this.band.length;
      const withHum = filtered(lead.map((x) => x - this.first[row]), this.band, state);
      const eeg = filtered(withHum, this.notch, state.slice(n));
      leads.push(eeg);
      usable.push(
        this.leads[row].length > 0 && !this.leads[row].some((at) => bad[at]) &&
          !isLoose(eeg, withHum),
      );
    });
    return { leads, usable };
  }
}

const finite = (x) => (Number.isFinite(x) ? x : 0);
const peakToPeak = (x) => Math.max(...x) - Math.min(...x);
const rms = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);

/** Not a number, flat, or at its own extreme in runs, as a full amplifier is. */
function isFaulty(uv) {
  if (!uv.every(Number.isFinite)) return true;
  const high = Math.max(...uv), low = Math.min(...uv);
  const atRail = (t) => uv[t] === high || uv[t] === low;
  let run = 0, held = 0;
  for (let t = 0; t < uv.length; t++) {
    run = atRail(t) ? run + 1 : 0;
    if (run >= 4) held++;
  }
  return high - low < 0.5 || (held > 0.05 * uv.length && high - low > 50);
}

function isLoose(eeg, withHum) {
  const hum = rms(withHum.map((x, t) => x - eeg[t]));
  const huge = Math.max(...eeg.map(Math.abs)) > 5000;
  return huge || peakToPeak(eeg) < 0.5 || (hum > 100 && hum > 5 * rms(eeg));
}

/** Second-order sections, direct form II transposed; the state is carried. */
function filtered(x, sections, state) {
  sections.forEach(([b0, b1, b2, , a1, a2], i) => {
    const z = state[i];
    x = x.map((u) => {
      const y = b0 * u + z[0];
      z[0] = b1 * u - a1 * y + z[1];
      z[1] = b2 * u - a2 * y;
      return y;
    });
  });
  return x;
}

/** Running mean and hysteresis: log-odds, second by second -> events. */
class Alarms {
  constructor(rules, scale) {
    this.rules = rules;
    this.scale = scale ?? { slope: 1, intercept: 0 }; // of confidence
    this.ahead = Math.floor(rules.smoothing_s / 2);
    this.recent = [];
    this.kept = []; // probabilities from second `start` on
    this.start = this.end = 0;
    this.event = this.run = null;
  }

  push(logOdds) {
    const { ahead, recent, rules } = this;
    recent.push(logOdds);
    if (recent.length > rules.smoothing_s) recent.shift();
    this.taken = (this.taken ?? 0) + 1;
    if (this.taken <= ahead) return {};
    const own = recent[recent.length - 1 - ahead];
    const near = recent.filter((x) => !Number.isNaN(x));
    const probability = Number.isNaN(own) ? NaN : 1 / (1 + Math.exp(-mean(near)));
    return { probability, event: this.decide(probability) };
  }

  decide(probability) {
    const { rules, kept } = this;
    kept.push(probability);
    this.end++;
    if (probability >= rules.offset_threshold) {
      this.run ??= this.end - 1;
      if (Math.max(...kept.slice(this.run - this.start)) >= rules.onset_threshold)
        this.event = [this.event?.[0] ?? this.run, this.end]; // near the last: the same
      return null;
    }
    this.run = null;
    const over = this.event && this.end - this.event[1] >= rules.min_gap_s;
    const ended = over ? this.named() : null;
    if (over || !this.event) [this.event, this.start, this.kept] = [null, this.end, []];
    return ended;
  }

  named() {
    const [onset, end] = this.event;
    if (end - onset < this.rules.min_duration_s) return null;
    const during = this.kept.slice(onset - this.start, end - this.start);
    const p = mean(during.filter((p) => !Number.isNaN(p)));
    return { onset, end, confidence: this.sure(Math.min(Math.max(p, 1e-6), 1 - 1e-6)) };
  }

  /** Mean probability -> that of a seizure, where the model was measured. */
  sure(p) {
    const { slope, intercept } = this.scale;
    return 1 / (1 + Math.exp(-intercept) * (1 / p - 1) ** slope);
  }

  get current() {
    return this.event && this.end === this.event[1] ? this.named() : null;
  }
}

const mean = (x) => x.reduce((a, b) => a + b, 0) / x.length;

/** The whole way: `push` a second of every channel, `close` at the end. */
export class EdgeDetector {
  /** `ort`: onnxruntime-web; `network`: bytes of the .onnx; `settings`: config.json. */
  static async load(ort, network, settings, names) {
    const session = await ort.InferenceSession.create(network);
    return new EdgeDetector(ort, session, settings, names);
  }

  constructor(ort, session, settings, names) {
    this.ort = ort;
    this.session = session;
    this.signal = settings.signal;
    this.background = settings.classes.indexOf("background");
    this.conditioner = new Conditioner(names, settings.signal);
    this.alarms = new Alarms(settings.detection, settings.confidence);
    this.recent = []; // the last window's seconds
    this.odds = []; // of the seconds from `done` on: one number per window
    this.n = this.done = 0;
  }

  /** Take in a second: what it settles, as [{probability, event}]. */
  async push(channels) {
    const { window_s: length, hop_s: hop } = this.signal;
    this.recent.push(this.conditioner.push(channels));
    if (this.recent.length > length) this.recent.shift();
    this.n++;
    if (this.n < length || (this.n - length) % hop) return [];
    await this.look(this.n - length);
    return this.settle(this.done + hop);
  }

  /** End the recording: what is left. */
  async close() {
    const { window_s: length, hop_s: hop, leads } = this.signal;
    if (this.n < length || (this.n - length) % hop) {
      while (this.recent.length < length)
        this.recent.push({
          leads: leads.map(() => new Float64Array(RATE)),
          usable: leads.map(() => false),
        });
      await this.look(Math.max(0, this.n - length));
    }
    const found = this.settle(this.n);
    for (let i = 0; i <= this.alarms.ahead + this.alarms.rules.min_gap_s; i++)
      found.push(this.alarms.push(NaN));
    return found;
  }

  async look(start) {
    const { window_s: length, leads } = this.signal;
    const eeg = new Float32Array(leads.length * length * RATE);
    const usable = new Float32Array(leads.length * length);
    this.recent.forEach((one, s) =>
      leads.forEach((_, row) => {
        eeg.set(one.leads[row], (row * length + s) * RATE);
        usable[row * length + s] = one.usable[row] ? 1 : 0;
      }),
    );
    const { Tensor } = this.ort;
    const found = await this.session.run({
      eeg: new Tensor("float32", eeg, [1, leads.length, length * RATE]),
      usable: new Tensor("float32", usable, [1, leads.length, length]),
    });
    const score = (logits, s) =>
      logits.data[2 * s + 1 - this.background] - logits.data[2 * s + this.background];
    for (let s = 0; s < length; s++) {
      if (start + s < this.done) continue; // settled
      const seen = this.recent[s].usable.some(Boolean);
      const odds = (score(found.window_logits, 0) + score(found.second_logits, s)) / 2;
      (this.odds[start + s] ??= []).push(seen ? odds : NaN);
    }
  }

  settle(until) {
    const found = [];
    for (; this.done < until; this.done++) {
      found.push(this.alarms.push(mean(this.odds[this.done])));
      delete this.odds[this.done];
    }
    return found;
  }
}
