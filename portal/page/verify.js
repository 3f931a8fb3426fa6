/** crowd-image-classifier with an overlay of boxes: they can be looked at, and one category is chosen. */
import { BoxView } from "./boxes.js";

export class CrowdImageClassifier extends BoxView {
  purpose = "The boxes can be looked at, not changed.";
  choicesTitle = "Verdict";
  choiceNoun = "verdict";
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
    const choices = this.choices.map((name, index) => `${name} (${index + 1})`);
    return this.state.category ? "" : `Choose ${choices.join(" or ")}.`;
  }

  press(at, event) {
    return { move() {}, end: () => this.pick(at, this.reach(event)) };
  }

  hover() {
    return "default";
  }

  isChosen(category) {
    return category === this.state.category;
  }

  choose(index) {
    if (this.idle || !this.choices[index]) return;
    this.commit({ category: this.choices[index] });
    this.say(`Verdict: ${this.state.category}`);
  }
}
