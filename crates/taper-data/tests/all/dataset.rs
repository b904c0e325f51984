use std::num::NonZeroUsize;

use sha2::{Digest, Sha256};
use taper_data::synthetic::{self, Part};
use taper_data::{Batches, Dataset, DatasetError, Images, split_indices};

fn numbered(count: usize) -> Dataset {
    let images = Images::new(count, 1, 1, 2, (0..count * 2).map(|i| (i / 2) as u8).collect()).unwrap();
    Dataset::digits(images, (0..count).map(|i| (i % 10) as u8).collect()).unwrap()
}

#[test]
fn pixels_must_fill_the_shape_even_when_it_overflows() {
    for (shape, bytes) in [
        ([2, 1, 28, 28], 784),
        ([0, 1, 28, 28], 1),
        ([usize::MAX, 2, 1, 1], 0),
        ([1 << 40, 1 << 20, 1 << 20, 1], 0),
    ] {
        let [count, channels, height, width] = shape;
        let error = Images::new(count, channels, height, width, vec![0; bytes]).unwrap_err();
        assert_eq!(error, DatasetError::Pixels { shape, found: bytes });
    }
    assert!(matches!(Images::new(1, 1, 0, 28, vec![]), Err(DatasetError::EmptyImage { .. })));
    assert_eq!(Images::new(0, 1, 28, 28, vec![]).unwrap().count(), 0);
}

#[test]
fn labels_must_match_in_number_and_range() {
    let images = || Images::new(3, 1, 1, 1, vec![0; 3]).unwrap();
    assert_eq!(
        Dataset::digits(images(), vec![0, 1]).unwrap_err(),
        DatasetError::Counts { images: 3, labels: 2 }
    );
    let error = Dataset::digits(images(), vec![0, 10, 200]).unwrap_err();
    assert_eq!(error, DatasetError::Label { index: 1, label: 10, classes: 10 });
    assert!(error.to_string().contains("label 10 of image 1"), "{error}");
}

#[test]
fn a_split_parts_the_dataset_and_is_value_stable() {
    let (train, validation) = split_indices(60_000, 5_000, 42);
    assert_eq!((train.len(), validation.len()), (55_000, 5_000));
    let mut all = [train.clone(), validation.clone()].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..60_000));
    assert!(train.is_sorted() && validation.is_sorted());
    assert_ne!(validation, split_indices(60_000, 5_000, 43).1);
    // The split belongs to every published figure: it must never change.
    assert_eq!(validation[..6], [2, 13, 19, 22, 32, 42]);

    assert_eq!(split_indices(3, 9, 0), (vec![], vec![0, 1, 2]));
    assert_eq!(split_indices(3, 0, 0), (vec![0, 1, 2], vec![]));
    let (train, validation) = numbered(10).split(3, 1);
    let mut labels = [train.labels.clone(), validation.labels].concat();
    labels.sort_unstable();
    assert!(labels.into_iter().eq(0..10));
    assert!(train.labels.iter().enumerate().all(|(i, &label)| train.images.image(i).unwrap()[0] == label));
}

#[test]
fn subsets_keep_images_with_their_labels() {
    let data = numbered(12);
    let subset = data.subset(&[11, 3, 3]).unwrap();
    assert_eq!(subset.labels, [1, 3, 3]);
    assert_eq!(*subset.images.pixels().unwrap(), [11, 11, 3, 3, 3, 3]);
    assert_eq!(data.subset(&[0, 12]).unwrap_err(), DatasetError::Index { index: 12, len: 12 });
    assert_eq!(data.take(5).labels, [0, 1, 2, 3, 4]);
    assert_eq!(data.take(99), data);
}

fn pass(mut batches: Batches<'_>) -> (Vec<usize>, Vec<f32>, Vec<u8>) {
    let (mut images, mut labels) = (vec![9.0], vec![9]);
    let (mut sizes, mut all_images, mut all_labels) = (vec![], vec![], vec![]);
    while batches.next_into(&mut images, &mut labels).unwrap() {
        sizes.push(labels.len());
        all_images.extend_from_slice(&images);
        all_labels.extend_from_slice(&labels);
    }
    assert!(images.is_empty() && labels.is_empty());
    (sizes, all_images, all_labels)
}

#[test]
fn a_pass_gives_every_image_once_with_its_label() {
    let data = numbered(23);
    let five = NonZeroUsize::new(5).unwrap();
    assert_eq!(Batches::shuffled(&data, five, 1, 0).count(), 5);
    let (sizes, images, labels) = pass(Batches::shuffled(&data, five, 1, 0));
    assert_eq!(sizes, [5, 5, 5, 5, 3]);
    let mut order: Vec<usize> = images.chunks(2).map(|image| (image[0] * 255.0).round() as usize).collect();
    assert!(order.iter().zip(&labels).all(|(&index, &label)| index % 10 == usize::from(label)));
    assert!(!order.is_sorted());
    order.sort_unstable();
    assert!(order.into_iter().eq(0..23));

    let (_, images, labels) = pass(Batches::in_order(&data, NonZeroUsize::new(100).unwrap()));
    assert_eq!(labels, data.labels);
    // Exactly byte ÷ 255, as PyTorch's `ToTensor` computes it.
    assert!(
        images
            .iter()
            .zip(data.images.pixels().unwrap().iter())
            .all(|(&unit, &byte)| unit == f32::from(byte) / 255.0)
    );
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let data = numbered(40);
    let order = |seed, epoch, size| {
        Batches::shuffled(&data, NonZeroUsize::new(size).unwrap(), seed, epoch).remaining().to_vec()
    };
    assert_eq!(order(1, 2, 5), order(1, 2, 7));
    assert_ne!(order(1, 2, 5), order(1, 3, 5));
    assert_ne!(order(1, 2, 5), order(2, 2, 5));
    assert_eq!(order(42, 0, 5)[..6], [21, 23, 17, 26, 11, 14]);
}

#[test]
fn synthetic_digits_are_the_same_on_every_machine() {
    let hash = |part| {
        let data = synthetic::digits(1000, 0, part);
        let bytes = [&data.images.pixels().unwrap()[..], &data.labels].concat();
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_eq!(hash(Part::Train), "dafa45932118e907311d589283c4d0160ceb02d228ad4e18effbd4e045268b60");
    assert_eq!(hash(Part::Test), "9c4e710acac870585a76fffc4198ed6491173947f5a0befdde4694bba03cd843");
}

#[test]
fn synthetic_digits_look_like_digits_on_paper() {
    let data = synthetic::digits(2000, 5, Part::Train);
    let mut counts = [0; 10];
    data.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    assert!(counts.iter().all(|&count| (150..250).contains(&count)), "{counts:?}");
    for index in 0..data.len() {
        let image = data.images.image(index).unwrap();
        let ink = image.iter().filter(|&&value| value > 100).count();
        assert!((10..400).contains(&ink), "image {index} has {ink} pixels of ink");
        let edge = (0..28).flat_map(|i| [image[i], image[27 * 28 + i], image[28 * i], image[28 * i + 27]]);
        assert!(edge.filter(|&value| value > 100).count() < 12, "image {index} is cut off");
    }
}
