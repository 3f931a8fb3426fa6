/** crowd-keypoint, one point per name. A mark is `{id, label, x, y, visibility}`; the id is the name.
 *
 * Visibility is `visible`, `occluded`, `outside` or `undecided`; x, y are whole pixels of the natural image, or null
 * where no point was placed yet. In answers an occluded point has the label "<name> (occluded)", one outside no entry.
 */
import { Annotator } from "./annotator.js";
import { GRIP_REACH } from "./canvas.js";
import { button } from "./dom.js";
import { inText } from "./names.js";

const OCCLUDED = " (occluded)";
const ON_POINT = 10; // screen pixels: a tap that is farther off places the next point, if there is one
const NEXT = { undecided: "outside", outside: "visible", visible: "occluded", occluded: "outside" };
const SHOWN = { undecided: "not set", outside: "outside", visible: "visible", occluded: "occluded" };

// The page works on the first person; what a pre-label has of others, and corners of boxes, it hands on as it is.
const OF_OTHERS = /^(top-left|bottom-right)$| #\d+( \(occluded\))?$/;

export const isPlaced = (mark) => mark.visibility === "visible" || mark.visibility === "occluded";

/** The names in a list of labels that has every name plain and, for occluded points, with its suffix. */
export function namesIn(labels) {
  const own = labels.filter((label) => !OF_OTHERS.test(label));
  return own.filter((label) => !(label.endsWith(OCCLUDED) && labels.includes(label.slice(0, -OCCLUDED.length))));
}

/** One mark per name; a name without a point gets the visibility `missing`. */
export function marksFrom(names, points, missing) {
  return names.map((name) => {
    const point = points.find(({ label }) => label === name || label === name + OCCLUDED);
    if (!point) return { id: name, label: name, x: null, y: null, visibility: missing };
    return { id: name, label: name, x: point.x, y: point.y, visibility: point.label === name ? "visible" : "occluded" };
  });
}

export function pointsFrom(marks) {
  const spelled = ({ label, visibility }) => (visibility === "occluded" ? label + OCCLUDED : label);
  return marks.filter(isPlaced).map((mark) => ({ label: spelled(mark), x: mark.x, y: mark.y }));
}

export class CrowdKeypoint extends Annotator {
  noun = "point";
  plural = "Points";
  choiceNoun = "point";
  purpose = "Click to place the next point, drag a point to move it.";
  digits = "choose the point to place or to work on";

  start(initial) {
    this.labels = this.names = namesIn(this.labels);
    this.handedOn = initial.filter(({ label }) => OF_OTHERS.test(label));
    return { marks: marksFrom(this.names, initial, initial.length ? "outside" : "undecided"), nothing: false };
  }

  stateOf(answer) {
    const points = answer?.keypoints ?? [];
    return { marks: marksFrom(this.names, points, "outside"), nothing: points.length === 0 };
  }

  get answer() {
    const { width, height } = this.size;
    const others = this.state.nothing ? [] : this.handedOn;
    return { inputImageProperties: { height, width }, keypoints: [...pointsFrom(this.state.marks), ...others] };
  }

  problem() {
    const open = this.state.marks.filter((mark) => mark.visibility === "undecided").map((mark) => inText(mark.label));
    if (this.state.nothing) return "";
    if (open.length) return `Place these points, or set them outside (V): ${open.join(", ")}.`;
    if (this.state.marks.some(isPlaced)) return "";
    return "All points are outside. Tick “Nothing here” (N) if none of them is in the picture.";
  }

  /** The point that a click on the picture, or B, places. */
  get target() {
    const { marks } = this.state;
    const from = Math.max(0, marks.indexOf(this.selected));
    const inOrder = [...marks.slice(from), ...marks.slice(0, from)];
    const undecided = inOrder.find((mark) => mark.visibility === "undecided");
    return undecided ?? (this.selected?.visibility === "outside" ? this.selected : undefined);
  }

