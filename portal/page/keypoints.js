/** crowd-keypoint: people with one point for each name and a box. people.js says what a mark is. */
import { ARROWS } from "./annotator.js";
import { boxBetween, cursorOf, gripAt, moved, resized } from "./boxes.js";
import { button } from "./dom.js";
import { inText } from "./names.js";
import {
  BOX, derivedBox, isBox, isMarked, isOpen, isPlaced, marksOfDraft, numbersIn, peopleFrom, personFrom, pointsFrom,
} from "./people.js";
import { ON_POINT, PeopleView, SHOWN } from "./people_view.js";
import { twinsIn } from "./twins.js";

const NEXT = { undecided: "outside", outside: "visible", visible: "occluded", occluded: "outside" };

export class CrowdKeypoint extends PeopleView {
  choiceNoun = "point";
  purpose = "Click to place the next point, drag a point to move it.";
  digits = "choose the point to place or to work on";

  start(initial) {
    this.initial = initial;
    const people = this.layOut(this.labels, initial, "outside");
    const marks = people.length ? people : personFrom(1, this.layout, "undecided");
    this.choices = this.layout.hasBoxes ? [...this.layout.names, BOX] : this.layout.names;
    this.person = marks[0].person;
    this.first = marks;
    return { marks, nothing: false };
  }

  get state() {
    return super.state;
  }

  set state(state) {
    super.state = { ...state, marks: marksOfDraft(state.marks, this.layout, this.initial) };
  }

  stateOf(answer) {
    const people = peopleFrom(answer?.keypoints ?? [], this.layout, "outside");
    return { marks: people.length ? people : this.emptied(), nothing: !people.length };
  }

  get answer() {
    const { width, height } = this.size;
    return { inputImageProperties: { height, width }, keypoints: this.isUntouched ? this.initial : this.points };
  }

  get points() {
    return pointsFrom(this.state.marks);
  }

  /** Then the answer is what was proposed, to the byte. */
  get isUntouched() {
    return JSON.stringify(this.points) === JSON.stringify(pointsFrom(this.first));
  }

  problem() {
    const isAsProposed = this.initial.length && JSON.stringify(this.state.marks) === JSON.stringify(this.first);
    if (this.state.nothing || isAsProposed) return "";
    const people = this.people.filter(({ points, isDerived }) => !isDerived || !points.every(isOpen));
    if (!people.length) return "Nobody is marked. Place the points, or tick “Nothing here” (N) if nobody is there.";
    const who = ({ number }) => (this.isAlone ? "" : ` of person ${number}`);
    const open = people.find(({ points }) => points.some(isOpen));
    if (open) {
      const names = open.points.filter(isOpen).map(({ label }) => inText(label));
      return `Place these points${who(open)}, or set them outside (V; O for all): ${names.join(", ")}.`;
    }
    const nobody = people.find(({ points, isDerived }) => isDerived && !points.some(isPlaced));
    if (!nobody) return "";
    if (this.isAlone) return "All points are outside. Tick “Nothing here” (N) if none of them is in the picture.";
    return `All points of person ${nobody.number} are outside, and no box is drawn: draw one, or delete this person.`;
  }

  /** Somebody who is there twice, told before it is submitted: {text, key, actions}, or nothing. */
  doubt() {
    const people = this.people.filter(({ box }) => box).map(({ number, box }) => ({ ...box, number, label: "person" }));
    const twins = twinsIn(people);
    if (!twins.length) return null;
    const [[{ number: one }, { number: other }]] = twins;
    const remove = { text: `Delete person ${other}`, run: () => this.removePerson(other) };
    const text = `Person ${other} is where person ${one} is. Delete one of them, or submit again if both are right.`;
    return { text, key: JSON.stringify(twins), actions: [remove] };
  }

  /** The box of the chosen person; undefined on pages that ask for none. */
  get frame() {
    return this.listed().find(isBox);
  }

