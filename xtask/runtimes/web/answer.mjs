// node answer.mjs MODEL.onnx IMAGES.f32 SIZES OUT BATCH...: runs a network in ONNX Runtime Web, and leaves its answers.
// See ../README.md for the protocol.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-web/wasm";

/** The floats of a file, in a buffer of their own: a small file's shares one, at any offset. */
function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

const [model, images, sizes, out, ...batches] = process.argv.slice(2);
const item = sizes.split(",").map(Number);
const area = item.reduce((product, size) => product * size, 1);
const pixels = floats(images);

console.log("version", ort.env.versions.web);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
console.log("loaded");
for (const batch of batches.map(Number)) {
  const answers = [];
  for (let start = 0; start < pixels.length; start += batch * area) {
    const part = pixels.slice(start, start + batch * area);
    const input = new ort.Tensor("float32", part, [part.length / area, ...item]);
    const outputs = await session.run({ [session.inputNames[0]]: input });
    answers.push(Buffer.from(outputs[session.outputNames[0]].data.slice().buffer));
  }
  writeFileSync(join(out, `${batch}.f32`), Buffer.concat(answers));
}
