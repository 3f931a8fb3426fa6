/** Okabe and Ito's palette, told apart by people with any colour vision; label text always stands beside it. */
const PALETTE = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2"];

export function colourOf(labels, label) {
  const index = labels.indexOf(label);
  return index < 0 ? "#FFFFFF" : PALETTE[index % PALETTE.length];
}

export const inkOn = (colour) => (colour === "#0072B2" ? "#FFFFFF" : "#000000");
