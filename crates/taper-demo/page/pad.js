// The canvas to draw on, with mouse, finger or pen; `keys.js` draws on it by keyboard. What is drawn is its alpha: colours are for the eye, and follow the
// theme.

// The longest side of the canvas, in its own pixels.
const LONGEST = 560;
// The width of the pen, as a share of that: two pixels of 28.
const PEN = 2.1 / 28;

export class Pad {
  #canvas;
  #context;
  #changed;
  // What was drawn, in order: strokes, lists of points, and images, each a canvas with its pixels.
  #marks = [];
  #stroke = null;
  // The pointer that draws the stroke; of several fingers and pens it is the first one.
  #pointer = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{width: number, height: number}} image - the size of the network's images, which gives the canvas its shape.
   * @param {() => void} changed - is called after every change.
   */
  constructor(canvas, image, changed) {
    const scale = LONGEST / Math.max(image.width, image.height);
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.#end(event));
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
  }

  get isEmpty() {
    return this.#marks.length === 0;
  }

  /** Whether a stroke is being drawn. */
  get isDown() {
    return this.#stroke !== null;
  }

  undo() {
    this.#become(this.#marks.slice(0, -1));
  }

  clear() {
    this.#become([]);
  }

  /** The pixels of the painted image, if nothing else is drawn; null otherwise. */
  get painted() {
    const [mark, ...others] = this.#marks;
    return (others.length === 0 && mark?.pixels) || null;
  }

  /** Takes the place of what is drawn: grey levels row by row, ink light. */
  paint(pixels, { width, height }) {
    const image = new ImageData(width, height);
    pixels.forEach((value, place) => (image.data[4 * place + 3] = value));
    const mark = document.createElement("canvas");
    [mark.width, mark.height] = [width, height];
    mark.getContext("2d").putImageData(image, 0, 0);
    this.#become([{ canvas: mark, pixels: Uint8Array.from(pixels) }]);
  }

  /** Begins a stroke at a point, in pixels of the canvas. */
  put(point) {
    this.#stroke = [point];
    this.#marks.push(this.#stroke);
    this.#line(this.#stroke);
    this.#changed();
  }

  /** Goes on with the stroke, if there is one. */
  draw(points) {
    if (!this.#stroke) return;
    const from = this.#stroke.length - 1;
    this.#stroke.push(...points);
    this.#line(this.#stroke.slice(from));
    this.#changed();
  }

  /** Ends the stroke. */
  lift() {
    this.#stroke = this.#pointer = null;
  }

  /** What is drawn: ink from 0 to 1, row by row. */
  drawing() {
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    const ink = new Float32Array(width * height);
    for (let place = 0; place < ink.length; place++) ink[place] = data[4 * place + 3] / 255;
    return { ink, width, height };
  }

  #become(marks) {
    this.lift();
    this.#marks = marks;
    this.#redraw();
    this.#changed();
  }

  #begin(event) {
    // Of a mouse's buttons the main one draws.
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.put(this.#point(event));
  }

  #go(event) {
    if (event.pointerId !== this.#pointer) return;
    // Let go outside the window, for example: no other event tells.
    if (event.buttons === 0) return this.lift();
    // A browser brings several moves together in one event.
    const moves = event.getCoalescedEvents?.() ?? [];
    this.draw((moves.length ? moves : [event]).map((move) => this.#point(move)));
  }

  #end(event) {
    if (event.pointerId === this.#pointer) this.lift();
  }

  /** Where an event is, in pixels of the canvas. */
  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    const { clientLeft, clientTop, clientWidth, clientHeight, width, height } = this.#canvas;
    return [
      ((event.clientX - box.left - clientLeft) / clientWidth) * width,
      ((event.clientY - box.top - clientTop) / clientHeight) * height,
    ];
  }

  #redraw() {
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    for (const mark of this.#marks) {
      if (Array.isArray(mark)) this.#line(mark);
      else this.#image(mark.canvas);
    }
  }

  #line(points) {
    const context = this.#context;
    const [first, ...others] = points;
    context.lineWidth = PEN * LONGEST;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.beginPath();
    context.moveTo(...first);
    // A line to its own beginning is a dot.
    for (const point of others.length ? others : [first]) context.lineTo(...point);
    context.stroke();
  }

  #image(mark) {
    const { width, height } = this.#canvas;
    const context = this.#context;
    context.imageSmoothingQuality = "high";
    context.drawImage(mark, 0, 0, width, height);
    // The ink's colour, with the alpha of the image.
    context.globalCompositeOperation = "source-in";
    context.fillStyle = getComputedStyle(this.#canvas).color;
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
  }
}
