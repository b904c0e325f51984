// The page of `taper demo` in Chromium: node demo.mjs TAPER RUN REFERENCE OUT. RUN is a finished run, REFERENCE what
// `taper reference` wrote of it, OUT a folder for the screenshots. No part of the page is replaced for the test.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { check, checkLook, finish, open, start } from "./browser.mjs";
import { COLOUR, colourModel, logits as colourLogits } from "./colour.mjs";
import { byKeyboard, livePlaces, withTwoPointers } from "./hands.mjs";
import { asPictures, onBlack } from "./pictures.mjs";
import { DIGITS, finger, mouse } from "./strokes.mjs";

const [taper, run, reference, out] = process.argv.slice(2);
const IMAGES = 100;
// Minutes after which something hangs.
const LIMIT = 30;

// However this ends, no server is left behind.
const servers = [];
process.on("exit", () => servers.forEach((server) => server.kill()));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
setTimeout(() => (check(`all is done within ${LIMIT} minutes`, false), finish()), LIMIT * 60_000).unref();

/** Tensors of a safetensors file. */
function tensors(path) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const read = ({ dtype, data_offsets: [from, to] }) => {
    const data = bytes.buffer.slice(bytes.byteOffset + 8 + length + from, bytes.byteOffset + 8 + length + to);
    return dtype === "U8" ? new Uint8Array(data) : new Float32Array(data);
  };
  return Object.fromEntries(Object.entries(header).map(([name, tensor]) => [name, read(tensor)]));
}

/** Starts a server and waits until it tells its address on standard output. */
async function serve(command, words, address, errors = "inherit") {
  const server = spawn(command, words, { stdio: ["ignore", "pipe", errors] });
  servers.push(server);
  const ended = new Promise((resolve) => server.on("exit", (code) => resolve(code)));
  let told = "";
  for await (const text of server.stdout.iterator({ destroyOnReturn: false })) {
    told += text;
    const found = told.match(address);
    if (found) return { address: `http://127.0.0.1:${found[1]}/`, stop: () => (server.kill("SIGINT"), ended) };
  }
  throw new Error(`${command} ${words.join(" ")} ended and told no address: ${told}`);
}

const demo = (words) => serve(taper, ["demo", ...words, "--port", "0", "--json", "--quiet"], /127\.0\.0\.1:(\d+)/);

/** Waits until the network is loaded; why it is not, if it cannot be. */
async function whyNot(page) {
  const is = await page.evaluate(async () => (await (await import("./demo.js")).demo) !== null);
  return is ? "" : page.textContent("#failure");
}

/** Paints images on the page's canvas, which makes drawings of them, and gives the answers. */
function answers(page, images) {
  return page.evaluate(async (images) => {
    const demo = await (await import("./demo.js")).demo;
    const answers = [];
    for (const image of images) {
      demo.pad.paint(image.pixels, image);
      // A stroke beside the paper: an image alone would be given to the network as it is.
      demo.pad.put([-1000, -1000]);
      demo.pad.lift();
      answers.push((await demo.ask()).probabilities);
    }
    return answers;
  }, images);
}

/** Chooses the images to try in turn; those that the network does not see as they are in demo.json. */
async function changed(page) {
  const buttons = page.locator("#sample-list button");
  const wrong = [];
  for (let place = 0; place < (await buttons.count()); place++) {
    await buttons.nth(place).click();
    const isSame = await page.evaluate(async (place) => {
      const { samples } = await (await fetch("demo.json")).json();
      const { pixels } = await (await (await import("./demo.js")).demo).ask();
      return pixels.length === samples[place].pixels.length && pixels.every((value, at) => value === samples[place].pixels[at]);
    }, place);
    if (!isSame) wrong.push(place);
  }
  return wrong;
}

/** The answer to what is on the canvas, and the canvas as a picture file. */
function drawn(page) {
  return page.evaluate(async () => {
    const answer = await (await (await import("./demo.js")).demo).ask();
    return { answer, picture: document.getElementById("pad").toDataURL().split(",")[1] };
  });
}

const best = (numbers) => numbers.indexOf(Math.max(...numbers));

/** The page's answer to a drawing, held against that of `taper predict` to a picture of it. */
function compare(name, { answer, picture }) {
  const file = join(out, `${name}.png`);
  writeFileSync(file, Buffer.from(picture, "base64"));
  const said = execFileSync(taper, ["predict", "--run", run, "--json", file]).toString();
  const probabilities = Object.fromEntries(JSON.parse(said)[0].probabilities);
  const off = answer.probabilities.map((share, label) => Math.abs(share - probabilities[label]));
  const most = Math.max(...off);
  check(`${name}: the page answers as taper predict does`, most < 0.02, `within ${most.toFixed(4)}`);
}

