/** crowd-keypoint, one point per name. A mark is `{id, label, x, y, visibility}`; the id is the name.
 *
 * Visibility is `visible`, `occluded`, `outside` or `undecided`; x, y are whole pixels of the natural image, or null where
 * no point was placed yet. In answers an occluded point has the label "<name> (occluded)", and one outside has no entry.
 */
import { Annotator } from "./annotator.js";
import { GRIP_REACH } from "./canvas.js";
import { h } from "./dom.js";

const OCCLUDED = " (occluded)";
const NEXT = { undecided: "outside", outside: "visible", visible: "occluded", occluded: "outside" };
const SHOWN = { undecided: "not set", outside: "outside", visible: "visible", occluded: "occluded" };

export const isPlaced = (mark) => mark.visibility === "visible" || mark.visibility === "occluded";

/** The names in a list of labels that has every name plain and, for occluded points, with its suffix. */
export function namesIn(labels) {
  return labels.filter((label) => !(label.endsWith(OCCLUDED) && labels.includes(label.slice(0, -OCCLUDED.length))));
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
  return marks.filter(isPlaced).map(({ label, x, y, visibility }) => ({ label: visibility === "occluded" ? label + OCCLUDED : label, x, y }));
}

export class CrowdKeypoint extends Annotator {
  noun = "point";
  purpose = "Click to place the next point, drag a point to move it.";
  digits = "choose the point to place or to work on";

  start(initial) {
    this.labels = this.names = namesIn(this.labels);
    return { marks: marksFrom(this.names, initial, initial.length ? "outside" : "undecided"), nothing: false };
  }

  stateOf(answer) {
    const points = answer?.keypoints ?? [];
    return { marks: marksFrom(this.names, points, "outside"), nothing: points.length === 0 };
  }

  get answer() {
    const { width, height } = this.size;
    return { inputImageProperties: { height, width }, keypoints: pointsFrom(this.state.marks) };
  }

  problem() {
    const open = this.state.marks.filter((mark) => mark.visibility === "undecided").map((mark) => mark.label);
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
    return inOrder.find((mark) => mark.visibility === "undecided") ?? (this.selected?.visibility === "outside" ? this.selected : undefined);
  }

  press(at, event) {
    const touched = this.#touched(at, event);
    const mark = touched ?? this.target;
    const offset = touched ? { x: touched.x - at.x, y: touched.y - at.y } : { x: 0, y: 0 };
    const put = (to) => this.#placed(mark, { x: to.x + offset.x, y: to.y + offset.y });
    return {
      move: (to) => mark && !this.locked && this.show(put(to)),
      cancel: () => this.show(null),
      end: (to, dragged) => {
        this.show(null);
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
    view.tag(view.toImage(view.pointerAt), this.ghost.label, this.colour(this.ghost.label), 10, -6);
  }

  /** The number, as in the list; the selected point says its name. */
  drawTag(view, mark, selected) {
    if (!isPlaced(mark)) return;
    const name = mark.visibility === "occluded" ? mark.label + OCCLUDED : mark.label;
    view.tag(mark, selected ? name : String(this.names.indexOf(mark.label) + 1), this.colour(mark.label), 9, -4);
  }

  drawMark(view, mark, selected) {
    if (!isPlaced(mark)) return;
    const colour = this.colour(mark.label);
    const solid = mark.visibility === "visible";
    const radius = selected ? 7 : 6;
    if (selected) view.circle(mark, { radius: 12, stroke: "#fff", strokeWidth: 1.5, dash: [3, 3] });
    view.circle(mark, { radius, stroke: "#000b", strokeWidth: solid ? 4 : 6 });
    view.circle(mark, { radius, stroke: solid ? "#fff" : colour, strokeWidth: solid ? 2 : 3, fill: solid ? colour : null });
  }

  describe(mark) {
    return isPlaced(mark) ? `${mark.label}, ${mark.visibility}, at ${mark.x}, ${mark.y}` : `${mark.label}, ${SHOWN[mark.visibility]}`;
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

  palette() {
    return [];
  }

  fields() {
    const options = (values) => values.map(([value, text]) => h("option", { value }, text));
    return new Map([
      ["label", h("select", {}, ...options(this.names.map((name) => [name, name])))],
      ["visibility", h("select", {}, ...options(Object.entries(SHOWN)))],
      ["x", h("input", { type: "number", step: 1, min: 0 })],
      ["y", h("input", { type: "number", step: 1, min: 0 })],
    ]);
  }

  fillInput(name, input, mark) {
    input.value = mark[name] ?? "";
    if (name === "x" || name === "y") input.disabled = !isPlaced(mark);
  }

  edited(name, value) {
    if (name === "label") return this.#swap(value);
    if (name === "visibility") return this.#see(this.selected, value);
    return this.replace(this.#placed({ ...this.selected, [name]: Number(value) }));
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
    element.setAttribute("aria-label", `${mark.label} is ${SHOWN[mark.visibility]}: change to ${SHOWN[NEXT[mark.visibility]]}`);
    element.className = `side visibility ${mark.visibility}`;
  }

  sideAction(id) {
    this.select(id);
    this.#see(this.selected);
  }

  emptied() {
    return this.state.marks.map((mark) => ({ ...mark, visibility: "outside" }));
  }

  shifted(mark, dx, dy) {
    return isPlaced(mark) ? this.#placed(mark, { x: mark.x + dx, y: mark.y + dy }) : mark;
  }

  keys() {
    return [...super.keys(), { keys: ["v"], does: "the point is visible, occluded, outside", run: () => this.#see(this.selected ?? this.target) }];
  }

  #see(mark, visibility = NEXT[mark?.visibility]) {
    if (!mark) return;
    this.selectedId = mark.id;
    const seen = { ...mark, visibility };
    this.replace(isPlaced(seen) ? this.#placed(seen, mark.x === null ? this.view.middle() : mark) : seen);
  }

  /** Left taken for right is the usual mistake: the two points change places. */
  #swap(name) {
    const [one, other] = [this.selected, this.state.marks.find((mark) => mark.id === name)];
    const as = (mark, { id, label }) => ({ ...mark, id, label });
    const swapped = this.state.marks.map((mark) => (mark === one ? as(other, one) : mark === other ? as(one, other) : mark));
    this.selectedId = name;
    this.commit({ marks: swapped });
  }

  #placed(mark, { x, y } = mark) {
    const within = (value, largest) => Math.min(Math.max(Math.round(value), 0), largest);
    const visibility = mark.visibility === "occluded" ? "occluded" : "visible";
    return { ...mark, x: within(x, this.size.width - 1), y: within(y, this.size.height - 1), visibility };
  }

  /** The point under the pointer; none while a point that was chosen waits to be placed, however close the others are. */
  #touched(at, event) {
    if (this.selected?.visibility === "undecided") return undefined;
    const reach = Math.max(10, GRIP_REACH[event.pointerType] ?? 0) / this.view.scale;
    const apart = (mark) => Math.hypot(mark.x - at.x, mark.y - at.y);
    return this.state.marks.filter((mark) => isPlaced(mark) && apart(mark) <= reach).sort((a, b) => apart(a) - apart(b))[0];
  }

  /** A placed point ends "nothing here". */
  commit(change, kind) {
    const marks = change.marks ?? this.state.marks;
    super.commit({ ...change, nothing: marks.some(isPlaced) ? false : (change.nothing ?? this.state.nothing) }, kind);
  }
}
