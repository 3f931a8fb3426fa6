/** Boxes that mark the same thing twice: the same label, and the same place up to a pixel or a tenth. */
const ALIKE = 0.9;

/** Pairs [earlier, later]; of several equal boxes each with the first. Swept from left to right, for thousands. */
export function twinsIn(boxes) {
  const order = new Map(boxes.map((box, index) => [box, index]));
  const pairs = [];
  for (const label of new Set(boxes.map((box) => box.label))) {
    const same = boxes.filter((box) => box.label === label);
    const sorted = same.sort((a, b) => a.left - b.left || order.get(a) - order.get(b));
    const told = new Set();
    sorted.forEach((box, index) => {
      for (let next = index + 1; next < sorted.length; next += 1) {
        const other = sorted[next];
        if (other.left - box.left > Math.max(1, box.width * (1 - ALIKE))) break;
        const pair = order.get(box) < order.get(other) ? [box, other] : [other, box];
        if (told.has(pair[1]) || !areAlike(...pair)) continue;
        told.add(pair[1]);
        pairs.push(pair);
      }
    });
  }
  return pairs.sort((a, b) => order.get(a[1]) - order.get(b[1]));
}

function areAlike(a, b) {
  const sides = (box) => [box.left, box.top, box.left + box.width, box.top + box.height];
  const [one, other] = [sides(a), sides(b)];
  if (one.every((side, index) => Math.abs(side - other[index]) <= 1)) return true;
  const shared = (first, second) => Math.min(one[second], other[second]) - Math.max(one[first], other[first]);
  const [across, down] = [shared(0, 2), shared(1, 3)];
  if (across <= 0 || down <= 0) return false;
  return across * down >= ALIKE * (a.width * a.height + b.width * b.height - across * down);
}