const { images, labels, logits } = tensors(reference);
const size = images.length / labels.length;
const side = Math.sqrt(size);
const classes = logits.length / labels.length;
const samples = Array.from({ length: IMAGES }, (_, place) => ({
  width: side,
  height: side,
  pixels: Array.from(images.subarray(place * size, (place + 1) * size), (value) => Math.round(255 * value)),
}));
const labelled = labels.subarray(0, IMAGES);
const right = (answers) => answers.filter((answer, place) => best(answer) === labelled[place]).length;
const own = right(samples.map((_, place) => Array.from(logits.subarray(place * classes, (place + 1) * classes))));
const { dataset } = JSON.parse(readFileSync(join(run, "metrics.json")));
// A network that was trained for a moment is not right so often, whoever asks it, nor need it know the hand of a program.
const isWhole = dataset.name === "mnist" && dataset.train >= 50_000;
const least = isWhole ? 95 : own - 2;
check(`the model itself knows ${isWhole ? 97 : 80} of ${IMAGES} test digits`, own >= (isWhole ? 97 : 80), own);

const browser = await start();
const served = await demo([run]);
// The runtime is here now, and that is enough.
process.env.NPM_CONFIG_REGISTRY = "http://127.0.0.1:1";

// --- Drawing, on a large screen

const wide = await open(browser, served.address, { width: 1280 });
const why = await whyNot(wide.page);
check("the network loads", why === "", why);
await checkLook(wide, "1280 pixels, empty");
const painted = right(await answers(wide.page, samples));
check(`of ${IMAGES} test digits at least ${least} are recognised`, painted >= least, `${painted}; the model itself ${own}`);
let recognised = 0;
for (const digit of Object.keys(DIGITS)) {
  await wide.page.click("#clear", { force: true });
  await mouse(wide.page, digit);
  const result = await drawn(wide.page);
  const shown = await wide.page.textContent("#class");
  check(`a ${digit} drawn by mouse: what is shown is what was answered`, shown === String(best(result.answer.probabilities)), shown);
  compare(`mouse-${digit}`, result);
  recognised += Number(shown === digit);
}
if (isWhole) check("of ten digits drawn by mouse nine are recognised", recognised >= 9, recognised);
const latency = await wide.page.textContent("#latency");
check("the time is told", /^(< 1|\d+\.\d) ms \(mean of \d+\)$/.test(latency), latency);
await wide.page.screenshot({ path: join(out, "demo-1280-light.png"), fullPage: true });
await wide.page.click("#undo");
const undone = (await drawn(wide.page)).answer;
check("undo takes the last stroke back", undone === null && (await wide.page.isDisabled("#undo")), DIGITS[9].length);
await mouse(wide.page, "1");
await wide.page.keyboard.press("Escape");
check("Escape clears", (await drawn(wide.page)).answer === null && (await wide.page.isVisible("#hint")));
await wide.page.waitForTimeout(1000);
const spoken = await wide.page.textContent("#spoken");
check("that it is cleared is read out", spoken === "Nothing is drawn", spoken);
check("nothing else is read out with every move", (await livePlaces(wide.page)) === "failure spoken", await livePlaces(wide.page));
check("one can draw by keyboard", await byKeyboard(wide.page, async () => (await drawn(wide.page)).answer !== null));
const sample = wide.page.locator("#sample-list button").first();
check("there are images to try", (await wide.page.locator("#sample-list button").count()) === 20);
await sample.focus();
await wide.page.keyboard.press("Enter");
check("an image to try is chosen by keyboard", (await drawn(wide.page)).answer !== null);
const mangled = await changed(wide.page);
check("what the network sees of an image to try is that image", mangled.length === 0, mangled.join());
const faint = { ...samples[0], pixels: samples[0].pixels.map((value) => Math.round(value / 5)) };
await answers(wide.page, [faint]);
compare("faint", await drawn(wide.page));
await wide.page.context().setOffline(true);
check("the page needs no network", (await answers(wide.page, samples.slice(0, 1)))[0].length === classes);
await wide.page.context().setOffline(false);
const isNear = (url) => ["127.0.0.1", "localhost"].includes(url.hostname);
await wide.page.context().route((url) => !isNear(url), (route) => route.abort("internetdisconnected"));
await wide.page.reload();
check("nor does it when it is loaded again", (await whyNot(wide.page)) === "" && right(await answers(wide.page, samples)) === painted);
check("1280 pixels: still no errors", wide.errors.length === 0, wide.errors.join("; "));

// --- The other looks

const dark = await open(browser, served.address, { width: 1280, dark: true });
await whyNot(dark.page);
await mouse(dark.page, "3");
compare("dark-3", await drawn(dark.page));
await checkLook(dark, "1280 pixels, dark");
await dark.page.screenshot({ path: join(out, "demo-1280-dark.png"), fullPage: true });

for (const isDark of [false, true]) {
  const name = `390-${isDark ? "dark" : "light"}`;
  const phone = await open(browser, served.address, { width: 390, height: 844, dark: isDark, touch: true });
  await whyNot(phone.page);
  await finger(phone.page, "2");
  compare(`finger-${name}`, await drawn(phone.page));
  check(`${name}: a finger draws and does not scroll`, (await phone.page.evaluate(() => scrollY)) === 0);
  await checkLook(phone, name);
  await phone.page.screenshot({ path: join(out, `demo-${name}.png`), fullPage: true });
  await phone.page.tap("#clear");
  const told = await withTwoPointers(phone.page);
  check(`${name}: of two pointers one draws, until it is let go`, told === "", told);
}
check("Ctrl-C ends the server as it should", (await served.stop()) === 0);

