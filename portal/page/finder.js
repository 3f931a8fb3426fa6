/** A search field over a list of names, one of which is chosen: ARIA's combobox with a listbox that stays open. */
import { h } from "./dom.js";
import { found, visible } from "./names.js";

const PAGE = 8;
let made = 0;

export class Finder {
  #active = null;

  /** `what`: "label". `swatch(name)`; `digit(name)`: what chooses it, or ""; `first()`: the names above the others
   * while nothing is searched; `chosen(name)`: the person's choice; `left()`: Escape, where nobody else cares for it.
   */
  constructor(what, names, { swatch, digit, first, chosen, left }) {
    Object.assign(this, { names, swatch, digit, first, chosen, left, id: `finder-${++made}` });
    this.options = new Map(names.map((name, index) => [name, this.#option(name, index)]));
    this.list = h("ul", { role: "listbox", id: this.id, "aria-label": `All ${what}s`, tabindex: -1 });
    this.none = h("p", { class: "none", role: "status" });
    this.field = h("input", {
      type: "search",
      role: "combobox",
      "aria-label": `Find a ${what}`,
      "aria-controls": this.id,
      "aria-expanded": "true",
      "aria-autocomplete": "list",
      placeholder: `Find one of ${names.length} ${what}s`,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      enterkeyhint: "go",
    });
    this.field.addEventListener("input", (event) => {
      event.stopPropagation(); // what is searched is no answer, nothing to keep a draft of
      this.#fill();
    });
    this.field.addEventListener("change", (event) => event.stopPropagation());
    this.field.addEventListener("keydown", (event) => this.#press(event));
    this.element = h("div", { class: "finder" }, this.field, this.none, this.list);
    this.#fill();
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  /** Marks what is chosen, and shows the digits as they are now. */
  refresh(selected) {
    if (!this.field.value && this.first().some((name, index) => this.list.children[index] !== this.options.get(name))) {
      this.#fill();
    }
    for (const [name, option] of this.options) {
      option.setAttribute("aria-selected", String(name === selected));
      option.lastChild.textContent = this.digit(name);
      option.lastChild.hidden = !option.lastChild.textContent;
    }
  }

  #option(name, index) {
    const choose = () => this.#choose(name);
    const number = h("span", { class: "number", "aria-hidden": "true" }, String(index + 1));
    const text = h("bdi", { class: "name" }, visible(name));
    const attributes = { role: "option", id: `${this.id}-${index}`, title: visible(name), onclick: choose };
    const option = h("li", attributes, this.swatch(name), number, text, h("kbd", { hidden: true }));
    option.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
    return option;
  }

  #fill() {
    const query = this.field.value;
    const above = query.trim() ? [] : this.first();
    const shown = [...above, ...found(this.names, query).filter((name) => !above.includes(name))];
    this.list.replaceChildren(...shown.map((name) => this.options.get(name)));
    this.list.scrollTop = 0;
    this.none.textContent = shown.length ? "" : `None of ${this.names.length} names has “${query.trim()}” in it.`;
    this.#activate(query.trim() ? this.list.firstElementChild : null);
  }

  #activate(option) {
    this.#active?.classList.remove("active");
    this.#active = option;
    option?.classList.add("active");
    if (option) this.field.setAttribute("aria-activedescendant", option.id);
    else this.field.removeAttribute("aria-activedescendant");
    if (!option) return;
    const top = option.offsetTop - this.list.offsetTop;
    const below = top + option.offsetHeight - this.list.clientHeight;
    this.list.scrollTop = Math.max(Math.min(this.list.scrollTop, top), below);
  }

  #press(event) {
    if (event.isComposing) return;
    const options = [...this.list.children];
    const at = options.indexOf(this.#active);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };
    const step = steps[event.key];
    if (step) this.#activate(options[Math.min(Math.max(at + step, 0), options.length - 1)] ?? null);
    else if (event.key === "Enter" && this.#active) this.#choose(this.names[Number(this.#active.id.split("-").at(-1))]);
    else if (event.key === "Escape" && this.left) this.left();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #choose(name) {
    this.field.value = "";
    this.chosen(name);
    this.#fill();
  }
}
