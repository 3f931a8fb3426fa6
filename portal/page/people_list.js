/** The people of the picture beside it: who is chosen, how far each is, and a button that deletes. */
import { button, h, putRows } from "./dom.js";
import { isOpen, isPlaced } from "./people.js";
import { colourOf } from "./skeleton.js";

/** "Person 2: 3 placed, 1 to place, 1 outside, no box". */
export function told({ number, points, isDerived }) {
  const count = (is, text) => [points.filter(is).length].filter(Boolean).map((many) => `${many} ${text}`);
  const outside = ({ visibility }) => visibility === "outside";
  const counts = [...count(isPlaced, "placed"), ...count(isOpen, "to place"), ...count(outside, "outside")];
  return `Person ${number}: ${[...counts, isDerived ? "no box" : "box"].join(", ")}`;
}

export class PeopleList {
  #rows = new Map();

  /** `view`: its `people`, `person` (the chosen one's number), `most`, `readOnly`, `choosePerson(number)` and, where
   * people can be deleted, `removePerson(number)`.
   */
  constructor(view) {
    this.view = view;
    this.counted = h("span", { class: "count" });
    this.list = h("ul", { class: "people", "aria-label": "People" });
    this.elements = [h("h2", {}, "People ", this.counted), this.list];
  }

  refresh() {
    const { people, readOnly, layout } = this.view;
    this.counted.textContent = readOnly ? String(people.length) : `${people.length} of at most ${layout.most}`;
    putRows(this.list, people.map((person) => this.#row(person)));
  }

  #row(person) {
    const { number, points, isDerived } = person;
    if (!this.#rows.has(number)) this.#rows.set(number, this.#newRow(number));
    const row = this.#rows.get(number);
    const open = points.filter(isOpen).length;
    const counted = open ? `${open} to place` : `${points.filter(isPlaced).length} placed`;
    row.firstChild.lastChild.textContent = `${counted}, ${isDerived ? "no box" : "box"}`;
    row.firstChild.setAttribute("aria-label", told(person));
    row.firstChild.setAttribute("aria-pressed", String(number === this.view.person));
    return row;
  }

  #newRow(number) {
    const swatch = h("span", { class: "swatch" });
    swatch.style.setProperty("--colour", colourOf(number));
    const main = button("", () => this.view.choosePerson(number));
    main.append(swatch, h("span", { class: "name" }, `Person ${number}`), h("span", { class: "detail" }));
    if (this.view.readOnly) return h("li", {}, main);
    const remove = () => this.view.removePerson(number);
    return h("li", {}, main, button("✕", remove, { class: "side", "aria-label": `Delete person ${number}` }));
  }
}
