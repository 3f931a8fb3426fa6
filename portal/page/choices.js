/** What can be chosen (labels, points, verdicts): chips with digits, or where there are many a search field over all
 * of them, those on digits first; and a button on the picture, where the panel is out of sight.
 */
import { button, h, openDialog, putRows } from "./dom.js";
import { Finder } from "./finder.js";
import { visible } from "./names.js";

const MOST_CHIPS = 9;

export class Choices {
  #chipOf = new Map();

  /** `annotator`: its `choices`, those on digits as `quick`, `choose(index)` and `isChosen(name)`. */
  constructor(annotator) {
    this.annotator = annotator;
    this.names = annotator.choices;
    this.narrow = matchMedia("(max-width: 860px)");
    const { choicesTitle: title, choiceNoun: noun, readOnly } = annotator;
    this.chips = h("div", { class: "chips", role: "group", "aria-label": title });
    if (title && this.names.length > MOST_CHIPS) {
      this.finder = this.#newFinder((name) => this.#chooseFound(name), () => annotator.canvas.focus());
    }
    if (!readOnly && this.names.length > 1) {
      this.current = button("", () => this.find(), { class: "current", title: `Choose a ${noun} (C)` });
    }
    const shown = [h("h2", {}, title), this.finder?.element ?? this.chips];
    this.elements = title && this.names.length ? shown : [];
  }

  choose(name) {
    this.annotator.choose(this.names.indexOf(name));
  }

  /** To the search field, or to a dialog with one where the panel has none, or is out of sight. */
  find() {
    if (this.finder && !this.narrow.matches) return this.finder.focus();
    const finder = this.#newFinder((name) => {
      dialog.close();
      this.choose(name);
      this.annotator.canvas.focus({ preventScroll: true });
    });
    finder.refresh(this.#chosen());
    const dialog = openDialog(`Choose a ${this.annotator.choiceNoun}`, finder.element);
    dialog.classList.add("choosing");
    finder.focus();
  }

  refresh() {
    const chosen = this.#chosen();
    const chips = this.elements.includes(this.chips) ? this.names : [];
    putRows(this.chips, chips.map((name, index) => this.#chip(name, index)));
    for (const [name, chip] of this.#chipOf) chip.setAttribute("aria-pressed", String(name === chosen));
    this.finder?.refresh(chosen);
    if (!this.current) return;
    const shown = chosen ?? this.names[0];
    this.current.replaceChildren(this.#swatch(shown), h("bdi", { class: "name" }, visible(shown)), "▾");
    this.current.setAttribute("aria-label", `${this.annotator.choiceNoun} ${visible(shown)}: choose another one`);
  }

  #chosen() {
    return this.names.find((name) => this.annotator.isChosen(name));
  }

  #newFinder(chosen, left) {
    return new Finder(this.annotator.choiceNoun, this.names, {
      swatch: (name) => this.#swatch(name),
      digit: (name) => this.annotator.quick.indexOf(name) + 1 || "",
      first: () => this.annotator.quick,
      chosen,
      left,
    });
  }

  #chooseFound(name) {
    const searched = document.activeElement === this.finder.field;
    this.choose(name);
    if (searched) this.annotator.canvas.focus({ preventScroll: true });
  }

  #swatch(name) {
    const swatch = h("span", { class: "swatch", "data-line": this.annotator.line(name) });
    swatch.style.setProperty("--colour", this.annotator.colour(name));
    return swatch;
  }

  #chip(name, index) {
    if (!this.#chipOf.has(name)) this.#chipOf.set(name, this.#newChip(name));
    const chip = this.#chipOf.get(name);
    chip.lastChild.textContent = String(index + 1);
    return chip;
  }

  #newChip(name) {
    const label = `${this.annotator.choicesTitle} ${visible(name)}`;
    const chip = button("", () => this.choose(name), { class: "chip", title: visible(name), "aria-label": label });
    const swatch = this.annotator.readOnly ? [] : [this.#swatch(name)];
    chip.append(...swatch, h("bdi", { class: "name" }, visible(name)), h("kbd"));
    return chip;
  }
}
