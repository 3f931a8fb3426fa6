/** What a worker has not submitted yet, kept in this browser under the worker and the task. */
const PREFIX = "labelloop/draft/";
const KEPT_MS = 30 * 86_400_000;

export class Draft {
  #key;
  #known = null; // what this tab read or wrote last

  constructor(worker, task) {
    this.#key = PREFIX + JSON.stringify([worker, task]);
  }

  /** The draft as it was written, or null: none, damaged, or storage refused. */
  read() {
    this.#known = stored(this.#key);
    return parsed(this.#known);
  }

  /** Whether another tab has written or sent the draft since this one read or wrote it. */
  get isOvertaken() {
    return stored(this.#key) !== this.#known;
  }

  /** Whether the draft is an answer that another tab is sending, or could not send before it was closed. */
  get isSentElsewhere() {
    return this.isOvertaken && Boolean(parsed(stored(this.#key))?.pending);
  }

  /** Returns whether the browser took it. */
  write(draft) {
    const text = JSON.stringify({ ...draft, written: Date.now() });
    try {
      localStorage.setItem(this.#key, text);
      this.#known = text;
      return true;
    } catch {
      return false;
    }
  }

  forget() {
    localStorage.removeItem(this.#key);
  }
}

export function forgetOldDrafts() {
  const drafts = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  for (const key of drafts) if (!(parsed(stored(key))?.written > Date.now() - KEPT_MS)) localStorage.removeItem(key);
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
