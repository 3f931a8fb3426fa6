/** The picture on the screen: zoom, pan, pointers, and drawing in image coordinates.
 *
 * Image coordinates are pixels of the natural image, origin at its top left corner. Marks are drawn in screen pixels,
 * so that lines stay crisp at every zoom. Konva only draws; what lies under the pointer is computed from the marks.
 */
import "./konva.min.js";
import { inkOn } from "./colours.js";

const { Konva } = globalThis;
const LARGEST_SCALE = 40;
const KEPT_IN_SIGHT = 40;
const MOST_TAGS_APART = 300; // tags of boxes on each other stand below each other, as long as that is quick
const MOST_TAGS_STACKED = 4;
const HOLD_MS = 450;
const PALM_MS = 500; // while a pen is down, and so long after it was near, a touch is the hand that holds it
const CLICK_REACH = { touch: 10, pen: 6, mouse: 4 };
export const GRIP_REACH = { touch: 22, pen: 12, mouse: 8 };

export class View {
  #pointers = new Map();
  #gesture = null;
  #fitted = true;
  #frame = 0;
  #penSeen = -Infinity;
  scale = 1;
  x = 0;
  y = 0;
  panning = false;
  pointerAt = null;

  /** `tool`: press(at, event) -> {move(at), end(at, moved), cancel(), hold()?}, hover(at, event) -> CSS cursor,
   * draw(view). `cancel` leaves everything as it was before; `hold`: a finger or pen that rests before it moves.
   */
  constructor(container, tool) {
    this.container = container;
    this.tool = tool;
    this.stage = new Konva.Stage({ container, width: 1, height: 1, listening: false });
    this.picture = new Konva.Layer({ listening: false });
    this.marks = new Konva.Layer({ listening: false });
    this.stage.add(this.picture, this.marks);
    const on = (type, run) => container.addEventListener(type, run);
    on("pointerdown", (event) => this.image && this.#down(event));
    on("pointermove", (event) => this.image && this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("lostpointercapture", (event) => this.#cancel(event));
    on("pointerleave", () => this.#leave());
    on("contextmenu", (event) => event.preventDefault()); // of a finger that rests
    document.addEventListener("visibilitychange", () => this.#forget()); // ends are told to pages in sight
    container.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.#resize()).observe(container);
  }

  show(image) {
    this.image = { width: image.naturalWidth, height: image.naturalHeight };
    this.node = new Konva.Image({ image });
    this.picture.destroyChildren();
    this.picture.add(this.node);
    this.fit();
  }

  fit() {
    if (!this.image) return;
    const margin = Math.min(24, this.stage.height() / 20);
    const fitting = (room, length) => Math.max(room - 2 * margin, 1) / length;
    const { width, height } = this.image;
    this.scale = Math.min(fitting(this.stage.width(), width), fitting(this.stage.height(), height), LARGEST_SCALE);
    this.smallest = Math.min(this.scale / 2, 1);
    this.x = (this.stage.width() - width * this.scale) / 2;
    this.y = (this.stage.height() - height * this.scale) / 2;
    this.#fitted = true;
    this.draw();
  }

  /** Zooms so that what lies under `at`, in pixels of the stage, stays there: by default the pointer or the middle. */
  zoom(factor, at = this.pointerAt ?? { x: this.stage.width() / 2, y: this.stage.height() / 2 }) {
    if (!this.image) return;
    const scale = Math.min(Math.max(this.scale * factor, this.smallest), LARGEST_SCALE);
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.pan(0, 0);
  }

  pan(dx, dy) {
    const keep = (start, length, room) => Math.min(Math.max(start, KEPT_IN_SIGHT - length), room - KEPT_IN_SIGHT);
    this.x = keep(this.x + dx, this.image.width * this.scale, this.stage.width());
    this.y = keep(this.y + dy, this.image.height * this.scale, this.stage.height());
    this.#fitted = false;
    this.draw();
  }

  /** Pans as little as needed to bring an image point into sight. */
  reveal(at) {
    const shift = (value, room) => (value < 30 ? 30 - value : value > room - 30 ? room - 30 - value : 0);
    const seen = this.toScreen(at);
    const [dx, dy] = [shift(seen.x, this.stage.width()), shift(seen.y, this.stage.height())];
    if (dx || dy) this.pan(dx, dy);
  }

  /** The image point in the middle of the stage, or the nearest one. */
  middle() {
    const within = (value, largest) => Math.min(Math.max(value, 0), largest);
    const { x, y } = this.toImage({ x: this.stage.width() / 2, y: this.stage.height() / 2 });
    return { x: within(x, this.image.width), y: within(y, this.image.height) };
  }

  toScreen({ x, y }) {
    return { x: this.x + x * this.scale, y: this.y + y * this.scale };
  }

  toImage({ x, y }) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      if (!this.node) return;
      this.node.setAttrs({ x: this.x, y: this.y, scaleX: this.scale, scaleY: this.scale });
      this.picture.imageSmoothingEnabled(this.scale < 3);
      this.marks.destroyChildren();
      this.tags = [];
      this.tool.draw(this);
      this.stage.draw();
      Object.assign(this.container.dataset, { scale: this.scale, x: this.x, y: this.y });
    });
  }

  rectangle({ left, top, width, height }, style) {
    const at = this.toScreen({ x: left, y: top });
    this.marks.add(new Konva.Rect({ ...at, width: width * this.scale, height: height * this.scale, ...style }));
  }

  /** A small square that can be gripped, centred on an image point. */
  grip(at, colour) {
    const { x, y } = this.toScreen(at);
    const square = { x: x - 4, y: y - 4, width: 8, height: 8 };
    this.marks.add(new Konva.Rect({ ...square, fill: "#fff", stroke: colour, strokeWidth: 2 }));
  }

  circle(at, style) {
    this.marks.add(new Konva.Circle({ ...this.toScreen(at), ...style }));
  }

  /** A line between two image points. */
  line(from, to, style) {
    const ends = [from, to].map((point) => this.toScreen(point));
    this.marks.add(new Konva.Line({ points: ends.flatMap(({ x, y }) => [x, y]), lineCap: "round", ...style }));
  }

  /** A label on its colour, kept on the stage. Its lower left corner is at an image point plus (dx, dy) screen pixels,
   * or where it `endsThere` its lower right one.
   */
  tag(at, text, colour, dx = 0, dy = 0, endsThere = false) {
    const { x, y } = this.toScreen(at);
    const label = new Konva.Label();
    label.add(new Konva.Tag({ fill: colour, cornerRadius: 2 }));
    const font = { fontSize: 12, fontFamily: "system-ui, sans-serif", padding: 3 };
    label.add(new Konva.Text({ text, ...font, fill: inkOn(colour) }));
    const [width, height] = [label.width(), label.height()];
    const place = { x: Math.max(0, x + dx - (endsThere ? width : 0)), y: Math.max(0, y + dy - height), width, height };
    const isTaken = (other) => Math.abs(other.x - place.x) < width / 2 && Math.abs(other.y - place.y) < height;
    for (let tries = 0; tries < MOST_TAGS_STACKED && this.tags.some(isTaken); tries += 1) place.y += height;
    if (this.tags.length < MOST_TAGS_APART) this.tags.push(place);
    label.position(place);
    this.marks.add(label);
  }

  /** Two lines through the pointer, light on dark, seen on every picture. */
  crosshair() {
    if (!this.pointerAt) return;
    const { x, y } = this.pointerAt;
    const lines = [[x, 0, x, this.stage.height()], [0, y, this.stage.width(), y]];
    for (const [stroke, strokeWidth] of [["#0006", 3], ["#fffb", 1]])
      for (const points of lines) this.marks.add(new Konva.Line({ points, stroke, strokeWidth }));
  }

  #down(event) {
    event.preventDefault();
    if (this.#isPalm(event)) return;
    if (event.isPrimary) this.#forget();
    this.container.focus({ preventScroll: true });
    this.container.setPointerCapture(event.pointerId);
    const at = this.#screen(event);
    this.#pointers.set(event.pointerId, { ...at, type: event.pointerType });
    if (this.#pointers.size === 2) this.#start({ ...this.#pinch(), cancel() {} });
    else if (this.#pointers.size > 2) return;
    else if (event.button === 1 || this.panning) this.#start(this.#panned(at));
    else if (event.button === 0) {
      this.#start(this.tool.press(this.toImage(at), event), at, CLICK_REACH[event.pointerType]);
      if (event.pointerType !== "mouse") this.#awaitHold();
    }
  }

  #move(event) {
    if (!event.buttons) this.#cancel(event); // let go where this page did not hear of it
    this.#seePen(event);
    const at = this.#screen(event);
    this.pointerAt = event.pointerType === "touch" ? null : at;
    const pointer = this.#pointers.get(event.pointerId);
    if (pointer) this.#pointers.set(event.pointerId, { ...pointer, ...at });
    if (this.#gesture) {
      if (!pointer) return;
      const { from, reach } = this.#gesture;
      this.#gesture.moved ||= !from || Math.hypot(at.x - from.x, at.y - from.y) >= reach;
      if (this.#gesture.moved) this.#gesture.move(this.toImage(at), at);
    } else if (event.pointerType !== "touch") {
      this.container.style.cursor = this.panning ? "grab" : this.tool.hover(this.toImage(at), event);
    }
    this.draw();
  }

  /** What a finger that stays after the other one of two has left does is no gesture. */
  #up(event) {
    this.#seePen(event);
    if (!this.#pointers.delete(event.pointerId)) return;
    const gesture = this.#gesture;
    this.#gesture = null;
    gesture?.end?.(this.toImage(this.#screen(event)), gesture.moved);
    this.draw();
  }

  /** An interrupted pointer takes back what it was about to do, and nothing else. */
  #cancel(event) {
    if (this.#pointers.delete(event.pointerId)) this.#start(null);
  }

  #seePen(event) {
    if (event.pointerType === "pen") this.#penSeen = performance.now();
  }

  #isPalm(event) {
    this.#seePen(event);
    return event.pointerType === "touch" && (this.#penIsDown() || performance.now() - this.#penSeen < PALM_MS);
  }

  /** Also while it rests. The browser takes back the capture of a pen that is gone, even if its end was never told. */
  #penIsDown() {
    const isDown = ([id, { type }]) => type === "pen" && this.container.hasPointerCapture(id);
    return [...this.#pointers].some(isDown);
  }

  /** Ends what is left of pointers whose end was never told: the first one of a type is the only one that counts. */
  #forget() {
    this.#pointers.clear();
    this.#start(null);
  }

  #awaitHold() {
    const gesture = this.#gesture;
    setTimeout(() => gesture === this.#gesture && !gesture.moved && gesture.hold?.(), HOLD_MS);
  }

  #leave() {
    this.pointerAt = null;
    this.draw();
  }

  #start(gesture, from = null, reach = CLICK_REACH.mouse) {
    this.#gesture?.cancel?.();
    this.#gesture = gesture && Object.assign(gesture, { from, reach, moved: false });
    this.draw();
  }

  #panned(last) {
    this.container.style.cursor = "grabbing";
    return {
      move: (_, at) => {
        this.pan(at.x - last.x, at.y - last.y);
        last = at;
      },
    };
  }

  #pinch() {
    const measure = () => {
      const [a, b] = [...this.#pointers.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
    };
    let last = measure();
    return {
      move: () => {
        if (this.#pointers.size < 2) return;
        const now = measure();
        this.zoom(now.apart / last.apart, last);
        this.pan(now.x - last.x, now.y - last.y);
        last = now;
      },
    };
  }

  #wheel(event) {
    if (!this.image) return;
    event.preventDefault();
    const step = Math.min(Math.max(event.deltaY, -200), 200);
    this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.002)), this.#screen(event));
  }

  #screen(event) {
    const corner = this.container.getBoundingClientRect();
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.container;
    if (!width || !height) return;
    const [dx, dy] = [(width - this.stage.width()) / 2, (height - this.stage.height()) / 2];
    Konva.pixelRatio = window.devicePixelRatio;
    for (const layer of this.stage.getLayers()) layer.getCanvas().setPixelRatio(window.devicePixelRatio);
    this.stage.size({ width, height });
    if (!this.image) return;
    if (this.#fitted) this.fit();
    else this.pan(dx, dy);
  }
}
