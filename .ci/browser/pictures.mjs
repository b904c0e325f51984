// A run that is told to be of other data than handwriting, for which drawings and picture files are prepared otherwise.

import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Copies a run into a folder, with the name of data that are no handwriting in the metadata of its weights. */
export function asPictures(run, folder) {
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  cpSync(run, folder, { recursive: true });
  const path = join(folder, "model.safetensors");
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const told = JSON.parse(header.__metadata__.taper);
  told.dataset.name = "fashion-mnist";
  header.__metadata__.taper = JSON.stringify(told);
  const text = Buffer.from(JSON.stringify(header));
  // The weights begin at a multiple of eight bytes.
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, " ");
  text.copy(padded);
  const begin = Buffer.alloc(8);
  begin.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(path, Buffer.concat([begin, padded, bytes.subarray(8 + length)]));
}

/** What is drawn on the pad, light on black, as the bytes of a picture file. */
export async function onBlack(page) {
  const encoded = await page.evaluate(async () => {
    const { ink, width, height } = (await (await import("./demo.js")).demo).pad.drawing();
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const image = new ImageData(width, height);
    ink.forEach((share, place) => {
      const value = Math.round(255 * share);
      image.data.set([value, value, value, 255], 4 * place);
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas.toDataURL().split(",")[1];
  });
  return Buffer.from(encoded, "base64");
}
