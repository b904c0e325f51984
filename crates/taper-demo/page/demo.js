// The page: draws, asks the network, shows the answer.

import { Keys } from "./keys.js";
import { Network } from "./network.js";
import { Pad } from "./pad.js";
import { prepare } from "./prepare.js";

// Classes that are shown in their order; of more, the most probable ones.
const MOST_BARS = 12;
// Runs whose mean is the time that is shown: some browsers tell time in whole milliseconds, of which a median makes nothing.
const TIMED_RUNS = 31;
// Milliseconds without a change after which the answer is read out.
const QUIET = 600;

const element = (id) => document.getElementById(id);
// With a space at which no line ends.
const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
const DATASETS = new Map([["mnist", "MNIST"], ["synthetic", "synthetic digits, not on MNIST"]]);

const PREPARED = {
  handwriting: "cut out, scaled and centred by its mass as the digits of MNIST were",
  picture: "scaled to the size of the network’s images, light on black",
};

class Demo {
  #description;
  #network;
  #keys;
  #times = [];
  #spoken;
  // Whether there was a change since the network was last asked, and the asking that goes on.
  #changed = false;
  #asking = null;
  #last = null;

  constructor(description, network) {
    this.#description = description;
    this.#network = network;
    this.pad = new Pad(element("pad"), description.network.input, () => this.ask());
    this.#keys = new Keys(this.pad, element("pad"), element("pen"));
    this.#introduce();
    this.#listen();
    this.#show(null);
  }

  /** Asks the network about what is drawn; the last answer, once there is nothing left to ask. */
  ask() {
    this.#changed = true;
    this.#asking ??= this.#work();
    return this.#asking;
  }

  async #work() {
    try {
      while (this.#changed) {
        // A pen moves more often than the screen is drawn anew.
        if (!document.hidden) await new Promise(requestAnimationFrame);
        this.#changed = false;
        const { input, drawing } = this.#description.network;
        // An image to try is the network's own already.
        const pixels = this.pad.painted ?? prepare(this.pad.drawing(), input, drawing);
        const answer = pixels && (await this.#network.classify(pixels));
        this.#last = pixels && { pixels: Array.from(pixels), ...answer };
        this.#show(this.#last);
        this.#speak(answer ? element("class").textContent + `, ${element("sure").textContent}` : "Nothing is drawn");
        element("failure").hidden = true;
      }
    } catch (error) {
      this.#last = null;
      this.#show(null);
      fail(error);
    } finally {
      this.#asking = null;
    }
    return this.#last;
  }

  #introduce() {
    const { network, samples, runtime_version, model } = this.#description;
    const { classes, input, dataset, accuracy, name } = network;
    const areDigits = classes.every((label, place) => label === String(place)) && classes.length === 10;
    element("title").textContent = document.title = areDigits ? "Draw a digit" : `Draw one of ${classes.length} classes`;
    const training = dataset ? `, trained on ${DATASETS.get(dataset) ?? dataset},` : "";
    const score = accuracy === null ? "" : ` It is right on ${(100 * accuracy).toFixed(2)} % of the test images.`;
    element("about").textContent = `The network “${name}”${training} answers while you draw.${score}`;
    element("prepared").textContent = PREPARED[network.drawing];
    element("size").textContent = `${input.width} × ${input.height} pixels${input.channels === 3 ? ", grey in colour" : ""}`;
    element("version").textContent = runtime_version;
    element("model").href = model;
    [element("sees").width, element("sees").height] = [input.width, input.height];
    for (let row = 0; row < Math.min(classes.length, MOST_BARS); row++) element("bars").append(bar());
    for (const sample of samples) element("sample-list").append(this.#sample(sample));
    element("samples").hidden = samples.length === 0;
  }

  #sample({ label, pixels }) {
    const { input } = this.#description.network;
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [input.width, input.height];
    drawGrey(canvas, pixels);
    button.type = "button";
    button.ariaLabel = button.title = `An image of class ${label}`;
    button.append(canvas);
    button.addEventListener("click", () => this.pad.paint(pixels, input));
    return button;
  }

  #listen() {
    element("undo").addEventListener("click", () => this.pad.undo());
    element("clear").addEventListener("click", () => this.pad.clear());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.pad.clear();
      else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.pad.undo();
      else return;
      event.preventDefault();
    });
  }

  /** Shows an answer, or that there is none. */
  #show(answer) {
    const { classes } = this.#description.network;
    const { isEmpty } = this.pad;
    element("hint").hidden = !isEmpty;
    element("undo").disabled = element("clear").disabled = isEmpty;
    const shares = answer?.probabilities ?? classes.map(() => 0);
    const ranked = classes.map((_, place) => place).sort((a, b) => shares[b] - shares[a]);
    const best = answer ? ranked[0] : -1;
    const shown = classes.length > MOST_BARS ? ranked.slice(0, MOST_BARS) : classes.map((_, place) => place);
    shown.forEach((place, row) => {
      const [name, track, share] = element("bars").children[row].children;
      name.textContent = classes[place];
      track.firstElementChild.style.setProperty("--share", shares[place]);
      share.textContent = answer ? percent(shares[place]) : "–";
      element("bars").children[row].classList.toggle("best", place === best);
    });
    element("class").textContent = answer ? classes[best] : "–";
    element("sure").textContent = answer ? `${percent(shares[best])} sure` : isEmpty ? "Nothing is drawn yet" : "No answer";
    drawGrey(element("sees"), answer?.pixels ?? []);
    this.#keys.show();
    this.#time(answer?.milliseconds);
  }

  #time(milliseconds) {
    if (milliseconds === undefined) return;
    this.#times = [...this.#times, milliseconds].slice(-TIMED_RUNS);
    const mean = this.#times.reduce((a, b) => a + b) / this.#times.length;
    const shown = mean < 0.05 ? "< 1 ms" : `${mean.toFixed(1)} ms`;
    element("latency").textContent = `${shown} (mean of ${this.#times.length})`;
  }

  /** Reads an answer out when the pen rests, not with every move. */
  #speak(text) {
    clearTimeout(this.#spoken);
    this.#spoken = setTimeout(() => (element("spoken").textContent = text), QUIET);
  }
}

function bar() {
  const row = document.createElement("li");
  for (const part of ["name", "track", "percent"]) {
    row.append(Object.assign(document.createElement("span"), { className: part }));
  }
  row.children[1].append(Object.assign(document.createElement("span"), { className: "bar" }));
  row.children[1].ariaHidden = "true";
  return row;
}

/** Shows grey levels on a canvas of their size; a black one for none. */
function drawGrey(canvas, pixels) {
  const image = new ImageData(canvas.width, canvas.height);
  for (let place = 0; place < canvas.width * canvas.height; place++) {
    const value = pixels[place] ?? 0;
    image.data.set([value, value, value, 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function fail(error) {
  element("failure").textContent = `The network does not run here: ${error?.message ?? error}`;
  element("failure").hidden = false;
}

async function load() {
  const response = await fetch("demo.json");
  if (!response.ok) throw new Error(`demo.json answers with ${response.status}; write the page again with taper demo`);
  const description = await response.json();
  if (!description.network) throw new Error("the page is unfinished; write it again with taper demo");
  return new Demo(description, await Network.load(description));
}

/** The page, once the network is loaded; null if it cannot be. */
export const demo = load().catch((error) => {
  element("about").textContent = "Try again in a newer Chrome, Firefox or Safari, or write the page again with taper demo.";
  fail(error);
  return null;
});
