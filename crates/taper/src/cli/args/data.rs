//! The flags of the data, and of the network for them.

use std::path::PathBuf;

use clap::Args;
use taper::data::Choice;

use super::at_least_one;

/// Where the data come from.
#[derive(Debug, Args)]
pub(in crate::cli) struct DataArgs {
    /// Folder with images in a folder for each class (train/CLASS/*.png and test, val; or CLASS/*.png; JPEG and WebP too), or with MNIST as IDX files (plain or gzip) or Parquet
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    /// `mnist` and `image-folder` insist on that; `auto` takes what the folder holds, and without one MNIST or, if it is out of reach, the built-in synthetic digits [default: auto]
    #[arg(long, value_name = "NAME", value_parser = choice_names())]
    pub(in crate::cli) dataset: Option<Choice>,
    /// Branch, tag or commit of the dataset on the Hugging Face Hub [default: main]
    #[arg(long, value_name = "REVISION")]
    pub(in crate::cli) revision: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) images: FolderArgs,
}

/// Where `--help` puts the flags of [`FolderArgs`].
const FOLDERS: &str = "Images in folders";

/// How the images of folders become a dataset.
#[derive(Debug, Args)]
pub(in crate::cli) struct FolderArgs {
    /// Scale images to N×N or H×W pixels, and cut out the middle [default: their own size, if all have one]
    #[arg(long, help_heading = FOLDERS, value_name = "N|HxW", value_parser = size)]
    image_size: Option<[usize; 2]>,
    /// 1 for grey or 3 for colour [default: 3, unless all images are grey]
    #[arg(long, help_heading = FOLDERS, value_name = "N", value_parser = channels)]
    channels: Option<usize>,
    /// Leave out files that are no whole images, and say which
    #[arg(long, help_heading = FOLDERS)]
    skip_bad: bool,
    /// Decides which tenth of each class becomes the test part, where there is no folder `test` [default: 0]
    #[arg(long, help_heading = FOLDERS, value_name = "N")]
    split_seed: Option<u32>,
}

impl DataArgs {
    /// Whether anything is said of the data.
    pub(in crate::cli) fn is_given(&self) -> bool {
        let FolderArgs { image_size, channels, skip_bad, split_seed } = &self.images;
        let of_folders = image_size.is_some() || channels.is_some() || *skip_bad || split_seed.is_some();
        self.data_dir.is_some() || self.dataset.is_some() || self.revision.is_some() || of_folders
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ModelArgs {
    /// tutorial, lenet5, residual, or the path of a network file [default: tutorial]
    #[arg(long, value_name = "PRESET|FILE.toml")]
    pub(in crate::cli) model: Option<String>,
}

/// Images that a network is made for, if they are not those it was written for.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImageArgs {
    /// Make it for such images, such as 3x32x32: channels, height, width [default: the network's own]
    #[arg(long, value_name = "CxHxW", value_parser = image)]
    pub(in crate::cli) input: Option<[usize; 3]>,
    /// Make it tell so many classes apart [default: the network's own]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(in crate::cli) classes: Option<usize>,
}

impl DataArgs {
    /// Puts what was given in place of what `config` has.
    pub(in crate::cli) fn apply(&self, config: &mut taper::DataConfig) {
        if let Some(dataset) = self.dataset {
            // What a configuration says of images in folders holds for no other data, and the other way round.
            if dataset != config.dataset && [dataset, config.dataset].contains(&Choice::ImageFolder) {
                config.images = taper::DataConfig::default().images;
                config.validation = None;
            }
            config.dataset = dataset;
            config.data_dir = None;
        }
        if let Some(folder) = &self.data_dir {
            config.data_dir = Some(folder.clone());
        }
        if let Some(revision) = &self.revision {
            config.revision.clone_from(revision);
        }
        let images = &mut config.images;
        images.size = self.images.image_size.or(images.size);
        images.channels = self.images.channels.or(images.channels);
        images.skip_bad |= self.images.skip_bad;
        images.split_seed = self.images.split_seed.map_or(images.split_seed, u64::from);
    }
}

fn choice_names() -> impl clap::builder::TypedValueParser<Value = Choice> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Choice::ALL.map(Choice::name)).try_map(|name| name.parse::<Choice>())
}

fn image(text: &str) -> Result<[usize; 3], String> {
    let sizes: Option<Vec<usize>> =
        text.split('x').map(|size| size.parse().ok().filter(|&size| size > 0)).collect();
    let sizes = sizes.and_then(|sizes| sizes.try_into().ok());
    sizes.ok_or_else(|| "give channels, height and width, such as 3x32x32".to_owned())
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let sides: Option<Vec<usize>> =
        text.split('x').map(|side| side.parse().ok().filter(|&side| side > 0)).collect();
    match sides.as_deref() {
        Some([side]) => Ok([*side; 2]),
        Some([height, width]) => Ok([*height, *width]),
        _ => Err("give one number, or height and width such as 32x48".to_owned()),
    }
}

fn channels(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("give 1 for grey or 3 for colour".to_owned()),
    }
}
