/** Boxes that mark the same thing twice: the same label at the same place, up to a pixel or a tenth; or another label at
 * the same place, up to a pixel. */
const ALIKE = 0.9;
const HALF = 0.5;

/** Pairs [earlier, later]: each later box with the first one that stays, so that deleting the later ones leaves one of
 * each. Boxes that stay are held from left to right, for thousands of them. */
export function twinsIn(boxes) {
  const kept = [];
  const pairs = [];
  for (const box of boxes) {
    const reach = Math.max(1, box.width * (1 / ALIKE - 1));
    let at = firstFrom(kept, box.left - reach);
    let first = null;
    for (; at < kept.length && kept[at].box.left <= box.left + reach; at += 1) {
      if ((first === null || kept[at].turn < first.turn) && areTwins(kept[at].box, box)) first = kept[at];
    }
    if (first) pairs.push([first.box, box]);
    else kept.splice(firstFrom(kept, box.left), 0, { box, turn: kept.length });
  }
  return pairs;
}

function firstFrom(kept, left) {
  let [low, high] = [0, kept.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (kept[middle].box.left < left) low = middle + 1;
    else high = middle;
  }
  return low;
}

function areTwins(a, b) {
  const sides = (box) => [box.left, box.top, box.left + box.width, box.top + box.height];
  const [one, other] = [sides(a), sides(b)];
  const shared = (first, second) => Math.max(0, Math.min(one[second], other[second]) - Math.max(one[first], other[first]));
  const both = shared(0, 2) * shared(1, 3);
  const overlap = both / (a.width * a.height + b.width * b.height - both);
  const aPixel = one.every((side, index) => Math.abs(side - other[index]) <= 1) && overlap > HALF;
  return aPixel || (a.label === b.label && overlap >= ALIKE);
}
