// The network: its ONNX file in onnxruntime-web. All that has to be known of the file is in `demo.json`.

export class Network {
  #ort;
  #session;
  #network;

  constructor(ort, session, network) {
    [this.#ort, this.#session, this.#network] = [ort, session, network];
  }

  /** Loads the runtime and the file that `demo.json` names, and runs it once: the first run is slower than the others. */
  static async load({ network, model, weights, runtime }) {
    if (network.input.element === "float16" && !globalThis.Float16Array) {
      throw new Error("its numbers are float16, which needs a newer browser: Chrome 135, Firefox 129 or Safari 18.2");
    }
    const ort = await import(new URL(runtime, import.meta.url));
    // One thread answers within a millisecond or two, and needs no headers of the server that more would.
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      externalData: weights.map(({ name, path }) => ({ path: name, data: path })),
    });
    const loaded = new Network(ort, session, network);
    await loaded.classify(new Uint8Array(network.input.width * network.input.height));
    return loaded;
  }

  /**
   * What the network says about an image.
   * @param {Uint8Array} pixels - grey levels, row by row, ink light.
   * @returns {Promise<{probabilities: number[], milliseconds: number}>} the time is that of the network alone.
   * @throws {Error} if it answers with what is no number.
   */
  async classify(pixels) {
    const { input, output } = this.#network;
    const tensor = new this.#ort.Tensor(input.element, numbers(pixels, input), dimensions(input));
    const started = performance.now();
    const answers = await this.#session.run({ [input.name]: tensor }, [output.name]);
    const milliseconds = performance.now() - started;
    const answer = Array.from(answers[output.name].data);
    const probabilities = output.answer === "logits" ? softmax(answer) : answer;
    // Infinite logits too make such probabilities.
    if (!probabilities.every(Number.isFinite)) throw new Error("it answers with what is no number; its weights may be damaged");
    return { probabilities, milliseconds };
  }
}

function dimensions({ layout, channels, height, width }) {
  return layout === "nchw" ? [1, channels, height, width] : [1, height, width, channels];
}

/** Grey levels as the file wants them: in its range, and the same in all channels. */
function numbers(pixels, { element, low, high, layout, channels }) {
  const Floats = element === "float16" ? Float16Array : Float32Array;
  const grey = element === "uint8" ? pixels : Floats.from(pixels, (byte) => low + (byte / 255) * (high - low));
  if (channels === 1) return grey;
  const all = new grey.constructor(channels * grey.length);
  grey.forEach((value, place) => {
    for (let channel = 0; channel < channels; channel++) {
      all[layout === "nchw" ? channel * grey.length + place : place * channels + channel] = value;
    }
  });
  return all;
}

function softmax(logits) {
  const greatest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - greatest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
