//! Into blocks of eight channels and back.

use taper_kernels::Aligned;
use taper_kernels::blocked::{Blocked, Values, ValuesMut};

use crate::support::{Bench, IMAGES, bytes, images, signed};

pub(crate) fn layout(criterion: &mut Bench) {
    for (name, sizes) in [("1x28x28", [1, 28, 28]), ("64x14x14", [64, 14, 14])] {
        let (layout, bare) = (Blocked::new(sizes, 1), Blocked::new(sizes, 0));
        let mut plain = signed(1, IMAGES * layout.channels * layout.pixels());
        let (mut blocked, x) = (Aligned::zeros(layout.elements(IMAGES)), images(1, bare));
        let mut group = criterion.benchmark_group(format!("layout {name}"));
        bytes(&mut group, plain.len() + x.len());
        group.bench_function("pack", |bencher| bencher.iter(|| layout.pack(&plain, &mut blocked).unwrap()));
        group.bench_function("unpack", |bencher| {
            bencher.iter(|| layout.unpack(&blocked, &mut plain).unwrap())
        });
        bytes(&mut group, 2 * x.len());
        group.bench_function("repack", |bencher| {
            bencher.iter(|| {
                layout.repack(IMAGES, Values::new(&x, 0), ValuesMut::new(&mut blocked, 1)).unwrap();
            });
        });
        group.finish();
    }
}
