/** What is shown of people with key points, whether they can be changed or not. */
import { Annotator } from "./annotator.js";
import { boxesAt } from "./boxes.js";
import { GRIP_REACH } from "./canvas.js";
import { inText } from "./names.js";
import { BOX, gathered, isBox, isOpen, isPlaced, layoutOf, numbersIn, peopleFrom } from "./people.js";
import { PeopleList, told } from "./people_list.js";
import { colourOf, drawFrame, drawPoints, drawTags } from "./skeleton.js";

export const ON_POINT = 10; // screen pixels
const USUAL_BOX_FACTOR = 1.25;
export const SHOWN = { undecided: "not set", outside: "outside", visible: "visible", occluded: "occluded" };

export class PeopleView extends Annotator {
  noun = "point";
  plural = "Points";
  person = 1; // the number of the person that is chosen
  hovered = null; // the point under the pointer

  /** The marks of crowd-keypoint's `points` under these labels; `missing`: the visibility of those not there. */
  layOut(labels, points, missing) {
    const { bones = [], box_factor: factor = USUAL_BOX_FACTOR } = this.json("data-skeleton", {});
    Object.assign(this, { bones, factor, layout: layoutOf(labels) });
    this.labels = this.layout.names;
    return peopleFrom(points, this.layout, missing);
  }

  get people() {
    return gathered(this.shownMarks, this.size, this.factor);
  }

  get isAlone() {
    return numbersIn(this.state.marks).length < 2;
  }

  /** The chosen person's colour: no other one's points are listed. */
  colour() {
    return colourOf(this.person);
  }

  line() {
    return 0;
  }

  listed() {
    return this.state.marks.filter(({ person }) => person === this.person);
  }

  above() {
    this.peopleList = new PeopleList(this);
    return this.peopleList.elements;
  }

  refresh() {
    const numbers = numbersIn(this.state.marks);
    if (!numbers.includes(this.person)) this.person = numbers.findLast((number) => number < this.person) ?? numbers[0];
    super.refresh();
    this.peopleList.refresh();
  }

  select(id, reveal) {
    const mark = this.state.marks.find((other) => other.id === id);
    if (mark) this.person = mark.person;
    super.select(id, reveal);
  }

  choosePerson(number) {
    this.person = number;
    this.selectedId = null;
    this.refresh();
    const person = this.people.find((other) => other.number === number);
    const { box } = person;
    if (box) this.view.reveal({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
    this.say(told(person));
  }

  /** The next person, around; `step` -1: the one before. */
  cyclePeople(step) {
    const numbers = numbersIn(this.state.marks);
    if (!numbers.length) return;
    const at = numbers.indexOf(this.person) + step;
    this.choosePerson(numbers[(at + numbers.length) % numbers.length]);
  }

  /** The point under `at`, the nearest one, of the chosen person where two are as near. */
  pointAt(at, event) {
    const reach = Math.max(ON_POINT, GRIP_REACH[event.pointerType] ?? 0) / this.view.scale;
    const apart = (mark) => Math.hypot(mark.x - at.x, mark.y - at.y);
    const near = this.state.marks.filter((mark) => isPlaced(mark) && apart(mark) <= reach);
    return near.sort((a, b) => apart(a) - apart(b) || (b.person === this.person) - (a.person === this.person))[0];
  }

  /** Selects the point under `at`, else chooses the person there: the smallest, once more the next larger one. */
  pick(at, event) {
    const point = this.pointAt(at, event);
    if (point) return this.select(point.id);
    const under = boxesAt(this.people.filter(({ box }) => box).map(({ number, box }) => ({ ...box, number })), at, 0);
    this.select(null);
    if (!under.length) return;
    const next = (under.findIndex(({ number }) => number === this.person) + 1) % under.length;
    this.choosePerson(under[next].number);
  }

  draw(view) {
    const [people, named] = [this.people, view.pointerAt ? this.hovered?.id : null];
    const isChosen = ({ number }) => number === this.person;
    people.sort((a, b) => isChosen(a) - isChosen(b));
    const how = { bones: this.bones, isAlone: this.isAlone, selectedId: this.selectedId, namedId: named };
    how.tagOf = (label) => this.tagOf(label);
    how.hasGrips = !this.locked && !this.readOnly;
    const each = people.map((person) => [view, person, { ...how, isChosen: isChosen(person) }]);
    for (const one of each) drawFrame(...one);
    for (const one of [...each].reverse()) drawTags(...one);
    for (const one of each) drawPoints(...one);
  }

  describe(mark) {
    const whose = this.isAlone ? "" : ` of person ${mark.person}`;
    if (!isBox(mark)) {
      const place = isPlaced(mark) ? `, at ${mark.x}, ${mark.y}` : "";
      return `${inText(mark.label)}${whose}, ${SHOWN[mark.visibility]}${place}`;
    }
    if (!mark.box) return `${BOX}${whose}, not drawn: a square round the points is stored`;
    const { left, top, width, height } = mark.box;
    return `${BOX}${whose}, ${width} × ${height} at ${left}, ${top}`;
  }

  detail(mark) {
    if (isBox(mark)) return mark.box ? `${mark.box.width} × ${mark.box.height}` : "follows the points";
    const place = isPlaced(mark) ? [`${mark.x}, ${mark.y}`] : [];
    return (this.readOnly ? [...place, SHOWN[mark.visibility]] : place).join(", ");
  }

  count() {
    const points = this.listed().filter((mark) => !isBox(mark));
    return `${points.filter((mark) => !isOpen(mark)).length} of ${points.length}`;
  }

  anchor(mark) {
    if (!isBox(mark)) return isPlaced(mark) ? mark : null;
    return mark.box && { x: mark.box.left + mark.box.width / 2, y: mark.box.top + mark.box.height / 2 };
  }

  keys() {
    const next = (event) => this.cyclePeople(event.shiftKey ? -1 : 1);
    return [...super.keys(), { keys: ["p"], shown: "P, Shift + P", does: "the next or previous person", run: next }];
  }
}
