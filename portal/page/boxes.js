/** crowd-bounding-box. A mark is `{id, label, left, top, width, height}` in whole pixels of the natural image. */
import { Annotator, ARROWS } from "./annotator.js";
import { button, h } from "./dom.js";
import { inText } from "./names.js";
import { Recent } from "./recent.js";
import { twinsIn } from "./twins.js";

const within = (value, largest) => Math.min(Math.max(Math.round(value), 0), largest);

/** The box between two image points, on whole pixels inside an image of `size`; its sides may be 0. */
export function boxBetween(a, b, size) {
  const [left, right] = [within(Math.min(a.x, b.x), size.width), within(Math.max(a.x, b.x), size.width)];
  const [top, bottom] = [within(Math.min(a.y, b.y), size.height), within(Math.max(a.y, b.y), size.height)];
  return { left, top, width: right - left, height: bottom - top };
}

export function moved(box, dx, dy, size) {
  const left = within(box.left + dx, Math.max(0, size.width - box.width));
  const top = within(box.top + dy, Math.max(0, size.height - box.height));
  return { ...box, left, top };
}

/** The box with the gripped sides (-1 first, 0 none, 1 second; across and down) shifted, never smaller than 1 pixel. */
export function resized(box, [across, down], dx, dy, size) {
  const stretch = (start, length, side, shift, largest) => {
    let [first, second] = [start, start + length];
    if (side < 0) first = within(first + shift, largest);
    if (side > 0) second = within(second + shift, largest);
    if (first === second) side < 0 ? (first > 0 ? first-- : second++) : second < largest ? second++ : first--;
    return [Math.min(first, second), Math.abs(second - first)];
  };
  const [left, width] = stretch(box.left, box.width, across, dx, size.width);
  const [top, height] = stretch(box.top, box.height, down, dy, size.height);
  return { ...box, left, top, width, height };
}

/** Which sides lie under `at`: [across, down], [0, 0] is the inside, null is elsewhere. */
export function gripAt(box, at, reach) {
  const side = (value, start, length) => {
    const inner = Math.min(reach, length / 4);
    if (value < start - reach || value > start + length + reach) return null;
    return value <= start + inner ? -1 : value >= start + length - inner ? 1 : 0;
  };
  const [across, down] = [side(at.x, box.left, box.width), side(at.y, box.top, box.height)];
  return across === null || down === null ? null : [across, down];
}

/** What the pointer looks like on these sides. */
export function cursorOf([across, down]) {
  if (across && down) return across === down ? "nwse-resize" : "nesw-resize";
  return across ? "ew-resize" : down ? "ns-resize" : "move";
}

/** The boxes under an image point, the smallest first: it lies on top. */
export function boxesAt(boxes, at, reach) {
  const under = boxes.filter((box) => gripAt(box, at, reach));
  return under.sort((a, b) => a.width * a.height - b.width * b.height);
}

/** What is shown of boxes, whether they can be changed or not. */
export class BoxView extends Annotator {
  noun = "box";
  plural = "Boxes";

  drawTag(view, box) {
    const number = this.state.marks.findIndex((mark) => mark.id === box.id) + 1;
    const name = this.tagOf(box.label);
    const text = number ? `${number} ${name}` : name;
    view.tag({ x: box.left, y: box.top }, text, this.colour(box.label), -1, -2);
  }

  drawMark(view, box, selected) {
    const colour = this.colour(box.label);
    view.rectangle(box, { stroke: "#000a", strokeWidth: selected ? 5 : 4 });
    const line = { stroke: colour, strokeWidth: selected ? 3 : 2, dash: this.dash(box.label) };
    view.rectangle(box, { ...line, fill: selected ? `${colour}22` : null });
    if (!selected || this.locked || this.readOnly) return;
    for (const x of [0, 0.5, 1]) for (const y of [0, 0.5, 1]) {
      if (x !== 0.5 || y !== 0.5) view.grip({ x: box.left + x * box.width, y: box.top + y * box.height }, colour);
    }
  }

  describe(box) {
    return `${inText(box.label)}, ${box.width} × ${box.height} at ${box.left}, ${box.top}`;
  }

  detail(box) {
    return `${box.width} × ${box.height}`;
  }

  count() {
    return String(this.state.marks.length);
  }

  anchor(box) {
    return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  }