  press(at, event) {
    const touched = this.#touched(at, event);
    const { target } = this;
    const mark = touched ?? target;
    const offset = touched ? { x: touched.x - at.x, y: touched.y - at.y } : { x: 0, y: 0 };
    const put = (to) => this.#placed(mark, { x: to.x + offset.x, y: to.y + offset.y });
    return {
      move: (to) => mark && !this.locked && this.show(put(to)),
      cancel: () => this.show(null),
      end: (to, dragged) => {
        this.show(null);
        const isBeside = touched && Math.hypot(touched.x - at.x, touched.y - at.y) > ON_POINT / this.view.scale;
        if (!dragged && isBeside && target?.visibility === "undecided") {
          this.select(target.id);
          return this.replace(this.#placed(target, to));
        }
        this.select(mark?.id ?? null);
        if (mark && (dragged || !touched)) this.replace(put(to));
      },
    };
  }

  hover(at, event) {
    const touched = this.#touched(at, event);
    this.ghost = touched || this.locked ? null : this.target;
    return this.ghost ? "crosshair" : touched ? "move" : "default";
  }

  draw(view) {
    super.draw(view);
    if (!this.ghost || !view.pointerAt || this.preview || this.locked) return;
    view.crosshair();
    view.tag(view.toImage(view.pointerAt), this.tagOf(this.ghost.label), this.colour(this.ghost.label), 10, -6);
  }

  /** The number, as in the list; the selected point says its name. */
  drawTag(view, mark, selected) {
    if (!isPlaced(mark)) return;
    const name = this.tagOf(mark.label) + (mark.visibility === "occluded" ? OCCLUDED : "");
    view.tag(mark, selected ? name : String(this.names.indexOf(mark.label) + 1), this.colour(mark.label), 9, -4);
  }

  drawMark(view, mark, selected) {
    if (!isPlaced(mark)) return;
    const colour = this.colour(mark.label);
    const solid = mark.visibility === "visible";
    const radius = selected ? 7 : 6;
    if (selected) view.circle(mark, { radius: 12, stroke: "#fff", strokeWidth: 1.5, dash: [3, 3] });
    view.circle(mark, { radius, stroke: "#000b", strokeWidth: solid ? 4 : 6 });
    const style = solid ? { stroke: "#fff", strokeWidth: 2, fill: colour } : { stroke: colour, strokeWidth: 3 };
    view.circle(mark, { radius, ...style });
  }

  describe(mark) {
    return `${inText(mark.label)}, ${SHOWN[mark.visibility]}${isPlaced(mark) ? `, at ${mark.x}, ${mark.y}` : ""}`;
  }

  detail(mark) {
    return isPlaced(mark) ? `${mark.x}, ${mark.y}` : "";
  }

  count() {
    const decided = this.state.marks.filter((mark) => mark.visibility !== "undecided").length;
    return `${decided} of ${this.state.marks.length}`;
  }

  anchor(mark) {
    return isPlaced(mark) ? mark : null;
  }

  isChosen(name) {
    return name === (this.selected ?? this.target)?.label;
  }

  ownTools() {
    const turn = () => this.#turn(this.selected ?? this.target);
    return [button("Visibility", turn, { title: "The point is visible, occluded, outside (V)" })];
  }

  /** Digits choose a point: the next one to place, or the one to work on. */
  choose(index) {
    if (this.names[index]) this.select(this.names[index], true);
  }

  add() {
    const mark = this.target;
    if (!mark) return this.say("Every point is placed or outside.");
    this.selectedId = mark.id;
    return this.replace(this.#placed(mark, this.view.middle()));
  }

  remove() {
    if (this.selected) this.replace({ ...this.selected, x: null, y: null, visibility: "undecided" });
  }

  sideButton(mark, element) {
    element.textContent = SHOWN[mark.visibility];
    const [now, next] = [mark.visibility, NEXT[mark.visibility]].map((visibility) => SHOWN[visibility]);
    element.setAttribute("aria-label", `${inText(mark.label)} is ${now}: change to ${next}`);
    element.className = `side visibility ${mark.visibility}`;
  }

  sideAction(id) {
    this.#turn(this.state.marks.find((mark) => mark.id === id));
  }

  emptied() {
    return this.state.marks.map((mark) => ({ ...mark, visibility: "outside" }));
  }

  shifted(mark, dx, dy) {
    return isPlaced(mark) ? this.#placed(mark, { x: mark.x + dx, y: mark.y + dy }) : mark;
  }

  keys() {
    const turn = () => this.#turn(this.selected ?? this.target);
    return [...super.keys(), { keys: ["v"], does: "the point is visible, occluded, outside", run: turn }];
  }

  #turn(mark) {
    if (!mark || this.idle) return;
    this.selectedId = mark.id;
    const seen = { ...mark, visibility: NEXT[mark.visibility] };
    this.replace(isPlaced(seen) && mark.x === null ? this.#placed(seen, this.view.middle()) : seen);
  }

  /** Where a person puts the point: in the picture or on its edges. */
  #placed(mark, { x, y }) {
    const within = (value, largest) => Math.min(Math.max(Math.round(value), 0), largest);
    const visibility = mark.visibility === "occluded" ? "occluded" : "visible";
    return { ...mark, x: within(x, this.size.width), y: within(y, this.size.height), visibility };
  }

  /** The point under the pointer; none while a chosen one waits to be placed, however close the others are. */
  #touched(at, event) {
    if (this.selected?.visibility === "undecided") return undefined;
    const reach = Math.max(ON_POINT, GRIP_REACH[event.pointerType] ?? 0) / this.view.scale;
    const apart = (mark) => Math.hypot(mark.x - at.x, mark.y - at.y);
    const near = this.state.marks.filter((mark) => isPlaced(mark) && apart(mark) <= reach);
    return near.sort((a, b) => apart(a) - apart(b))[0];
  }

  /** A placed point ends "nothing here". */
  commit(change, kind) {
    const marks = change.marks ?? this.state.marks;
    const nothing = !marks.some(isPlaced) && (change.nothing ?? this.state.nothing);
    super.commit({ ...change, nothing }, kind);
  }
}
