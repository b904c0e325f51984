//! Activations, dropout and sums on a group of images, and softmax and loss on rows of logits.

use taper_benches::{BATCH, labels};
use taper_graph::Activation;
use taper_kernels::blocked::{Blocked, Elementwise, Values, dropout};
use taper_kernels::{Aligned, DropoutKey, Isa, activate_backward_part, activate_part, cross_entropy_rows};

use crate::support::{Bench, IMAGES, bytes, images, images_of, signed};

pub(crate) fn elementwise(criterion: &mut Bench) {
    let (isa, layout) = (Isa::current(), Blocked::new([64, 14, 14], 0));
    let (a, b) = (images(1, layout), images(2, layout));
    let mut y = Aligned::zeros(a.len());
    let mut group = criterion.benchmark_group("element-wise 64x14x14");
    for function in Activation::ALL {
        let name = format!("{function:?}").to_lowercase();
        bytes(&mut group, 2 * a.len());
        group.bench_function(&name, |bencher| {
            bencher.iter(|| activate_part(isa, function, &a, &mut y).unwrap());
        });
        bytes(&mut group, 3 * a.len());
        group.bench_function(format!("{name} backward"), |bencher| {
            bencher.iter(|| activate_backward_part(isa, function, &a, &b, &mut y).unwrap());
        });
    }
    let map = Elementwise::new(layout, isa);
    let [a, b] = [&a, &b].map(|values| Values::from(&values[..]));
    group.bench_function("add", |bencher| {
        bencher.iter(|| map.add(IMAGES, a, b, false, (&mut y[..]).into()).unwrap());
    });
    group.bench_function("add, relu", |bencher| {
        bencher.iter(|| map.add(IMAGES, a, b, true, (&mut y[..]).into()).unwrap());
    });
    // Dropout scales what it keeps: in place, of zeros, so that repeating it makes no infinities.
    y.fill(0.0);
    let key = DropoutKey { seed: 1, step: 1, layer: 1 };
    bytes(&mut group, 2 * y.len());
    group.bench_function("dropout", |bencher| {
        bencher.iter(|| dropout(key, 0.3, layout, 0, IMAGES, &mut y, isa).unwrap());
    });
    group.finish();
}

pub(crate) fn rows(criterion: &mut Bench) {
    const CLASSES: usize = 10;
    let layout = Blocked::new([CLASSES, 1, 1], 0);
    let logits = images_of(layout, &signed(1, BATCH * CLASSES));
    let dy = images_of(layout, &signed(2, BATCH * CLASSES));
    let [mut y, mut dx] = [logits.len(); 2].map(Aligned::zeros);
    let labels = labels(BATCH);
    let map = Elementwise::new(layout, Isa::current());
    let mut group = criterion.benchmark_group("rows 100x10");
    bytes(&mut group, 2 * logits.len());
    group.bench_function("softmax", |bencher| {
        bencher.iter(|| map.softmax(BATCH, logits[..].into(), (&mut y[..]).into()).unwrap());
    });
    group.bench_function("softmax backward", |bencher| {
        bencher.iter(|| {
            map.softmax_backward(BATCH, y[..].into(), dy[..].into(), (&mut dx[..]).into()).unwrap();
        });
    });
    group.bench_function("cross-entropy", |bencher| {
        let sizes = [CLASSES, layout.image()];
        bencher.iter(|| cross_entropy_rows(sizes, &logits, &labels, 0.0, BATCH, &mut dx).unwrap());
    });
    group.finish();
}
