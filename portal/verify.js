/** crowd-image-classifier with an overlay of boxes: they can be looked at, and one category is chosen. */
import { BoxView, smallestAt } from "./boxes.js";
import { button, h } from "./dom.js";

export class CrowdImageClassifier extends BoxView {
  purpose = "The boxes can be looked at, not changed.";
  readOnly = true;

  start() {
    const { labels = [], value = [] } = this.json("overlay", {}).boundingBox ?? {};
    this.labels = labels;
    this.categories = this.json("categories", []);
    return { marks: value.map((box, index) => ({ ...box, id: index })), nothing: false, category: null };
  }

  stateOf(answer) {
    return { ...this.state, category: answer?.label ?? null };
  }

  get answer() {
    return { label: this.state.category };
  }

  problem() {
    return this.state.category ? "" : `Choose: ${this.categories.map((name, index) => `${name} (${index + 1})`).join(" or ")}.`;
  }

  press(at, event) {
    return { move() {}, end: () => this.select(smallestAt(this.state.marks, at, this.reach(event))?.id ?? null) };
  }

  hover() {
    return "default";
  }

  palette() {
    this.chips = this.categories.map((name, index) =>
      button("", () => this.choose(index), { class: `chip verdict ${index ? "" : "first"}`, "aria-label": name }));
    this.chips.forEach((chip, index) => chip.append(h("span", { class: "name" }, this.categories[index]), h("kbd", {}, String(index + 1))));
    return [h("h2", {}, "Verdict"), h("div", { class: "chips", role: "group", "aria-label": "Verdict" }, ...this.chips)];
  }

  refreshed() {
    this.chips.forEach((chip, index) => chip.setAttribute("aria-pressed", String(this.categories[index] === this.state.category)));
  }

  choose(index) {
    if (!this.categories[index]) return;
    this.commit({ category: this.categories[index] });
    this.say(`Verdict: ${this.state.category}`);
  }

  fields() {
    return new Map();
  }

  keys() {
    const keys = this.categories.map((_, index) => String(index + 1));
    return [{ keys, shown: keys.join(", "), does: `choose ${this.categories.join(", ")}`, run: (event) => this.choose(Number(event.key) - 1) }];
  }
}
