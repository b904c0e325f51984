//! Sizes and values that the kernels' benchmarks share.

use criterion::{BenchmarkGroup, Criterion, Throughput};
use taper_benches::uniform;
use taper_graph::{Conv2d, MaxPool2d};
use taper_kernels::Aligned;
use taper_kernels::blocked::{Blocked, DirectConv};

use crate::measure::Counted;

pub(crate) type Bench = Criterion<Counted>;
pub(crate) type Group<'a> = BenchmarkGroup<'a, Counted>;

/// Images that a kernel is given at a time, as in a training step.
pub(crate) const IMAGES: usize = 5;

/// A convolution and the sizes `[C, H, W]` of its input.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) conv: Conv2d,
    pub(crate) image: [usize; 3],
}

impl Case {
    /// The input, with the halo that its padding asks for.
    pub(crate) fn input(&self) -> Blocked {
        Blocked::new(self.image, DirectConv::halo(&self.conv))
    }

    pub(crate) fn weight_len(&self) -> usize {
        let Conv2d { out_channels, kernel, groups, .. } = self.conv;
        out_channels * self.image[0] / groups * kernel[0] * kernel[1]
    }

    pub(crate) fn weight(&self) -> Vec<f32> {
        signed(2, self.weight_len())
    }

    /// Multiply-adds of a group of images with `outputs` pixels each.
    pub(crate) fn products(&self, outputs: usize) -> usize {
        IMAGES * outputs * self.weight_len()
    }
}

/// The three convolutions of the reference CNN, with the pooling that follows each.
pub(crate) fn reference() -> [(Case, MaxPool2d); 3] {
    let layer = |name, out_channels, image, padding| {
        let conv = Conv2d::new(out_channels, 3).padding(1);
        (Case { name, conv, image }, MaxPool2d::new(2).padding(padding))
    };
    [
        layer("3x3, 1x28x28 to 32", 32, [1, 28, 28], 0),
        layer("3x3, 32x14x14 to 64", 64, [32, 14, 14], 0),
        layer("3x3, 64x7x7 to 128", 128, [64, 7, 7], 1),
    ]
}

/// Convolutions of other networks.
pub(crate) fn others() -> [Case; 4] {
    let case = |name, image, conv| Case { name, conv, image };
    let depthwise = Conv2d { groups: 64, ..Conv2d::new(64, 3).padding(1) };
    [
        case("3x3, 64x32x32 to 64", [64, 32, 32], Conv2d::new(64, 3).padding(1)),
        case("1x1, 64x32x32 to 128", [64, 32, 32], Conv2d::new(128, 1)),
        case("3x3 stride 2, 64x32x32 to 128", [64, 32, 32], Conv2d::new(128, 3).stride(2).padding(1)),
        case("3x3 depthwise, 64x32x32", [64, 32, 32], depthwise),
    ]
}

/// `len` numbers in [−0.5, 0.5).
pub(crate) fn signed(seed: u64, len: usize) -> Vec<f32> {
    uniform(seed, len).into_iter().map(|x| x - 0.5).collect()
}

/// The same, from the start of a cache line, where the engine's buffers begin.
pub(crate) fn aligned(seed: u64, len: usize) -> Aligned {
    let mut values = Aligned::zeros(len);
    values.copy_from_slice(&signed(seed, len));
    values
}

/// A group of images in the layout; the halo and the channels beyond the last are zero.
pub(crate) fn images(seed: u64, layout: Blocked) -> Aligned {
    images_of(layout, &signed(seed, IMAGES * layout.channels * layout.pixels()))
}

/// `plain` images in the layout.
pub(crate) fn images_of(layout: Blocked, plain: &[f32]) -> Aligned {
    let mut values = Aligned::zeros(layout.elements(plain.len() / (layout.channels * layout.pixels())));
    layout.pack(plain, &mut values).unwrap();
    values
}

/// Counts the operations of `products` multiply-adds.
pub(crate) fn operations(group: &mut Group<'_>, products: usize) {
    group.throughput(Throughput::Elements(2 * products as u64));
}

/// Counts the bytes of `floats` f32, read or written.
pub(crate) fn bytes(group: &mut Group<'_>, floats: usize) {
    group.throughput(Throughput::BytesDecimal(4 * floats as u64));
}
