//! `pictures RUN MNIST OUT`: the pictures of `docs/tutorial.md` that a report does not have: digits as pixels, one of them on its way
//! through the first and the last layers of a trained reference CNN, and what a network says of it while it learns.
//!
//! ```sh
//! cargo run --release -p taper --example pictures -- runs/mnist-tutorial MNIST docs/pictures
//! ```

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;

use image::{Rgb, RgbImage};
use taper::data::{Batches, Choice, Dataset, LoadOptions, extend_unit, load};
use taper::export::safetensors;
use taper::graph::{Array, Graph, ValueId};
use taper::kernels::{DropoutKey, dropout};
use taper::model::{Model, Trainer, TrainerSettings};
use taper::scores::softmax;

/// Feature maps that are shown, the first ones.
const SHOWN: usize = 8;
/// Side of a map in the picture, whatever its own is; a multiple of 28 and 14.
const SIDE: usize = 112;
const GAP: usize = 8;

const WHITE: Rgb<u8> = Rgb([255; 3]);
const GREY: Rgb<u8> = Rgb([0x8a, 0x93, 0x9d]);
const BLUE: Rgb<u8> = Rgb([0x1f, 0x66, 0xb5]);

/// Steps of training after which a network is asked.
const ASKED: [usize; 5] = [0, 1, 10, 100, 550];

fn main() -> Result<(), Box<dyn Error>> {
    let [run, data, out] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: pictures RUN MNIST OUT")?;
    let (weights, metadata) = safetensors::load_network(&Path::new(&run).join("model.safetensors"))?;
    let model = Model::from_weights(metadata.graph, &weights)?;
    let mut options = LoadOptions::new(Choice::Mnist);
    options.data_dir = Some(data.into());
    let data = load(&options, &mut |_| ())?;
    let digit = unit(&data.test.images.image(0)?);
    let save = |picture: RgbImage, name: &str| picture.save(Path::new(&out).join(format!("{name}.png")));
    save(digits(&data.test)?, "images")?;
    save(last_layers(&model, &digit)?, "linear")?;
    save(lessons(model.graph(), &data.train, &digit, usize::from(data.test.labels[0]))?, "training")?;

    let places: Vec<ValueId> = model.graph().values().skip(1).take(3).collect();
    let maps = model.values(&digit, &places)?;
    let mut dropped = maps[2].clone();
    let key = DropoutKey { seed: 0, step: 1, layer: 0 };
    dropout(key, 0.3, [1, 32, 14 * 14], &maps[2].data, &mut dropped.data)?;

    // One scale for all, so that they can be compared.
    let strongest =
        maps[0].data.iter().take(SHOWN * 28 * 28).fold(0.0_f32, |most, value| most.max(value.abs()));
    for (name, maps) in
        ["convolution", "relu", "pooling", "dropout"].iter().zip([&maps[0], &maps[1], &maps[2], &dropped])
    {
        save(strip(&digit, maps, strongest), name)?;
    }
    Ok(())
}

fn unit(bytes: &[u8]) -> Vec<f32> {
    let mut floats = Vec::new();
    extend_unit(&mut floats, bytes);
    floats
}

/// The first image of each class.
fn digits(data: &Dataset) -> Result<RgbImage, Box<dyn Error>> {
    let width = 10 * (SIDE + GAP) - GAP;
    let mut picture = RgbImage::from_pixel(width as u32, SIDE as u32, WHITE);
    for class in 0..10 {
        let Some(place) = data.labels.iter().position(|&label| usize::from(label) == class) else { continue };
        let digit = unit(&data.images.image(place)?);
        tile(&mut picture, class, &digit, 28, |value| Rgb([(255.0 * value) as u8; 3]));
    }
    Ok(picture)
}

