//! `pictures RUN MNIST OUT`: the pictures of `docs/tutorial.md` that a report does not have: one digit on its way through the
//! first layer of a trained reference CNN.
//!
//! ```sh
//! cargo run --release -p taper --example pictures -- runs/mnist-tutorial MNIST docs/pictures
//! ```

use std::error::Error;
use std::path::Path;

use image::{Rgb, RgbImage};
use taper::data::{Choice, LoadOptions, load};
use taper::export::safetensors;
use taper::graph::{Array, ValueId};
use taper::kernels::{DropoutKey, dropout};
use taper::model::Model;

/// Feature maps that are shown, the first ones.
const SHOWN: usize = 8;
/// Side of a map in the picture, whatever its own is; a multiple of 28 and 14.
const SIDE: usize = 112;
const GAP: usize = 8;

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
    let test = load(&options, &mut |_| ())?.test;
    let digit: Vec<f32> = test.images.image(0)?.iter().map(|&byte| f32::from(byte) / 255.0).collect();

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
        strip(&digit, maps, strongest).save(Path::new(&out).join(format!("{name}.png")))?;
    }
    Ok(())
}

/// The digit, and beside it its maps: red above 0, blue below.
fn strip(digit: &[f32], maps: &Array, strongest: f32) -> RgbImage {
    let side = maps.shape[3];
    let width = (SHOWN + 1) * (SIDE + GAP) - GAP;
    let mut picture = RgbImage::from_pixel(width as u32, SIDE as u32, Rgb([255; 3]));
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