// --- Other files, and another server

for (const flags of [["--uint8-input=nhwc", "--softmax"], ["--half"], ["--int8"], ["--external-data", "--half-weights"]]) {
  const file = join(out, `${flags.join("").replaceAll(/[^a-z0-9]/g, "")}.onnx`);
  execFileSync(taper, ["export", run, "--quiet", ...flags, "--out", file]);
  const other = await demo([file]);
  const form = await open(browser, other.address, { width: 1280 });
  const why = await whyNot(form.page);
  const found = why === "" ? right(await answers(form.page, samples)) : why;
  check(`${flags.join(" ")}: of ${IMAGES} test digits at least ${least - 1} are recognised`, found >= least - 1, found);
  check(`${flags.join(" ")}: there are digits to try`, (await form.page.locator("#sample-list button").count()) === 20);
  check(`${flags.join(" ")}: no errors`, form.errors.length === 0, form.errors.join("; "));
  await other.stop();
}

const others = join(out, "other-data");
asPictures(run, others);
execFileSync(taper, ["export", others, "--quiet"]);
const gallery = await demo([others]);
const pictures = await open(browser, gallery.address, { width: 1280 });
check("other data: the network loads", (await whyNot(pictures.page)) === "", await whyNot(pictures.page));
const told = await pictures.page.textContent("#prepared");
check("other data: the page says how a drawing is prepared", told.startsWith("scaled to the size"), told);
check("other data: images to try are seen as they are", (await changed(pictures.page)).length === 0);
await pictures.page.click("#clear");
await mouse(pictures.page, "2");
const seen = (await drawn(pictures.page)).answer.pixels;
const file = join(out, "other-data.png");
writeFileSync(file, await onBlack(pictures.page));
const said = execFileSync(taper, ["predict", "--run", others, "--json", file]).toString();
const rows = JSON.parse(said)[0].pixels.flatMap((row) => row.match(/../g).map((digits) => parseInt(digits, 16)));
const furthest = Math.max(...rows.map((value, place) => Math.abs(value - seen[place])));
check("other data: a drawing becomes what taper predict makes of a picture", rows.length === seen.length && furthest <= 2, furthest);
check("other data: no errors", pictures.errors.length === 0, pictures.errors.join("; "));
await gallery.stop();

const colour = join(out, "colour.onnx");
writeFileSync(colour, colourModel());
const painter = await demo([colour]);
const colours = await open(browser, painter.address, { width: 390, touch: true });
check("colour: the network loads", (await whyNot(colours.page)) === "", await whyNot(colours.page));
await finger(colours.page, "5");
const { answer } = await drawn(colours.page);
const powers = colourLogits(answer.pixels).map(Math.exp);
const sum = powers.reduce((a, b) => a + b);
const off = answer.probabilities.map((share, label) => Math.abs(share - powers[label] / sum));
check("colour: the answer is that of the file", Math.max(...off) < 1e-4, Math.max(...off).toExponential(1));
const bars = await colours.page.locator("#bars li").allTextContents();
check("colour: the most probable classes are shown first", bars.length === 12 && bars[0].startsWith(COLOUR.names[best(powers)]), bars[0]);
const tracks = await colours.page.locator("#bars .track").evaluateAll((all) => all.map((track) => track.getBoundingClientRect().width));
check("colour: bars can be compared", Math.max(...tracks) - Math.min(...tracks) < 0.5 && tracks[0] >= 64, `${Math.min(...tracks)} to ${Math.max(...tracks)} pixels`);
const about = await colours.page.textContent("#about");
check("colour: a name like one of JavaScript's is only a name", about.includes("trained on constructor,"), about);
await checkLook(colours, "colour");
await colours.page.screenshot({ path: join(out, "demo-colour.png"), fullPage: true });
await painter.stop();

const damaged = join(out, "damaged.onnx");
writeFileSync(damaged, colourModel(true));
const mute = await demo([damaged]);
const numberless = await open(browser, mute.address, { width: 390 });
const reason = await whyNot(numberless.page);
check("damaged weights: the page says so and shows no NaN", reason.includes("no number"), reason);
check("damaged weights: what to do is said", (await numberless.page.textContent("#about")).includes("taper demo"));
await mute.stop();

const site = join(out, "site");
if (existsSync(site)) rmSync(site, { recursive: true });
execFileSync(taper, ["demo", run, "--quiet", "--out", site]);
const words = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", site];
const other = await serve("python3", words, /port (\d+)/, "ignore");
const folder = await open(browser, other.address, { width: 1280 });
check("the folder works on another server", (await whyNot(folder.page)) === "");
check("the folder answers alike", right(await answers(folder.page, samples)) === painted);
check("the folder: no errors", folder.errors.length === 0, folder.errors.join("; "));
await other.stop();
await browser.close();
finish();
