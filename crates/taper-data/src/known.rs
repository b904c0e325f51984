//! The one table of datasets that are known by name, beside MNIST itself.

use crate::choice::Choice;
use crate::load::MNIST_REPOSITORY;
use crate::parquet;

/// A row of the table.
pub(crate) struct Known {
    pub(crate) choice: Choice,
    /// As its authors call it, for messages and cards.
    pub(crate) title: &'static str,
    /// Its repository on the Hub, if there is one whose files are as this table says.
    pub(crate) hub: Option<Hub>,
    /// What its files in a folder are called.
    pub(crate) files: Names,
    /// `[C, H, W]`.
    pub(crate) image: [usize; 3],
    /// Numbers of training and test images.
    pub(crate) counts: [usize; 2],
    pub(crate) classes: Classes,
    /// The licence of the data, where its authors give one.
    pub(crate) license: Option<&'static str>,
}

/// Where a dataset is on the Hub.
pub(crate) struct Hub {
    pub(crate) repository: &'static str,
    /// What the Hub calls the part of the repository that this is, for model cards.
    config: &'static str,
    /// With a slash at its end; nothing for the top of the repository.
    pub(crate) folder: &'static str,
    pub(crate) files: HubFiles,
}

/// The form of a dataset's files on the Hub.
pub(crate) enum HubFiles {
    /// One file with the training images and one with the test images.
    Parquet { image_column: &'static str },
    /// The files of [`Known::files`], with `.gz`.
    Idx,
}

impl Hub {
    const fn parquet(
        repository: &'static str,
        [config, folder]: [&'static str; 2],
        image_column: &'static str,
    ) -> Self {
        Self { repository, config, folder, files: HubFiles::Parquet { image_column } }
    }

    const fn idx(repository: &'static str, [config, folder]: [&'static str; 2]) -> Self {
        Self { repository, config, folder, files: HubFiles::Idx }
    }
}

/// How the files of a dataset are called.
pub(crate) enum Names {
    /// IDX files whose names begin so: of the training and of the test part. `.gz` may follow.
    Idx { train: &'static str, test: &'static str, form: Form },
    /// `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
    CifarBinary,
}

/// What is peculiar about a dataset's IDX files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As those of MNIST.
    Mnist,
    /// Rows and columns of the images are swapped, and labels begin with the number given.
    Emnist { first_label: u8 },
    /// Labels are rows of whole numbers, the class first.
    Qmnist,
}

/// What the classes are called.
pub(crate) enum Classes {
    Named(&'static [&'static str]),
    /// One character each.
    Characters(&'static str),
}

impl Classes {
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Classes::Named(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Classes::Characters(text) => text.chars().map(String::from).collect(),
        }
    }
}

const DIGITS: Classes = Classes::Characters("0123456789");

const fn emnist(
    choice: Choice,
    hub: Hub,
    [train, test]: [&'static str; 2],
    counts: [usize; 2],
    first_label: u8,
    classes: Classes,
) -> Known {
    Known {
        choice,
        title: "EMNIST",
        hub: Some(hub),
        files: Names::Idx { train, test, form: Form::Emnist { first_label } },
        image: [1, 28, 28],
        counts,
        classes,
        license: None,
    }
}

/// The table. Numbers, classes and their order are those of the datasets' own pages.
static TABLE: [Known; 8] = [
    // H. Xiao, K. Rasul, R. Vollgraf 2017, https://github.com/zalandoresearch/fashion-mnist
    Known {
        choice: Choice::FashionMnist,
        title: "Fashion-MNIST",
        hub: Some(Hub::parquet(
            "zalando-datasets/fashion_mnist",
            ["fashion_mnist", "fashion_mnist/"],
            parquet::IMAGE_COLUMN,
        )),
        files: Names::Idx { train: "train", test: "t10k", form: Form::Mnist },
        image: [1, 28, 28],
        counts: [60_000, 10_000],
        classes: Classes::Named(&[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ]),
        license: Some("MIT"),
    },
    // T. Clanuwat et al. 2018, https://github.com/rois-codh/kmnist
    Known {
        choice: Choice::Kmnist,
        title: "Kuzushiji-MNIST",
        hub: Some(Hub::parquet("tanganke/kmnist", ["kmnist", "kmnist/"], parquet::IMAGE_COLUMN)),
        files: Names::Idx { train: "train", test: "t10k", form: Form::Mnist },
        image: [1, 28, 28],
        counts: [60_000, 10_000],
        classes: Classes::Characters("おきすつなはまやれを"),
        license: Some("CC BY-SA 4.0"),
    },
    // C. Yadav, L. Bottou 2019, https://github.com/facebookresearch/qmnist
    Known {
        choice: Choice::Qmnist,
        title: "QMNIST",
        hub: None,
        files: Names::Idx { train: "qmnist-train", test: "qmnist-test", form: Form::Qmnist },
        image: [1, 28, 28],
        counts: [60_000, 60_000],
        classes: DIGITS,
        license: None,
    },
    // G. Cohen et al. 2017, https://www.nist.gov/itl/products-and-services/emnist-dataset
    emnist(
        Choice::EmnistBalanced,
        Hub::idx("Royc30ne/emnist-balanced", ["default", ""]),
        ["emnist-balanced-train", "emnist-balanced-test"],
        [112_800, 18_800],
        0,
        Classes::Characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    ),
    emnist(
        Choice::EmnistLetters,
        Hub::idx("Royc30ne/emnist-letters", ["default", ""]),
        ["emnist-letters-train", "emnist-letters-test"],
        [124_800, 20_800],
        1,
        Classes::Characters("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ),
    emnist(
        Choice::EmnistDigits,
        Hub::idx("Royc30ne/emnist-digits", ["default", ""]),
        ["emnist-digits-train", "emnist-digits-test"],
        [240_000, 40_000],
        0,
        DIGITS,
    ),
    emnist(
        Choice::EmnistMnist,
        Hub::idx("tanganke/emnist_mnist", ["emnist-mnist", "raw/"]),
        ["emnist-mnist-train", "emnist-mnist-test"],
        [60_000, 10_000],
        0,
        DIGITS,
    ),
    // A. Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html
    Known {
        choice: Choice::Cifar10,
        title: "CIFAR-10",
        hub: Some(Hub::parquet("uoft-cs/cifar10", ["plain_text", "plain_text/"], "img")),
        files: Names::CifarBinary,
        image: [3, 32, 32],
        counts: [50_000, 10_000],
        classes: Classes::Named(&[
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ]),
        license: None,
    },
];

impl Choice {
    /// Its repository on the Hugging Face Hub, and the configuration that the images are in there; `None` for what the Hub does
    /// not have, or not in the form of the table.
    ///
    /// ```
    /// use taper_data::Choice;
    /// assert_eq!(Choice::Cifar10.on_hub(), Some(["uoft-cs/cifar10", "plain_text"]));
    /// assert_eq!(Choice::Synthetic.on_hub(), None);
    /// ```
    #[must_use]
    pub fn on_hub(self) -> Option<[&'static str; 2]> {
        match self {
            Choice::Mnist => Some([MNIST_REPOSITORY, "mnist"]),
            other => known(other)?.hub.as_ref().map(|hub| [hub.repository, hub.config]),
        }
    }
}

/// The row of a choice, if it is in the table.
pub(crate) fn known(choice: Choice) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.choice == choice)
}
