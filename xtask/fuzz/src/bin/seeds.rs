//! Writes small valid files of every kind, from which the inputs are made: `seeds FOLDER`, to `FOLDER/<target>/`.

use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{ExtendedColorType, ImageFormat};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use taper::data::synthetic::{self, Part};
use taper::data::{Dataset, Images, idx};
use taper::export::onnx::{self, Options};
use taper::export::{DatasetInfo, Metadata, safetensors};
use taper::graph::{Conv2d, Graph, Linear, MaxPool2d, Op, Preset};
use taper::model::Model;
use taper::train::{CheckpointFolder, Checkpointing, Control, FitConfig, fit_with_checkpoints};
use taper_fuzz::targets::{ALL, image_cache, small_network};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?);
    for target in ALL {
        fs::create_dir_all(folder.join(target.name))?;
    }
    let to = |target: &str| folder.join(target);
    write_idx(&to("idx"))?;
    fs::write(to("cifar").join("image"), [7; 3073])?;
    fs::write(to("image_cache").join("photos"), image_cache(tempfile::tempdir()?.path())?)?;
    write_parquet(&to("parquet_rows"))?;
    write_pictures(&to("picture"))?;
    write_networks(&to("network"), &to("weights"), &to("onnx"))?;
    write_checkpoints(&to("checkpoint"))?;
    write_run(&to("run"))
}

fn write_idx(folder: &Path) -> Outcome {
    let images = Images::new(2, 1, 3, 3, (0..18).collect())?;
    for name in ["images", "images.gz"] {
        idx::write_images(&folder.join(name), &images)?;
    }
    for name in ["labels", "labels.gz"] {
        idx::write_labels(&folder.join(name), &[5, 0, 4])?;
    }
    // The labels of QMNIST: two rows of three whole numbers.
    let rows = [0x0c02_i32, 2, 3, 5, 17, 2, 0, 65_536, 1];
    fs::write(folder.join("rows"), rows.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())?;
    Ok(())
}

/// Digits as PNG.
fn encoded(count: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let digits = synthetic::digits(count, 1, Part::Train).images;
    let encode = |index| -> Result<Vec<u8>, Box<dyn Error>> {
        let mut png = Cursor::new(Vec::new());
        let pixels = digits.image(index)?;
        image::write_buffer_with_format(&mut png, &pixels, 28, 28, ExtendedColorType::L8, ImageFormat::Png)?;
        Ok(png.into_inner())
    };
    (0..count).map(encode).collect()
}

fn write_parquet(folder: &Path) -> Outcome {
    let text = "message m { optional group image { optional binary bytes; } optional int64 label; }";
    for (name, compression) in [("plain", Compression::UNCOMPRESSED), ("snappy", Compression::SNAPPY)] {
        let schema = Arc::new(parse_message_type(text)?);
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut file = SerializedFileWriter::new(fs::File::create(folder.join(name))?, schema, properties)?;
        for _ in 0..2 {
            let mut group = file.next_row_group()?;
            let images: Vec<ByteArray> = encoded(2)?.into_iter().map(Into::into).collect();
            let mut column = group.next_column()?.ok_or("no column")?;
            column.typed::<ByteArrayType>().write_batch(&images, Some(&[2, 2]), None)?;
            column.close()?;
            let mut column = group.next_column()?.ok_or("no column")?;
            column.typed::<Int64Type>().write_batch(&[3, 7], Some(&[1, 1]), None)?;
            column.close()?;
            group.close()?;
        }
        file.close()?;
    }
    Ok(())
}

fn write_pictures(folder: &Path) -> Outcome {
    fs::write(folder.join("digit.png"), &encoded(1)?[0])?;
    let colors: Vec<u8> = (0..12 * 12 * 3).map(|place| (place * 7) as u8).collect();
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];
    for (name, format) in ["colors.png", "colors.jpeg", "colors.webp"].into_iter().zip(formats) {
        let mut file = Cursor::new(Vec::new());
        image::write_buffer_with_format(&mut file, &colors, 12, 12, ExtendedColorType::Rgb8, format)?;
        fs::write(folder.join(name), file.into_inner())?;
    }
    Ok(())
}

fn write_networks(networks: &Path, weights: &Path, onnx_files: &Path) -> Outcome {
    for preset in [Preset::Tutorial, Preset::LeNet5, Preset::Residual] {
        fs::write(networks.join(preset.name()), preset.toml())?;
    }
    let ops = [
        Op::Conv2d(Conv2d::new(2, 3).padding(1)),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Flatten,
        Op::dropout(0.5),
        Op::Linear(Linear::new(2)),
    ];
    let convolution = Graph::sequential("convolution", &[1, 4, 4], ops)?;
    for (name, graph) in [("convolution", convolution), ("small", small_network())] {
        fs::write(networks.join(name), graph.to_toml())?;
        let trained = Model::new(graph.clone(), 1)?.weights()?;
        let metadata = Metadata::new(graph.clone(), DatasetInfo::default(), vec!["a".into(), "b".into()]);
        safetensors::save(&weights.join(name), &trained, &metadata)?;
        let mut options = Options::default();
        fs::write(onnx_files.join(name), onnx::lower(&graph, &trained, &options)?.to_bytes())?;
        options.metadata = Some(metadata);
        fs::write(
            onnx_files.join(format!("{name}-described")),
            onnx::lower(&graph, &trained, &options)?.to_bytes(),
        )?;
    }
    Ok(())
}

fn write_checkpoints(folder: &Path) -> Outcome {
    let images = Images::new(4, 1, 2, 2, (0..16).map(|value| value * 16).collect())?;
    let data = Dataset::new(images, vec![0, 1, 0, 1], vec!["a".into(), "b".into()])?;
    let keep = NonZeroUsize::new(9).ok_or("nine is not zero")?;
    let checkpoints = CheckpointFolder::new(folder, keep, Default::default());
    let save = Box::new(|checkpoint: &_| checkpoints.save(checkpoint).map(drop));
    let checkpointing = Checkpointing { from: None, every: NonZeroUsize::new(1), save: Some(save) };
    let config = FitConfig { epochs: 2, batch_size: 2, ..FitConfig::default() };
    let model = Model::new(small_network(), 1)?;
    fit_with_checkpoints(model, &data, &data, &config, checkpointing, &mut |_| Control::Continue)?;
    Ok(())
}

fn write_run(folder: &Path) -> Outcome {
    fs::write(folder.join("config"), taper::Config::default().to_toml()?)?;
    let graph = small_network().to_toml();
    fs::write(
        folder.join("config-with-network"),
        format!("threads = 2\n[model]\ngraph = '''\n{graph}'''\n"),
    )?;
    fs::write(folder.join("metrics"), include_str!("../metrics.json"))?;
    Ok(())
}