  /** The point that a click on the picture, or B, places. */
  get target() {
    const points = this.listed().filter((mark) => !isBox(mark));
    const from = Math.max(0, points.indexOf(this.selected));
    const undecided = [...points.slice(from), ...points.slice(0, from)].find(isOpen);
    return undecided ?? (this.selected?.visibility === "outside" ? this.selected : undefined);
  }

  /** The point that V turns: the selected one, else the next. */
  get turned() {
    return this.selected && !isBox(this.selected) ? this.selected : this.target;
  }

  press(at, event) {
    if (this.#draws(event)) return this.#drawing(at, event);
    const touched = this.#touched(at, event);
    if (touched) return this.#moving(touched, at);
    const grip = this.#grip(at, event);
    return grip ? this.#shaping(grip, at, event) : this.#placing(at, event);
  }

  /** Whether a drag draws the box: with Shift, or where the box is selected and not there yet. */
  #draws(event) {
    return this.frame && (event.shiftKey || (isBox(this.selected) && !this.selected.box));
  }

  #drawing(at, event) {
    const { frame } = this;
    const drawn = (to) => ({ ...frame, box: boxBetween(at, to, this.size) });
    return this.#gesture(drawn, (to, dragged) => {
      const { box } = drawn(to);
      if (dragged && box.width && box.height) return this.#put({ ...frame, box });
      if (event.shiftKey) return this.pick(at, event);
      this.say("Drag from corner to corner to draw the box.");
    });
  }

  #moving(mark, at) {
    const put = (to) => this.#placed(mark, { x: to.x + mark.x - at.x, y: to.y + mark.y - at.y });
    return this.#gesture(put, (to, dragged) => {
      const { target } = this;
      // A tap that is farther off places the next point, if there is one.
      const isBeside = Math.hypot(mark.x - at.x, mark.y - at.y) > ON_POINT / this.view.scale;
      if (!dragged && isBeside && target?.visibility === "undecided") return this.#put(this.#placed(target, to));
      this.select(mark.id);
      if (dragged) this.replace(put(to));
    });
  }

  #shaping(grip, at, event) {
    const mark = this.selected;
    const shaped = (to) => {
      const [dx, dy] = [to.x - at.x, to.y - at.y];
      const box = grip.some(Boolean) ? resized(mark.box, grip, dx, dy, this.size) : moved(mark.box, dx, dy, this.size);
      return { ...mark, box };
    };
    return this.#gesture(shaped, (to, dragged) => (dragged ? this.replace(shaped(to)) : this.#click(at, event)));
  }

  #placing(at, event) {
    const { target } = this;
    const put = (to) => target && this.#placed(target, to);
    return this.#gesture(put, (to, dragged) => {
      if (target) this.#put(put(to));
      else if (!dragged) this.#click(at, event);
    });
  }

  #gesture(shaped, end) {
    return {
      move: (to) => !this.locked && this.show(shaped(to)),
      cancel: () => this.show(null),
      end: (to, dragged) => {
        this.show(null);
        end(to, dragged);
      },
    };
  }

  /** Places what waits to be placed; else selects the box on whose line it is, or chooses the person there. */
  #click(at, event) {
    const { target } = this;
    if (target) return this.#put(this.#placed(target, at));
    const frames = this.state.marks.filter((mark) => isBox(mark) && mark.box);
    const framed = frames.find(({ box }) => gripAt(box, at, this.reach(event))?.some(Boolean));
    return framed && framed !== this.selected ? this.select(framed.id) : this.pick(at, event);
  }

  #put(mark) {
    this.select(mark.id);
    this.replace(mark);
  }

  hover(at, event) {
    this.hovered = this.#touched(at, event);
    const draws = this.#draws(event);
    const grip = this.hovered || draws ? null : this.#grip(at, event);
    const isOnSide = grip?.some(Boolean);
    this.ghost = this.hovered || draws || isOnSide || this.locked ? null : this.target;
    this.crossed = draws || Boolean(this.ghost);
    if (this.hovered) return "move";
    return this.crossed ? "crosshair" : grip ? cursorOf(grip) : "default";
  }

  draw(view) {
    super.draw(view);
    if (!this.crossed || !view.pointerAt || this.preview || this.locked) return;
    view.crosshair();
    if (this.ghost) view.tag(view.toImage(view.pointerAt), this.tagOf(this.ghost.label), this.colour(), 10, -6);
  }

  isChosen(name) {
    return name === (this.selected ?? this.target)?.label;
  }

  ownTools() {
    const frame = button("Box", () => this.#chooseBox(), { title: "Draw or change the person's box (D)" });
    return [
      button("Visibility", () => this.#turn(this.turned), { title: "The point is visible, occluded, outside (V)" }),
      button("Rest outside", () => this.#leaveOut(), { title: "All points that are not set are outside (O)" }),
      ...(this.layout.hasBoxes ? [frame] : []),
      button("Add person", () => this.addPerson(), { title: "Add a person (A)" }),
    ];
  }

  /** Digits choose a point: the next one to place, or the one to work on; the number behind them the box. */
  choose(index) {
    const mark = this.listed().find(({ label }) => label === this.choices[index]);
    if (mark) this.select(mark.id, true);
  }

  #chooseBox() {
    const { frame } = this;
    if (!frame) return this.say("This page asks for no boxes.");
    this.select(frame.id, true);
    if (!frame.box) this.say("Drag from corner to corner to draw the box.");
  }

  /** In the middle of the view; a box where the square round the points is. */
  add() {
    const { frame } = this;
    if (frame && this.selected === frame && !frame.box) return this.replace({ ...frame, box: this.#usualBox() });
    const mark = this.target;
    if (!mark) return this.say("Every point is placed or outside.");
    this.#put(this.#placed(mark, this.view.middle()));
  }

  #usualBox() {
    const placed = this.listed().filter(isPlaced);
    const points = placed.length ? placed : [this.view.middle()];
    const { left, top, width, height } = derivedBox(points, this.size, this.factor);
    return boxBetween({ x: left, y: top }, { x: left + width, y: top + height }, this.size);
  }

  remove() {
    const mark = this.selected;
    if (!mark) return this.say("Nothing is selected. Shift + Delete deletes the person.");
    this.replace(isBox(mark) ? { ...mark, box: null } : { ...mark, x: null, y: null, visibility: "undecided" });
  }

  /** An empty person who is there already is as good as a new one. */
  addPerson() {
    if (this.idle) return;
    const { marks, nothing } = this.state;
    const others = nothing ? [] : marks;
    const blank = this.people.find(({ points, isDerived }) => !nothing && isDerived && points.every(isOpen));
    const numbers = numbersIn(others);
    const free = Array.from({ length: this.layout.most }, (_, index) => index + 1).find((n) => !numbers.includes(n));
    if (!blank && !free) return this.say(`This page takes ${this.layout.most} people, and not more.`);
    const number = blank?.number ?? free;
    const added = blank ? [] : personFrom(number, this.layout, "undecided");
    this.person = number;
    this.selectedId = (blank?.points ?? added)[0].id;
    if (!blank) this.commit({ marks: inOrder([...others, ...added]), nothing: false });
    else this.refresh();
    this.say(`Person ${number}: place ${inText(this.selected.label)}, or draw the box (D).`);
  }

  /** Where nobody is left there is an empty person to begin with. */
  removePerson(number = this.person) {
    if (this.idle) return;
    const rest = this.state.marks.filter(({ person }) => person !== number);
    this.commit({ marks: rest.length ? rest : personFrom(1, this.layout, "undecided"), nothing: false });
    this.say(`Person ${number} deleted. U brings them back.`);
  }

  sideButton(mark, element) {
    if (isBox(mark)) {
      element.textContent = mark.box ? "✕" : "Draw";
      element.setAttribute("aria-label", `${mark.box ? "Delete" : "Draw"} the box of person ${mark.person}`);
      element.className = "side visibility";
      return;
    }
    element.textContent = SHOWN[mark.visibility];
    const [now, next] = [mark.visibility, NEXT[mark.visibility]].map((visibility) => SHOWN[visibility]);
    element.setAttribute("aria-label", `${inText(mark.label)} is ${now}: change to ${next}`);
    element.className = `side visibility ${mark.visibility}`;
  }

  sideAction(id) {
    const mark = this.state.marks.find((other) => other.id === id);
    if (!isBox(mark)) return this.#turn(mark);
    if (mark.box) this.replace({ ...mark, box: null });
    else this.#chooseBox();
  }

  emptied() {
    return personFrom(1, this.layout, "outside");
  }

  shifted(mark, dx, dy) {
    if (isBox(mark)) return mark.box ? { ...mark, box: moved(mark.box, dx, dy, this.size) } : mark;
    return isPlaced(mark) ? this.#placed(mark, { x: mark.x + dx, y: mark.y + dy }) : mark;
  }

  keys() {
    const side = (shift) => Math.abs(Math.sign(shift));
    const stretch = (mark, dx, dy) => {
      if (!isBox(mark) || !mark.box) return this.shifted(mark, dx, dy);
      return { ...mark, box: resized(mark.box, [side(dx), side(dy)], dx, dy, this.size) };
    };
    const arrows = Object.keys(ARROWS).map((key) => `Ctrl+${key}`);
    const stretches = "move the right or lower side of the selected box, with Shift by 10";
    const nudge = (event) => this.nudge(event, stretch);
    const remove = (event) => (event.shiftKey ? this.removePerson() : this.remove());
    return [
      ...super.keys(),
      { keys: ["v"], does: "the point is visible, occluded, outside", run: () => this.#turn(this.turned) },
      { keys: ["o"], does: "all points that are not set are outside", run: () => this.#leaveOut() },
      { keys: ["d"], does: "draw or change the person's box", run: () => this.#chooseBox() },
      { keys: arrows, shown: "Ctrl + arrows", does: stretches, run: nudge, repeats: true },
      { keys: ["a"], does: "add a person", run: () => this.addPerson() },
      { keys: ["Delete", "Backspace"], shown: "Shift + Delete", does: "delete the person", run: remove },
    ];
  }

  #turn(mark) {
    if (!mark || this.idle) return;
    const seen = { ...mark, visibility: NEXT[mark.visibility] };
    this.#put(isPlaced(seen) && mark.x === null ? this.#placed(seen, this.view.middle()) : seen);
  }

  #leaveOut() {
    if (!this.listed().some(isOpen)) return this.say("Every point is placed or outside.");
    const isLeft = (mark) => mark.person === this.person && isOpen(mark);
    this.commit({ marks: this.state.marks.map((mark) => (isLeft(mark) ? { ...mark, visibility: "outside" } : mark)) });
  }

  /** Where a person puts the point: in the picture or on its edges. */
  #placed(mark, { x, y }) {
    const within = (value, largest) => Math.min(Math.max(Math.round(value), 0), largest);
    const visibility = mark.visibility === "occluded" ? "occluded" : "visible";
    return { ...mark, x: within(x, this.size.width), y: within(y, this.size.height), visibility };
  }

  /** The point under the pointer; none while a chosen one waits to be placed, however close the others are. */
  #touched(at, event) {
    return this.selected?.visibility === "undecided" ? undefined : this.pointAt(at, event);
  }

  /** The sides of the selected box that a drag from here moves, [0, 0] for all of it. */
  #grip(at, event) {
    return isBox(this.selected) && this.selected.box ? gripAt(this.selected.box, at, this.reach(event)) : null;
  }

  /** Whatever is placed or drawn ends "nothing here". */
  commit(change, kind) {
    const marks = change.marks ?? this.state.marks;
    const nothing = !marks.some(isMarked) && (change.nothing ?? this.state.nothing);
    super.commit({ ...change, nothing }, kind);
  }
}

const inOrder = (marks) => marks.sort((a, b) => a.person - b.person);
