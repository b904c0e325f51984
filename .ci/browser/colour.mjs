// An ONNX file unlike those of a run, written byte by byte: pictures in colour, not square, channels last, in a range of
// their own, and more classes than the page has bars, with names of very different lengths. It weighs every pixel of every channel
// differently, so that any other order of the numbers would have another answer.

/** What the file is like. */
export const COLOUR = {
  width: 20, height: 32, channels: 3, classes: 13, range: [-1, 1],
  names: [
    "a", "a name of several words, as people give them", "Donaudampfschifffahrtsgesellschaftskapitaen", "cat", "dog", "constructor",
    "<b>bold</b>", "i", "an African elephant", "W".repeat(24), "snow", "x", "yellow lady's slipper",
  ],
};

const length = COLOUR.width * COLOUR.height * COLOUR.channels;
const weight = (label, place) => Math.sin(label * 12.9898 + place * 78.233) / 8;

/** The logits that the file has to answer with to grey levels. */
export function logits(pixels) {
  const [low, high] = COLOUR.range;
  return Array.from({ length: COLOUR.classes }, (_, label) => {
    let sum = 0;
    for (let place = 0; place < length; place++) {
      const value = low + (pixels[Math.floor(place / COLOUR.channels)] / 255) * (high - low);
      sum += Math.fround(weight(label, place)) * value;
    }
    return sum;
  });
}

// The encoding of Protocol Buffers: a number, or bytes with their length before them.
const varint = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]);
const number = (field, value) => Buffer.from([...varint(field * 8), ...varint(value)]);
const bytes = (field, ...parts) => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
};

const FLOAT = 1;

/** The declaration of a value of floats, with a symbolic first dimension. */
function value(field, name, dims) {
  const sizes = dims.map((dim) => bytes(1, number(1, dim)));
  const shape = bytes(2, bytes(1, bytes(2, "N")), ...sizes);
  return bytes(field, bytes(1, name), bytes(2, bytes(1, number(1, FLOAT), shape)));
}

function node(op, inputs, output, attributes = []) {
  const named = (name, value) => bytes(5, bytes(1, name), number(3, value), number(20, 2));
  return bytes(
    1, ...inputs.map((input) => bytes(1, input)), bytes(2, output), bytes(3, op), bytes(4, op),
    ...attributes.map(([name, value]) => named(name, value)),
  );
}

/** The bytes of the file; of one whose weights are damaged, if `isDamaged`. */
export function colourModel(isDamaged = false) {
  const weights = new Float32Array(COLOUR.classes * length);
  weights.forEach((_, place) => (weights[place] = weight(Math.floor(place / length), place % length)));
  if (isDamaged) weights[length] = NaN;
  const tensor = bytes(
    5, number(1, COLOUR.classes), number(1, length), number(2, FLOAT), bytes(8, "weights"), bytes(9, Buffer.from(weights.buffer)),
  );
  const graph = bytes(
    7,
    node("Flatten", ["picture"], "flat", [["axis", 1]]),
    node("Gemm", ["flat", "weights"], "logits", [["transB", 1]]),
    node("Softmax", ["logits"], "shares", [["axis", 1]]),
    bytes(2, "colours"),
    tensor,
    value(11, "picture", [COLOUR.height, COLOUR.width, COLOUR.channels]),
    value(12, "shares", [COLOUR.classes]),
  );
  const text = (name, value) => bytes(14, bytes(1, name), bytes(2, value));
  const texts = [
    text("normalization", JSON.stringify({ range: COLOUR.range })),
    text("class_names", JSON.stringify(COLOUR.names)),
    text("dataset", "constructor"),
  ];
  return Buffer.concat([number(1, 8), graph, bytes(8, number(2, 17)), ...texts]);
}
