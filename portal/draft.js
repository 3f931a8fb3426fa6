/** What a worker has not submitted yet, kept in this browser under the worker and the task. */
const PREFIX = "labelloop/draft/";
const KEPT_MS = 30 * 86_400_000;

export class Draft {
  #key;

  constructor(worker, task) {
    this.#key = PREFIX + JSON.stringify([worker, task]);
  }

  /** The draft as it was written, or null: none, damaged, or storage refused. */
  read() {
    return parsed(this.#key);
  }

  /** Returns whether the browser took it. */
  write(draft) {
    try {
      localStorage.setItem(this.#key, JSON.stringify({ ...draft, written: Date.now() }));
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
  for (const key of drafts) if (!(parsed(key)?.written > Date.now() - KEPT_MS)) localStorage.removeItem(key);
}

function parsed(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}
