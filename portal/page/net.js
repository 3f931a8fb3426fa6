/** The portal's API: every call has a time limit, and answers are plain `{status, body}`. */
const LIMIT_MS = 20_000;
const LONGEST_WAIT_S = 15;

/** Throws when the server could not be reached. */
export async function call(method, path, body) {
  const reply = await fetch(path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  return { status: reply.status, body: await reply.json().catch(() => ({})) };
}

/** Calls until the server says something final; `waiting(seconds, tryNow)` hears of every pause, null at its end. */
export async function callUntilHeard(method, path, body, waiting = () => {}) {
  for (let seconds = 1; ; seconds = Math.min(seconds * 2, LONGEST_WAIT_S)) {
    const reply = await call(method, path, body).catch(() => null);
    if (reply && reply.status < 500 && reply.status !== 408 && reply.status !== 429) return reply;
    await pause(seconds, waiting);
  }
}

function pause(seconds, waiting) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      waiting(null);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    addEventListener("online", end);
    waiting(seconds, end);
  });
}

export const path = (...parts) => `/api/${parts.map(encodeURIComponent).join("/")}`;
