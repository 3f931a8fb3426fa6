/** What crowd-keypoint's labels say of several people, and the marks that this page makes of them and back.
 *
 * `nose` and `nose (occluded)` are the first person's, `nose #2` and `nose #2 (occluded)` the second's; `top-left` and
 * `bottom-right` (`top-left #2`) are the corners of the person's box. A mark is a point `{id, person, label, x, y,
 * visibility}` or a person's box `{id, person, label: BOX, box}`, where `box` is `{left, top, width, height}`, or null
 * where nobody drew one. Pixels are those of the natural image; x and y are null where no point was placed yet.
 * `visibility` is `visible`, `occluded`, `outside` or `undecided`.
 */
export const OCCLUDED = " (occluded)";
export const BOX = "box";
const [TOP_LEFT, BOTTOM_RIGHT] = ["top-left", "bottom-right"];
const CORNERS = [TOP_LEFT, BOTTOM_RIGHT];
const LABEL = /^(.+?)(?: #([2-9]|[1-9]\d))?( \(occluded\))?$/s; // as tasks/people_labels.py reads it
const LEAST_SIDE = 0.1; // of the image's longer side: contracts/person_boxes.py

export const isBox = (mark) => mark?.label === BOX && "box" in mark;
export const isPlaced = (mark) => mark?.visibility === "visible" || mark?.visibility === "occluded";
export const isMarked = (mark) => (isBox(mark) ? Boolean(mark.box) : isPlaced(mark));
export const isOpen = (mark) => mark.visibility === "undecided";

function meaning(label) {
  const [, name, person = "1", occluded] = LABEL.exec(label) ?? [null, label];
  return { name, person: Number(person), visibility: occluded ? "occluded" : "visible" };
}

const spelled = (name, person, occluded) => name + (person > 1 ? ` #${person}` : "") + (occluded ? OCCLUDED : "");

/** The names in a page's labels, in their order, for how many people there are labels, and whether for their boxes. */
export function layoutOf(labels) {
  const meant = labels.map(meaning);
  const names = [...new Set(meant.map(({ name }) => name))].filter((name) => !CORNERS.includes(name));
  const people = new Set(meant.map(({ person }) => person));
  return { names, most: Math.max(1, people.size), hasBoxes: CORNERS.every((corner) => labels.includes(corner)) };
}

/** The marks of all people of whom there are points; a name without one gets the visibility `missing`. */
export function peopleFrom(points, layout, missing) {
  const known = new Set([...layout.names, ...CORNERS]);
  const meant = points.map(({ label, x, y }) => ({ ...meaning(label), x, y })).filter(({ name }) => known.has(name));
  const numbers = [...new Set(meant.map(({ person }) => person))].sort((a, b) => a - b);
  return numbers.flatMap((number) => {
    return personFrom(number, layout, missing, meant.filter(({ person }) => person === number));
  });
}

/** One person's marks, in the order of the names, the box last. */
export function personFrom(person, { names, hasBoxes }, missing, meant = []) {
  const points = names.map((label) => {
    const { x = null, y = null, visibility = missing } = meant.find(({ name }) => name === label) ?? {};
    return { id: `${person}#${label}`, person, label, x, y, visibility };
  });
  const corners = CORNERS.map((corner) => meant.find(({ name }) => name === corner));
  const box = corners.every(Boolean) ? between(...corners) : null;
  return hasBoxes || box ? [...points, { id: `${person}#`, person, label: BOX, box }] : points;
}

/** What is answered: the placed points and the corners of the boxes that somebody drew. */
export function pointsFrom(marks) {
  return marks.filter(isMarked).flatMap((mark) => {
    const { person, label, x, y, visibility } = mark;
    if (!isBox(mark)) return [{ label: spelled(label, person, visibility === "occluded"), x, y }];
    const { left, top, width, height } = mark.box;
    return [
      { label: spelled(TOP_LEFT, person), x: left, y: top },
      { label: spelled(BOTTOM_RIGHT, person), x: left + width, y: top + height },
    ];
  });
}

export const numbersIn = (marks) => [...new Set(marks.map(({ person }) => person))];

/** The people of these marks: `{number, points, frame, box, isDerived}`. `frame` is the mark of the box; without one
 * that somebody drew `box` is what will be stored, a square round the points in an image of `size`, or null.
 */
export function gathered(marks, size, factor) {
  return numbersIn(marks).map((number) => {
    const own = marks.filter(({ person }) => person === number);
    const [points, frame] = [own.filter((mark) => !isBox(mark)), own.find(isBox)];
    const box = frame?.box ?? (size ? derivedBox(points.filter(isPlaced), size, factor) : null);
    return { number, points, frame, box, isDerived: !frame?.box };
  });
}

/** As contracts/person_boxes.py makes it: `factor` times the longer extent of the points, clipped to the image. */
export function derivedBox(placed, { width, height }, factor) {
  if (!placed.length) return null;
  const spans = ["x", "y"].map((axis) => placed.map((point) => point[axis]));
  const ends = spans.map((values) => [Math.min(...values), Math.max(...values)]);
  const extent = Math.max(...ends.map(([first, last]) => last - first));
  const side = Math.max(factor * extent, LEAST_SIDE * Math.max(width, height));
  const [[left, right], [top, bottom]] = ends.map(([first, last], axis) => {
    const limit = axis ? height : width;
    return [Math.max((first + last - side) / 2, 0), Math.min((first + last + side) / 2, limit)];
  });
  return { left, top, width: Math.max(right - left, 0), height: Math.max(bottom - top, 0) };
}

function between(one, other) {
  const [left, top] = [Math.min(one.x, other.x), Math.min(one.y, other.y)];
  return { left, top, width: Math.abs(one.x - other.x), height: Math.abs(one.y - other.y) };
}

/** The marks of a draft. Earlier versions kept the first person's points alone, and apart from them what a pre-label has
 * of others. Whatever else throws, so that the draft is left aside.
 */
export function marksOfDraft(marks, layout, initial) {
  if (marks.every(({ id, person }) => typeof id === "string" && person >= 1)) return marks;
  const kept = new Map(marks.map((mark) => [mark.label, mark]));
  const proposed = peopleFrom(initial, layout, "outside");
  const [first, others] = [proposed.filter(({ person }) => person === 1), proposed.filter(({ person }) => person > 1)];
  const placed = (first.length ? first : personFrom(1, layout, "undecided")).map((mark) => {
    return isBox(mark) ? mark : { ...mark, ...keptOf(kept.get(mark.label)) };
  });
  return [...placed, ...others];
}

const keptOf = ({ x, y, visibility }) => ({ x, y, visibility });
