/** What all annotating elements share: the stage with its tools, the list of marks, selection, undo, the draft.
 *
 * A state is `{marks, nothing, ...}`, never changed in place; every mark has an `id`. Subclasses say what a mark is:
 * `start(initial)`, `press`, `hover`, `drawTag`, `drawMark`, `describe`, `answer`, `stateOf(answer)`, `problem`
 * and how marks are added, removed, shifted and emptied.
 */
import { GRIP_REACH, View } from "./canvas.js";
import { Choices } from "./choices.js";
import { colourOf, dashOf, lineOf } from "./colours.js";
import { button, h, putRows } from "./dom.js";
import { History } from "./history.js";
import { inText, shortNames, visible } from "./names.js";

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MOST_DIGITS = 9;
const LONGEST_TAG = 28;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

export class Annotator extends HTMLElement {
  connectedCallback() {
    if (this.panel) return;
    this.labels = this.json("labels", []);
    this.history = new History(this.start(this.json("initial-value", [])));
    this.label = this.labels[0];
    this.choices ??= this.labels;
    this.short = shortNames(this.labels, LONGEST_TAG);
    this.rows = new Map();
    this.#build();
    this.shown = new Promise((shown) => {
      this.unseen = new Promise((unseen) => this.#load(this.getAttribute("src"), { shown, unseen }));
    });
  }

  json(attribute, otherwise) {
    return JSON.parse(this.getAttribute(attribute) || "null") ?? otherwise;
  }

  get state() {
    return this.history.state;
  }

  set state(state) {
    this.history = new History(state);
    this.selectedId = null;
    this.refresh();
  }

  restore(answer) {
    this.state = this.stateOf(answer);
  }

  get selected() {
    return this.state.marks.find((mark) => mark.id === this.selectedId);
  }

  get size() {
    return this.view.image;
  }

  /** Whether nothing can be changed now: it is being sent, it is done, or the picture is not there yet. */
  get idle() {
    return this.locked || !this.size;
  }

  colour(label) {
    return colourOf(this.labels, label);
  }

  dash(label) {
    return dashOf(this.labels, label);
  }

  /** How a swatch of the label is drawn, as colours.js counts lines. */
  line(label) {
    return lineOf(this.labels, label);
  }

  /** The name as it stands on the picture. */
  tagOf(label) {
    return this.short.get(label) ?? inText(label);
  }

  /** The choices on the digits, from 1 on. */
  get quick() {
    return this.choices.slice(0, MOST_DIGITS);
  }

  /** The one way in which a worker changes anything. `kind` makes one undo step of equal changes in a row. */
  commit(change, kind = null) {
    if (this.idle) return this.refresh();
    this.history.push({ ...this.state, ...change }, kind);
    this.#changed();
  }

  replace(mark, kind) {
    this.commit({ marks: this.state.marks.map((other) => (other.id === mark.id ? mark : other)) }, kind);
  }

  travel(direction) {
    if (this.idle || !this.history[direction]()) return this.say(`Nothing to ${direction}`);
    this.#changed();
    this.say(direction === "undo" ? "Undone" : "Done again");
  }

  select(id, reveal = false) {
    if (id === this.selectedId) return;
    this.selectedId = id;
    if (this.selected) {
      this.label = this.selected.label;
      this.say(this.describe(this.selected));
      const anchor = this.anchor(this.selected);
      if (reveal && anchor && this.size) this.view.reveal(anchor);
    }
    this.refresh();
  }

  /** Selects the next mark; false when there is none left in this direction, so that the focus may move on. */
  cycle(step) {
    const marks = this.state.marks;
    const at = marks.indexOf(this.selected);
    const next = at < 0 ? (step > 0 ? 0 : marks.length - 1) : at + step;
    if (!marks[next]) {
      this.select(null);
      return false;
    }
    this.select(marks[next].id, true);
    return true;
  }

  setNothing(nothing) {
    if (this.idle) return this.refresh();
    this.commit({ marks: nothing ? this.emptied() : this.state.marks, nothing });
    this.say(nothing ? `Nothing here: no ${this.noun} is kept. U brings them back.` : "");
  }

  /** Arrow keys: `change(mark, dx, dy)` by 1 pixel, with Shift by 10; false when no mark is selected. */
  nudge(event, change) {
    if (!this.selected) return false;
    const [dx, dy] = ARROWS[event.key].map((step) => step * (event.shiftKey ? 10 : 1));
    this.replace(change(this.selected, dx, dy), `nudge ${event.ctrlKey} ${this.selectedId}`);
    return true;
  }

  /** How far from a line it can be gripped, in image pixels. */
  reach(event) {
    return (GRIP_REACH[event.pointerType] ?? GRIP_REACH.mouse) / this.view.scale;
  }

  keys() {
    const { noun } = this;
    const arrows = Object.keys(ARROWS);
    const shift = (mark, dx, dy) => this.shifted(mark, dx, dy);
    const choose = this.quick.map((_, index) => ({ keys: [String(index + 1)], run: () => this.#chooseQuick(index) }));
    Object.assign(choose[0] ?? {}, { shown: `1 – ${choose.length}`, does: this.digits });
    if (this.readOnly) return choose;
    return [
      ...choose,
      { keys: ["c", "/"], does: `find a ${this.choiceNoun} by its name`, run: () => this.options.find() },
      { keys: ["b"], does: `add a ${noun} in the middle of the view`, run: () => this.idle || this.add() },
      { keys: ["Delete", "Backspace"], shown: "Delete", does: `delete the selected ${noun}`, run: () => this.remove() },
      { keys: ["n"], does: "nothing here", run: () => this.setNothing(!this.state.nothing) },
      {
        keys: arrows,
        shown: "Arrows",
        repeats: true,
        does: `move the selected ${noun} by 1 pixel, with Shift by 10`,
        run: (event) => this.nudge(event, shift),
      },
    ];
  }

  #chooseQuick(index) {
    this.choose(this.choices.indexOf(this.quick[index]));
  }

  say(text) {
    this.status.textContent = text;
  }

  refresh() {
    if (this.selectedId != null && !this.selected) this.selectedId = null;
    this.nothingTick.checked = this.state.nothing;
    putRows(this.list, this.listed().map((mark, index) => this.#row(mark, index)));
    this.counted.textContent = this.count();
    this.#scrollToSelected();
    this.options.refresh();
    this.view.draw();
  }

  /** The marks in the list. */
  listed() {
    return this.state.marks;
  }

  /** What stands in the panel above the list. */
  above() {
    return [];
  }

  /** The marks, with what is being drawn or moved as it is now. */
  get shownMarks() {
    const marks = this.state.marks.map((mark) => (mark.id === this.preview?.id ? this.preview : mark));
    return this.preview && !marks.includes(this.preview) ? [...marks, this.preview] : marks;
  }

  draw(view) {
    const marks = this.shownMarks;
    marks.sort((a, b) => (a.id === this.selectedId) - (b.id === this.selectedId));
    const isChosen = (mark) => mark.id === this.selectedId || mark === this.preview;
    for (const mark of marks) this.drawTag(view, mark, isChosen(mark));
    for (const mark of marks) this.drawMark(view, mark, isChosen(mark));
  }

  show(preview) {
    this.preview = preview;
    if (preview) this.say(this.describe(preview));
    this.view.draw();
  }

  #changed() {
    this.refresh();
    if (this.selected) this.say(this.describe(this.selected));
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #build() {
    this.options = new Choices(this);
    this.status = h("p", { class: "status", role: "status" });
    const name = `Picture. ${this.purpose} Press ? for the keys.`;
    this.canvas = h("div", { class: "canvas", tabindex: 0, role: "application", "aria-label": name });
    const strip = h("div", { class: "strip" }, this.#tools(), this.status);
    this.append(h("section", { class: "stage", "aria-label": "Picture" }, this.canvas, strip));
    this.view = new View(this.canvas, this);
    this.#buildPanel();
  }

  #tools() {
    const { noun } = this;
    const look = [
      button("−", () => this.view.zoom(1 / 1.4), { "aria-label": "Zoom out", title: "Zoom out (−)" }),
      button("Fit", () => this.view.fit(), { "aria-label": "Fit the picture", title: "Fit (0)" }),
      button("+", () => this.view.zoom(1.4), { "aria-label": "Zoom in", title: "Zoom in (+)" }),
    ];
    const change = [
      button("Undo", () => this.travel("undo"), { title: "Undo (U)" }),
      button("Redo", () => this.travel("redo"), { title: "Redo (Ctrl + Y)" }),
      button(`Add ${noun}`, () => this.idle || this.add(), { title: `Add a ${noun} in the middle of the view (B)` }),
      button("Delete", () => this.remove(), { title: `Delete the selected ${noun} (Delete)` }),
      ...this.ownTools(),
    ];
    const { current } = this.options;
    const tools = this.readOnly ? look : [...(current ? [current] : []), ...look, ...change];
    return h("div", { class: "tools", role: "toolbar", "aria-label": "Picture tools" }, ...tools);
  }

  ownTools() {
    return [];
  }

  #buildPanel() {
    this.list = h("ul", { class: "marks" });
    this.counted = h("span", { class: "count" });
    this.notice = h("div", { class: "notice", role: "status" });
    this.nothingTick = this.closest("crowd-form")?.querySelector('crowd-checkbox[name="nothing-here"]')
      ?? h("crowd-checkbox", {}, "Nothing here: no object to mark");
    this.nothingTick.addEventListener("change", () => this.setNothing(this.nothingTick.checked));
    this.panel = h("section", { class: "work", "aria-label": this.plural },
      ...this.options.elements,
      ...this.above(),
      h("h2", {}, `${this.plural} `, this.counted), this.list, this.notice,
      ...(this.readOnly || this.nothingTick.isConnected ? [] : [this.nothingTick]));
    this.refresh();
  }

  #row(mark, index) {
    if (!this.rows.has(mark.id)) this.rows.set(mark.id, this.#newRow(mark));
    const row = this.rows.get(mark.id);
    const [swatch, text, detail] = row.firstChild.children;
    swatch.style.setProperty("--colour", this.colour(mark.label));
    swatch.className = `swatch ${mark.visibility ?? ""}`;
    swatch.dataset.line = this.line(mark.label);
    text.textContent = `${index + 1} ${this.tagOf(mark.label)}`;
    text.title = visible(mark.label);
    detail.textContent = this.detail(mark);
    row.firstChild.setAttribute("aria-label", `${index + 1}: ${this.describe(mark)}`);
    row.firstChild.setAttribute("aria-pressed", String(mark.id === this.selectedId));
    if (row.children[1]) this.sideButton(mark, row.children[1]);
    return row;
  }

  /** Scrolls the list only, never the page. */
  #scrollToSelected() {
    const row = this.rows.get(this.selectedId);
    if (!row) return;
    const top = row.offsetTop - this.list.offsetTop;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const below = top + row.offsetHeight - this.list.clientHeight;
    if (below > this.list.scrollTop) this.list.scrollTop = below;
  }

  #newRow(mark) {
    const choose = () => this.select(mark.id, true);
    const main = button("", choose, { onfocus: choose });
    main.append(h("span", { class: "swatch" }), h("span", { class: "name" }), h("span", { class: "detail" }));
    const side = this.readOnly ? [] : [button("", () => this.sideAction(mark.id))];
    return h("li", {}, main, ...side);
  }

  /** An address that has expired is renewed as often as it takes; the marks stay where they are. `told`: {shown(),
   * unseen()}, the latter when a new address alone does not help.
   */
  #load(address, told, wait = FIRST_RETRY_MS) {
    const image = new Image();
    // On another origin in the stack: without this, no filter could read its pixels.
    image.crossOrigin = "anonymous";
    image.onload = () => {
      this.view.show(image);
      this.say(`${image.naturalWidth} × ${image.naturalHeight} pixels. Press ? for the keys.`);
      this.refresh();
      told.shown();
    };
    image.onerror = async () => {
      this.say("The picture could not be loaded; trying again.");
      const fresh = await this.renew?.().catch(() => null);
      const again = () => this.#load(fresh ?? address, told, Math.min(wait * 2, LONGEST_RETRY_MS));
      if (fresh && wait === FIRST_RETRY_MS) return again();
      told.unseen();
      setTimeout(again, wait);
    };
    image.src = address;
  }
}
