/** The labels on the digits 1 to 9. Where there are more labels, one that is used takes the place of the one that was
 * unused for longest; the others stay on their digits, so that fingers can learn them. Kept for a job in this browser.
 */
const KEPT = "labelloop/recent";
const MOST = 9;

export class Recent {
  constructor(job, labels) {
    this.job = job;
    this.labels = labels;
    this.slots = labels.slice(0, MOST);
    this.used = []; // the last one first
    if (labels.length > MOST) this.#read();
  }

  use(label) {
    if (this.labels.length <= MOST || this.used[0] === label) return;
    this.used = [label, ...this.used.filter((other) => other !== label)].slice(0, MOST);
    if (!this.slots.includes(label)) this.slots[this.#oldest()] = label;
    this.#write();
  }

  /** The place of the label that was unused for longest; of those never used the last. */
  #oldest() {
    const ages = this.slots.map((label) => (this.used.includes(label) ? this.used.indexOf(label) : MOST));
    return ages.lastIndexOf(Math.max(...ages));
  }

  #read() {
    try {
      const { job, slots, used } = JSON.parse(localStorage.getItem(KEPT)) ?? {};
      const known = (names) => [...new Set(names)].filter((name) => this.labels.includes(name)).slice(0, MOST);
      if (job !== this.job) return;
      this.slots = known([...slots, ...this.slots]);
      this.used = known(used);
    } catch {
      // Damaged, or this browser keeps nothing: the first labels are as good.
    }
  }

  #write() {
    try {
      localStorage.setItem(KEPT, JSON.stringify({ job: this.job, slots: this.slots, used: this.used }));
    } catch {
      // Full, or refused: the digits are as before on the next picture.
    }
  }
}