/// The numbers behind the maps, those behind the first linear layer and its ReLU, the logits, and the probabilities as bars.
fn last_layers(model: &Model, digit: &[f32]) -> Result<RgbImage, Box<dyn Error>> {
    let graph = model.graph();
    let wanted = ["flatten", "relu", "fc2"];
    let place = |name: &str| graph.values().find(|&value| graph.value_name(value) == name);
    let places: Vec<ValueId> = wanted.into_iter().filter_map(place).collect();
    let [flat, hidden, logits] = &model.values(digit, &places)?[..] else {
        return Err("this is not the reference CNN".into());
    };
    let mut picture = RgbImage::from_pixel(576, 128, WHITE);
    cells(&mut picture, [0, 0], &flat.data, 64, 4);
    cells(&mut picture, [280, 1], &hidden.data, 25, 5);
    cells(&mut picture, [429, 4], &logits.data, 1, 12);
    for (class, share) in softmax(&logits.data).into_iter().enumerate() {
        let (top, long) = (5 + 12 * class, (110.0 * share).round() as usize);
        fill(&mut picture, [465, top], [long.max(1), 9], BLUE);
    }
    Ok(picture)
}

/// What a new network says of a digit after some steps of training: the probability of each class as a bar, the right one in blue.
fn lessons(graph: &Graph, train: &Dataset, digit: &[f32], class: usize) -> Result<RgbImage, Box<dyn Error>> {
    const BAR: usize = 14;
    let panel = 10 * BAR + 3 * GAP;
    let mut picture = RgbImage::from_pixel((ASKED.len() * panel - 3 * GAP) as u32, SIDE as u32, WHITE);
    let mut trainer = Trainer::new(Model::new(graph.clone(), 0)?, TrainerSettings::default())?;
    let batch = NonZeroUsize::new(100).ok_or("an empty batch")?;
    let mut batches = Batches::shuffled(train, batch, 0, 0);
    let (mut images, mut labels, mut step) = (Vec::new(), Vec::new(), 0);
    for (place, asked) in ASKED.into_iter().enumerate() {
        while step < asked && batches.next_into(&mut images, &mut labels)? {
            trainer.step(&images, &labels, 1e-3)?;
            step += 1;
        }
        let shares = softmax(&trainer.model()?.inference()?.logits(digit)?);
        for (bar, share) in shares.into_iter().enumerate() {
            let high = ((SIDE as f64 * share).round() as usize).max(1);
            let color = if bar == class { BLUE } else { GREY };
            fill(&mut picture, [place * panel + bar * BAR, SIDE - high], [BAR - 3, high], color);
        }
    }
    Ok(picture)
}

/// Numbers in rows of `columns`, each a square: red above 0, blue below.
fn cells(picture: &mut RgbImage, [left, top]: [usize; 2], values: &[f32], columns: usize, side: usize) {
    let strongest = values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    for (at, value) in values.iter().enumerate() {
        let corner = [left + at % columns * side, top + at / columns * side];
        fill(picture, corner, [side, side], signed(value / strongest));
    }
}

fn fill(picture: &mut RgbImage, [left, top]: [usize; 2], [wide, high]: [usize; 2], color: Rgb<u8>) {
    for y in top..top + high {
        (left..left + wide).for_each(|x| picture.put_pixel(x as u32, y as u32, color));
    }
}

/// The digit, and beside it its maps: red above 0, blue below.
fn strip(digit: &[f32], maps: &Array, strongest: f32) -> RgbImage {
    let side = maps.shape[3];
    let width = (SHOWN + 1) * (SIDE + GAP) - GAP;
    let mut picture = RgbImage::from_pixel(width as u32, SIDE as u32, WHITE);
    tile(&mut picture, 0, digit, 28, |value| Rgb([(255.0 * value) as u8; 3]));
    for (place, map) in maps.data.chunks(side * side).take(SHOWN).enumerate() {
        tile(&mut picture, place + 1, map, side, |value| signed(value / strongest));
    }
    picture
}

fn tile(picture: &mut RgbImage, place: usize, map: &[f32], side: usize, color: impl Fn(f32) -> Rgb<u8>) {
    let scale = SIDE / side;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let value = map[y / scale * side + x / scale];
            picture.put_pixel((place * (SIDE + GAP) + x) as u32, y as u32, color(value));
        }
    }
}

/// From blue (−1) over a light grey (0) to red (1).
fn signed(value: f32) -> Rgb<u8> {
    let end = if value < 0.0 { [33.0, 102.0, 172.0] } else { [178.0, 24.0, 43.0] };
    let share = value.abs().min(1.0).sqrt();
    Rgb(end.map(|end: f32| (240.0 + share * (end - 240.0)) as u8))
}
