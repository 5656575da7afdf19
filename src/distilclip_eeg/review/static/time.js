// Seconds of a recording as people write them.

const two = (n) => String(n).padStart(2, "0");

// Time of day where the recording says when it began, else time since it began.
export function clock(seconds, startsAt, digits = 0) {
  const factor = 10 ** digits;
  const whole = Math.round((seconds + (startsAt ?? 0)) * factor) / factor;
  const days = Math.floor(whole / 86400);
  const rest = whole - days * 86400;
  const h = Math.floor(rest / 3600), m = Math.floor(rest / 60) % 60;
  const s = (rest % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${two(h)}:${two(m)}:${s}${days > 0 ? ` +${days}d` : ""}`;
}

export function length(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 120) return `${Math.round(seconds * 10) / 10} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)}`;
}
