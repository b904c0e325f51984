// From a drawing to an image like those that the network was trained on, as `taper predict` makes one of a picture file, in Rust;
// the test of this page compares the two. Of handwriting, that is what MNIST's images are: cut out, scaled to fit a box with
// grey levels from anti-aliasing, and moved so that the centre of mass is in the middle (Y. LeCun, "The MNIST database of
// handwritten digits"). Other pictures are scaled as they are.

// The side of the box, as a share of the image's shorter side: 20 of 28 pixels.
const BOX = 20 / 28;
// The least ink that is a drawing at all.
const CONTRAST = 0.1;
// The share of the strongest ink that counts when the drawing is cut out, and half of which it takes to stay at all.
const FAINT = 0.2;

/**
 * The image of a drawing.
 * @param {{ink: Float32Array, width: number, height: number}} drawing - ink from 0 to 1, row by row.
 * @param {{width: number, height: number}} image - the size of the network's images.
 * @param {"handwriting" | "picture"} kind - what they are of.
 * @returns {Uint8Array | null} grey levels, row by row, ink light; null if nothing is drawn.
 */
export function prepare(drawing, image, kind) {
  if (most(drawing.ink) < CONTRAST) return null;
  if (kind === "picture") return Uint8Array.from(resized(drawing, image).ink, (value) => Math.round(255 * value));
  return centred(strongest(scaled(cutOut(strongest(drawing)), image)), image);
}

/** The smallest part with all ink that is not faint; the strongest is 1. */
function cutOut({ ink, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0, place = 0; y < height; y++) {
    for (let x = 0; x < width; x++, place++) {
      if (ink[place] < FAINT) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  const part = { width: right + 1 - left, height: bottom + 1 - top };
  part.ink = new Float32Array(part.width * part.height);
  for (let y = 0; y < part.height; y++) {
    const from = (top + y) * width + left;
    part.ink.set(ink.subarray(from, from + part.width), y * part.width);
  }
  part.ink.forEach((value, place) => {
    if (value < FAINT / 2) part.ink[place] = 0;
  });
  return part;
}

/** Scaled so that the longest side is that of the box. */
function scaled({ ink, width, height }, image) {
  const box = Math.max(1, Math.round(BOX * Math.min(image.width, image.height)));
  const longest = Math.max(width, height);
  const side = (length) => Math.max(1, Math.round((length * box) / longest));
  return resized({ ink, width, height }, { width: side(width), height: side(height) });
}

/** Scaled to a size. */
function resized({ ink, width, height }, { width: toWidth, height: toHeight }) {
  const lower = rows(ink, width, height, toHeight);
  const turned = transposed(lower, width, toHeight);
  const narrower = rows(turned, toHeight, width, toWidth);
  return { ink: transposed(narrower, toHeight, toWidth), width: toWidth, height: toHeight };
}

/** An image of `from` rows, made one of `to`: each new row is a mean of old ones, under a triangle over its place. */
function rows(values, width, from, to) {
  const out = new Float32Array(width * to);
  const ratio = from / to;
  const reach = Math.max(ratio, 1);
  for (let row = 0; row < to; row++) {
    const middle = (row + 0.5) * ratio;
    const first = Math.max(0, Math.floor(middle - reach));
    const last = Math.min(from, Math.max(first + 1, Math.ceil(middle + reach)));
    const weights = [];
    for (let old = first; old < last; old++) {
      weights.push(Math.max(0, 1 - Math.abs((old + 0.5 - middle) / reach)));
    }
    const sum = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, offset) => {
      for (let x = 0; x < width; x++) {
        out[row * width + x] += (weight / sum) * values[(first + offset) * width + x];
      }
    });
  }
  return out;
}

function transposed(values, width, height) {
  const out = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[x * height + y] = values[y * width + x];
  }
  return out;
}

/** With the strongest ink at 1: a thin line gets faint by scaling down. */
function strongest(part) {
  const greatest = most(part.ink);
  return { ...part, ink: part.ink.map((value) => value / greatest) };
}

function most(ink) {
  return ink.reduce((a, b) => Math.max(a, b), Number.MIN_VALUE);
}

/** On a page of the image's size, moved by whole pixels so that the centre of mass is in the middle. */
function centred({ ink, width, height }, image) {
  let [mass, xMass, yMass] = [0, 0, 0];
  ink.forEach((value, place) => {
    mass += value;
    xMass += value * (place % width);
    yMass += value * Math.floor(place / width);
  });
  // A lopsided drawing is moved less, so that all of it stays on the page.
  const start = (moment, side, whole) =>
    Math.min(Math.max(0, Math.round(whole / 2 - moment / mass)), whole - side);
  const [left, top] = [start(xMass, width, image.width), start(yMass, height, image.height)];
  const page = new Uint8Array(image.width * image.height);
  ink.forEach((value, place) => {
    const [x, y] = [left + (place % width), top + Math.floor(place / width)];
    page[y * image.width + x] = Math.round(255 * value);
  });
  return page;
}
