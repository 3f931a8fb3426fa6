/** crowd-image-classifier with an overlay of boxes: they can be looked at, and one category is chosen. */
import { BoxView, smallestAt } from "./boxes.js";
import { button, h } from "./dom.js";

export class CrowdImageClassifier extends BoxView {
  purpose = "The boxes can be looked at, not changed.";
  digits = "choose the verdict";
  readOnly = true;

  start() {
    const { labels = [], value = [] } = this.json("overlay", {}).boundingBox ?? {};
    this.labels = labels;
    this.choices = this.json("categories", []);
    return { marks: value.map((box, index) => ({ ...box, id: index })), nothing: false, category: null };
  }

  stateOf(answer) {
    return { ...this.state, category: answer?.label ?? null };
  }

  get answer() {
    return { label: this.state.category };
  }

  problem() {
    return this.state.category ? "" : `Choose: ${this.choices.map((name, index) => `${name} (${index + 1})`).join(" or ")}.`;
  }

  press(at, event) {
    return { move() {}, end: () => this.select(smallestAt(this.state.marks, at, this.reach(event))?.id ?? null) };
  }

  hover() {
    return "default";
  }

  palette() {
    this.chips = this.choices.map((name, index) =>
      button("", () => this.choose(index), { class: `chip verdict ${index ? "" : "first"}`, "aria-label": name }));
    this.chips.forEach((chip, index) => chip.append(h("span", { class: "name" }, this.choices[index]), h("kbd", {}, String(index + 1))));
    return [h("h2", {}, "Verdict"), h("div", { class: "chips", role: "group", "aria-label": "Verdict" }, ...this.chips)];
  }

  refreshed() {
    this.chips.forEach((chip, index) => chip.setAttribute("aria-pressed", String(this.choices[index] === this.state.category)));
  }

  choose(index) {
    if (!this.choices[index]) return;
    this.commit({ category: this.choices[index] });
    this.say(`Verdict: ${this.state.category}`);
  }

  fields() {
    return new Map();
  }
}
