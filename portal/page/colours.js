/** Okabe and Ito's palette, told apart by people with any colour vision; label text always stands beside it.
 *
 * Labels beyond the palette have its colours once more with another line; what is left to tell apart, names tell.
 */
const PALETTE = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2"];
const DASHES = [null, [10, 5], [3, 4], [16, 4, 3, 4]]; // screen pixels; portal.css draws swatches with the same numbers

export function colourOf(labels, label) {
  const index = labels.indexOf(label);
  return index < 0 ? "#FFFFFF" : PALETTE[index % PALETTE.length];
}

/** 0 for the first labels, which have whole lines, up to 3. */
export function lineOf(labels, label) {
  return Math.floor(Math.max(0, labels.indexOf(label)) / PALETTE.length) % DASHES.length;
}

export const dashOf = (labels, label) => DASHES[lineOf(labels, label)];

export const nthColour = (index) => PALETTE[index % PALETTE.length];

export const inkOn = (colour) => (colour === "#0072B2" ? "#FFFFFF" : "#000000");
