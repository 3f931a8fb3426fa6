/** Undo and redo over immutable states. Steps of the same `kind` in a row (nudges) are one step. */
export class History {
  #past = [];
  #future = [];
  #kind = null;

  constructor(state) {
    this.state = state;
  }

  push(state, kind = null) {
    if (kind === null || kind !== this.#kind) this.#past.push(this.state);
    this.#kind = kind;
    this.#future = [];
    this.state = state;
  }

  undo() {
    return this.#step(this.#past, this.#future);
  }

  redo() {
    return this.#step(this.#future, this.#past);
  }

  #step(from, to) {
    if (from.length === 0) return false;
    to.push(this.state);
    this.state = from.pop();
    this.#kind = null;
    return true;
  }
}
