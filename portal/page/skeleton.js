/** A person on the picture: box, bones between points, points solid where they are visible and hollow where they are
 * occluded. A box that nobody drew is dashed.
 */
import { nthColour } from "./colours.js";
import { isPlaced, OCCLUDED } from "./people.js";

const ROOM_FOR_A_NAME = 40; // screen pixels of the box's longer side for each point that shows its name
const HOLLOW = 9; // screen pixels from the middle of a hollow mark to its outer edge
const [BESIDE, MIDDLE] = [10, 9]; // screen pixels from a point to the lower corner of its name

export const colourOf = (number) => nthColour(number - 1);

/** Box and bones of `person`, as `gathered` gives it. `isChosen`: it is the one that is worked on; `selectedId`: of a
 * point or a box.
 */
export function drawFrame(view, person, { bones, isChosen, selectedId, hasGrips }) {
  const { number, points, frame, box, isDerived } = person;
  const colour = colourOf(number);
  if (box) drawBox(view, box, { colour, isChosen, isDerived, isSelected: frame?.id === selectedId });
  if (hasGrips && !isDerived && frame.id === selectedId) drawGrips(view, box, colour);
  const placed = new Map(points.filter(isPlaced).map((point) => [point.label, point]));
  const joined = bones.map((bone) => bone.map((name) => placed.get(name))).filter((both) => both.every(Boolean));
  const ends = joined.map(([one, other]) => [outOf(one, other, view.scale), outOf(other, one, view.scale)]);
  for (const both of ends) view.line(...both, { stroke: "#0009", strokeWidth: isChosen ? 5 : 4 });
  for (const both of ends) view.line(...both, { stroke: colour, strokeWidth: isChosen ? 3 : 2 });
}

export function drawPoints(view, { number, points }, { isChosen, selectedId }) {
  const colour = colourOf(number);
  for (const point of points.filter(isPlaced)) drawPoint(view, point, colour, isChosen, point.id === selectedId);
}

/** Beside the points, away from the person's middle. `namedId`: the point under the pointer; `tagOf(label)`: a name as
 * it stands on the picture.
 */
export function drawTags(view, person, { isChosen, isAlone, selectedId, namedId, tagOf }) {
  const { number, points, box } = person;
  const colour = colourOf(number);
  const placed = points.filter(isPlaced);
  const isRoomy = box && Math.max(box.width, box.height) * view.scale >= ROOM_FOR_A_NAME * placed.length;
  const middle = box && box.left + box.width / 2;
  const isFirst = ({ id }) => id === selectedId || id === namedId;
  for (const point of placed.sort((a, b) => isFirst(b) - isFirst(a))) {
    const isNamed = isFirst(point) || (isChosen && isRoomy);
    const name = tagOf(point.label) + (point.visibility === "occluded" ? OCCLUDED : "");
    const beside = point.x < middle ? [-BESIDE, MIDDLE, true] : [BESIDE, MIDDLE];
    if (isNamed) view.tag(point, name, colour, ...beside);
    else if (isChosen) view.tag(point, String(points.indexOf(point) + 1), colour, ...beside);
  }
  if (box && !isAlone) view.tag({ x: box.left, y: box.top }, `Person ${number}`, colour, -1, -2);
}

/** Where the bone to `other` begins: not inside of a hollow mark. */
function outOf(point, other, scale) {
  const apart = Math.hypot(other.x - point.x, other.y - point.y) * scale;
  const share = point.visibility === "occluded" ? Math.min(HOLLOW / Math.max(apart, 1), 0.5) : 0;
  return { x: point.x + share * (other.x - point.x), y: point.y + share * (other.y - point.y) };
}

function drawBox(view, box, { colour, isChosen, isDerived, isSelected }) {
  const width = isSelected ? 3 : isChosen ? 2 : 1.5;
  const dash = isDerived ? [6, 5] : null;
  view.rectangle(box, { stroke: isDerived ? "#0007" : "#000a", strokeWidth: width + 2 });
  view.rectangle(box, { stroke: colour, strokeWidth: width, dash, fill: isSelected ? `${colour}22` : null });
}

function drawGrips(view, { left, top, width, height }, colour) {
  for (const x of [0, 0.5, 1]) for (const y of [0, 0.5, 1]) {
    if (x !== 0.5 || y !== 0.5) view.grip({ x: left + x * width, y: top + y * height }, colour);
  }
}

function drawPoint(view, point, colour, isChosen, isSelected) {
  const solid = point.visibility === "visible";
  const radius = isSelected ? 7 : isChosen ? 6 : 5;
  if (isSelected) view.circle(point, { radius: 12, stroke: "#fff", strokeWidth: 1.5, dash: [3, 3] });
  view.circle(point, { radius, stroke: "#000b", strokeWidth: solid ? 4 : 6 });
  const style = solid ? { stroke: "#fff", strokeWidth: 2, fill: colour } : { stroke: colour, strokeWidth: 3 };
  view.circle(point, { radius, ...style });
}
