//! Steps of the optimisers, on parameters that stay in the second-level cache and on all of the reference CNN's.

use taper_kernels::{Aligned, Optimizer};

use crate::support::{Bench, aligned, bytes};

/// Rows of the first fully connected layer's weight that one task updates, and all parameters.
const LENGTHS: [(&str, usize); 2] = [("10,240", 16 * 640), ("1,379,557", 1_379_557)];

pub(crate) fn optimizers(criterion: &mut Bench) {
    let rules = [
        ("sgd", Optimizer::sgd(0.0)),
        ("sgd with momentum", Optimizer::sgd(0.9)),
        ("adam", Optimizer::adam()),
        ("adamw", Optimizer::adamw()),
    ];
    for (name, len) in LENGTHS {
        let mut group = criterion.benchmark_group(format!("optimizer step, {name} parameters"));
        let gradient = aligned(1, len);
        for (name, rule) in &rules {
            let mut parameter = aligned(2, len);
            let [mut first, mut second] = [len; 2].map(Aligned::zeros);
            let kept = rule.keeps().map(usize::from);
            bytes(&mut group, (3 + 2 * (kept[0] + kept[1])) * len);
            let mut step = 0;
            group.bench_function(*name, |bencher| {
                bencher.iter(|| {
                    step += 1;
                    let moments: [&mut [f32]; 2] = [&mut first, &mut second];
                    rule.step_part(&mut parameter, &gradient, moments, step, 1e-3).unwrap();
                });
            });
        }
        group.finish();
    }
}
