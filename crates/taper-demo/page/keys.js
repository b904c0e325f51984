// A pen for the keyboard: arrow keys move it over the pad, Space or Enter puts it down and lifts it.

// The way of one press, as a share of the pad's longer side: half a pixel of 28, and with Shift two.
const STEP = 0.5 / 28;
const LONG_STEP = 2 / 28;

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Keys {
  #pad;
  #canvas;
  #pen;
  // In pixels of the canvas.
  #place;

  /**
   * @param {import("./pad.js").Pad} pad
   * @param {HTMLCanvasElement} canvas - the pad's.
   * @param {HTMLElement} pen - is shown where the pen is, while the canvas has the focus.
   */
  constructor(pad, canvas, pen) {
    [this.#pad, this.#canvas, this.#pen] = [pad, canvas, pen];
    this.#place = [canvas.width / 2, canvas.height / 2];
    canvas.addEventListener("keydown", (event) => this.#press(event));
    // By Tab: whoever clicks has a mouse.
    canvas.addEventListener("focus", () => (pen.hidden = !canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => {
      this.#pad.lift();
      pen.hidden = true;
    });
    this.show();
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = WAYS[event.key];
    if (way) this.#move(way, event.shiftKey ? LONG_STEP : STEP);
    else if (event.key !== " " && event.key !== "Enter") return;
    else if (event.repeat) return event.preventDefault();
    else if (this.#pad.isDown) this.#pad.lift();
    else this.#pad.put(this.#place);
    event.preventDefault();
    this.#pen.hidden = false;
    this.show();
  }

  #move([right, down], step) {
    const { width, height } = this.#canvas;
    const pixels = step * Math.max(width, height);
    const within = (place, side) => Math.min(Math.max(place, 0), side);
    const [x, y] = this.#place;
    this.#place = [within(x + right * pixels, width), within(y + down * pixels, height)];
    this.#pad.draw([this.#place]);
  }

  /** Shows where the pen is, and whether it is down. */
  show() {
    const [x, y] = this.#place;
    this.#pen.style.left = `${(100 * x) / this.#canvas.width}%`;
    this.#pen.style.top = `${(100 * y) / this.#canvas.height}%`;
    this.#pen.classList.toggle("down", this.#pad.isDown);
  }
}
