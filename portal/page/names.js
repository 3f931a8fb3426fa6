/** How names are shown and found, whatever they are made of. What is stored is never changed. */
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
// Control characters, and those that would turn around the text behind them; what scripts need (joiners, LRM) stays.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** The name with a sign in place of every character that would be unseen or would reorder what follows. */
export const visible = (name) => name.replace(UNSEEN, (unseen) => {
  const code = unseen.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return `⟨${code.toString(16).toUpperCase()}⟩`;
});

/** For a name inside of a sentence: a right-to-left name keeps its numbers and commas where they belong. */
export const inText = (name) => (RIGHT_TO_LEFT.test(name) ? `\u2068${visible(name)}\u2069` : visible(name));

/** At most `longest` characters. The middle goes: names that begin alike differ at their ends. */
export function shortened(name, longest) {
  const signs = [...name];
  if (signs.length <= longest) return name;
  const kept = longest - 1;
  return `${signs.slice(0, Math.ceil(kept / 2)).join("")}…${signs.slice(-Math.floor(kept / 2)).join("")}`;
}

/** Name -> short name; names that would be the same when shortened have their number in the list behind them. */
export function shortNames(names, longest) {
  const short = names.map((name) => inText(shortened(visible(name), longest)));
  const count = new Map();
  for (const name of short) count.set(name, (count.get(name) ?? 0) + 1);
  const told = (text, index) => (count.get(text) > 1 ? `${text} #${index + 1}` : text);
  return new Map(names.map((name, index) => [name, told(short[index], index)]));
}

const UNDIVIDED = { ł: "l", ø: "o", đ: "d", ð: "d", æ: "ae", œ: "oe" };

/** Without accents, letter case and width: what is compared when a name is looked for. "ß" is "ss". */
export function folded(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase();
  return plain.replace(/[łøđðæœ]/g, (letter) => UNDIVIDED[letter]);
}

/** The names that hold every word of `query`, those that begin with it first; a number finds its place in the list. */
export function found(names, query) {
  const wanted = folded(query).trim();
  const words = wanted.split(/\s+/);
  const rank = (name, index) => {
    const text = folded(name);
    if (String(index + 1) === wanted || text.startsWith(wanted)) return 0;
    return words.every((word) => text.includes(word)) ? 1 : 2;
  };
  const ranked = names.map((name, index) => [name, rank(name, index)]).filter(([, ranking]) => ranking < 2);
  return ranked.sort(([, a], [, b]) => a - b).map(([name]) => name);
}