  /** Selects the smallest box under `at`; at the same place once more the next larger one, and around. */
  pick(at, event) {
    const reach = this.reach(event);
    const under = boxesAt(this.state.marks, at, reach);
    const { picked } = this;
    const isThere = picked && Math.hypot(at.x - picked.at.x, at.y - picked.at.y) < reach;
    const next = isThere && picked.id === this.selectedId ? (under.indexOf(this.selected) + 1) % under.length : 0;
    const id = under[next]?.id ?? null;
    this.picked = { id, at };
    this.select(id);
    if (under.length < 2) return;
    this.say(`${this.describe(under[next])}. ${next + 1} of ${under.length} here: again for the next.`);
  }
}

export class CrowdBoundingBox extends BoxView {
  purpose = "Drag to draw a box, click a box to select it.";
  choicesTitle = "Label";
  choiceNoun = "label";
  drawing = false; // whether every drag draws, whatever lies below
  freshId = null; // the box just drawn: its inside is room for the next one, until it is clicked
  digits = "choose the label, of the selected box or for the next";

  start(initial) {
    this.initial = initial;
    this.recent = new Recent(document.body.dataset.job, this.labels);
    return { marks: initial.map((box) => this.#mark(box)), nothing: false };
  }

  #mark(box) {
    return { id: `box-${crypto.randomUUID()}`, ...box };
  }

  stateOf(answer) {
    const marks = (answer?.boundingBoxes ?? []).map((box) => this.#mark(box));
    return { marks, nothing: marks.length === 0 };
  }

  get answer() {
    const shape = ({ height, label, left, top, width }) => ({ height, label, left, top, width });
    const boundingBoxes = this.state.marks.map(shape);
    const { width, height } = this.size;
    const answer = { boundingBoxes, inputImageProperties: { height, width } };
    if (!this.initial.length) return answer;
    const untouched = JSON.stringify(boundingBoxes) === JSON.stringify(this.initial.map(shape));
    return { ...answer, initialValueModified: !untouched };
  }

  problem() {
    if (this.state.marks.length || this.state.nothing) return "";
    return "No box is drawn. Draw one, or tick “Nothing here” (N) if there is no object to mark.";
  }

  /** Boxes that mark the same thing twice, told before they are submitted: {text, key, actions}, or nothing. */
  doubt() {
    const { twins } = this;
    if (!twins.length) return null;
    const number = (box) => this.state.marks.indexOf(box) + 1;
    const both = (one, other) => (one.label === other.label ? inText(one.label)
      : `${inText(other.label)}, not ${inText(one.label)}`);
    const told = twins.slice(0, 5).map(([one, other]) => `${number(other)} like ${number(one)} (${both(one, other)})`);
    const more = twins.length > told.length ? ` and ${twins.length - told.length} more` : "";
    const text = `The same thing is boxed twice: ${told.join(", ")}${more}. `;
    const later = twins.filter(([one, other]) => one.label === other.label).map(([, other]) => other);
    const key = JSON.stringify(twins);
    if (!later.length) return { text: `${text}Delete the wrong one, or submit again if both are right.`, key, actions: [] };
    const many = later.length > 1 ? `these ${later.length} boxes` : `box ${number(later[0])}`;
    const gone = new Set(later);
    const remove = () => this.commit({ marks: this.state.marks.filter((mark) => !gone.has(mark)) });
    return {
      text: `${text}Delete ${many}, or submit again if both are right.`, key, actions: [{ text: `Delete ${many}`, run: remove }],
    };
  }

  get twins() {
    const { marks } = this.state;
    if (this.twinsOf !== marks) [this.twinsOf, this.foundTwins] = [marks, twinsIn(marks)];
    return this.foundTwins;
  }

  refresh() {
    super.refresh();
    const { twins } = this;
    if (this.noticed === twins) return;
    this.noticed = twins;
    const number = (box) => this.state.marks.indexOf(box) + 1;
    this.notice.replaceChildren(...twins.slice(0, 20).map(([one, other]) => h("p", {},
      `${number(other)} is like ${number(one)} `,
      button("Show", () => this.select(other.id, true), { "aria-label": `Show box ${number(other)}` }),
      button(`Delete ${number(other)}`, () => this.remove(other.id)))));
  }

  /** What a drag from here does to the selected box: sides to move, [0, 0] for all of it, null for a new box. */
  #grip(at, event) {
    const box = this.selected;
    if (!box || event.shiftKey || this.drawing) return null;
    const reach = this.reach(event);
    const grip = gripAt(box, at, reach);
    if (!grip || this.selectedId !== this.freshId) return grip;
    const handle = { x: box.left + ((grip[0] + 1) / 2) * box.width, y: box.top + ((grip[1] + 1) / 2) * box.height };
    const isOnHandle = Math.max(Math.abs(at.x - handle.x), Math.abs(at.y - handle.y)) <= reach;
    return grip.some(Boolean) && isOnHandle ? grip : null;
  }

  press(at, event) {
    const box = this.selected;
    let grip = this.#grip(at, event);
    const shaped = (to) => {
      if (!grip) return { label: this.label, ...boxBetween(at, to, this.size) };
      const [dx, dy] = [to.x - at.x, to.y - at.y];
      return grip.some(Boolean) ? resized(box, grip, dx, dy, this.size) : moved(box, dx, dy, this.size);
    };
    const hold = () => {
      grip = null;
      this.say("Drag to draw a new box here.");
      navigator.vibrate?.(15);
    };
    return {
      hold: grip && !grip.some(Boolean) ? hold : null,
      move: (to) => !this.locked && this.show(shaped(to)),
      cancel: () => this.show(null),
      end: (to, dragged) => {
        this.show(null);
        if (!dragged) return this.pick(at, event);
        if (grip) return this.replace(shaped(to));
        return this.#create(shaped(to), true);
      },
    };
  }

  select(id, reveal) {
    this.freshId = null;
    super.select(id, reveal);
  }

  hover(at, event) {
    const grip = this.#grip(at, event);
    this.crossed = !grip;
    return grip ? cursorOf(grip) : "crosshair";
  }

  ownTools() {
    const title = "Every drag draws a new box, inside of others too (D)";
    this.drawTool = button("Draw", () => this.#draw(!this.drawing), { "aria-pressed": "false", title });
    return [this.drawTool];
  }

  #draw(drawing) {
    this.drawing = drawing;
    this.drawTool.setAttribute("aria-pressed", String(drawing));
    this.say(drawing ? "Every drag draws a new box." : "A drag inside of the selected box moves it.");
  }

  draw(view) {
    super.draw(view);
    if (this.crossed && !this.locked) view.crosshair();
  }

  get quick() {
    return this.recent.slots;
  }

  isChosen(label) {
    return label === this.label;
  }

  /** The label of the selected box, and of the next one. */
  choose(index) {
    if (!this.labels[index]) return;
    this.label = this.labels[index];
    this.recent.use(this.label);
    if (this.selected && this.selected.label !== this.label) this.replace({ ...this.selected, label: this.label });
    else this.refresh();
    if (!this.selected) this.say(`Next box: ${inText(this.label)}`);
  }

  add() {
    const { x, y } = this.view.middle();
    const [across, down] = [this.size.width / 10, this.size.height / 10];
    const sides = boxBetween({ x: x - across, y: y - down }, { x: x + across, y: y + down }, this.size);
    this.#create({ label: this.label, ...sides });
  }

  remove(id = this.selectedId) {
    const marks = this.state.marks;
    const at = marks.findIndex((mark) => mark.id === id);
    if (this.idle || at < 0) return;
    this.commit({ marks: marks.filter((mark) => mark.id !== id) });
    this.say("Box deleted. U brings it back.");
  }

  sideButton(box, element) {
    element.textContent = "✕";
    element.setAttribute("aria-label", `Delete ${this.describe(box)}`);
    element.className = "side";
  }

  sideAction(id) {
    this.remove(id);
  }

  emptied() {
    return [];
  }

  shifted(box, dx, dy) {
    return moved(box, dx, dy, this.size);
  }

  keys() {
    const side = (shift) => Math.abs(Math.sign(shift));
    const stretch = (box, dx, dy) => resized(box, [side(dx), side(dy)], dx, dy, this.size);
    const keys = Object.keys(ARROWS).map((key) => `Ctrl+${key}`);
    const does = "move its right or lower side, with Shift by 10";
    return [
      ...super.keys(),
      { keys, shown: "Ctrl + arrows", does, run: (event) => this.nudge(event, stretch), repeats: true },
      { keys: ["d"], does: "every drag draws a new box, or no longer", run: () => this.#draw(!this.drawing) },
    ];
  }

  #create(box, isFresh = false) {
    if (!box.width || !box.height || this.locked) return;
    const mark = this.#mark(box);
    this.selectedId = mark.id;
    this.freshId = isFresh ? mark.id : null;
    this.recent.use(mark.label);
    this.commit({ marks: [...this.state.marks, mark], nothing: false });
  }
}
