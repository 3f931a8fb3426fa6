/** crowd-image-classifier over boxes or people: they can be looked at, and one category is chosen. */
import { BoxView } from "./boxes.js";
import { PeopleView } from "./people_view.js";

const verdictOn = (Shown) => class extends Shown {
  choicesTitle = "Verdict";
  choiceNoun = "verdict";
  digits = "choose the verdict";
  readOnly = true;

  start() {
    this.choices = this.json("categories", []);
    return { marks: this.startMarks(), nothing: false, category: null };
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
    return { move() {}, end: () => this.pick(at, event) };
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
};

class BoxVerdict extends verdictOn(BoxView) {
  purpose = "The boxes can be looked at, not changed.";

  startMarks() {
    const { labels = [], value = [] } = this.json("overlay", {}).boundingBox ?? {};
    this.labels = labels;
    return value.map((box, index) => ({ ...box, id: index }));
  }
}

/** Ground Truth's overlay has boxes only; ours shows people as they were labelled. */
class PeopleVerdict extends verdictOn(PeopleView) {
  purpose = "The people can be looked at, not changed.";

  startMarks() {
    return this.layOut(this.json("data-labels", []), this.json("data-people", []), "outside");
  }

  hover(at, event) {
    this.hovered = this.pointAt(at, event);
    return this.hovered ? "pointer" : "default";
  }
}

/** A page has one form, which says what it shows. */
export const imageClassifier = () => {
  return document.querySelector("crowd-image-classifier[data-people]") ? PeopleVerdict : BoxVerdict;
};
