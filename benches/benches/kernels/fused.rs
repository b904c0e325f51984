//! Convolution, bias, ReLU, max-pool and dropout in one pass, as the reference CNN runs them, and the gradient of all but
//! the convolution.

use taper_kernels::blocked::{Blocked, DirectConv, Epilogue, WinogradConv};
use taper_kernels::{Aligned, DropoutKey, Isa};

use crate::support::{Bench, Case, Group, IMAGES, aligned, bytes, images, operations, reference, signed};

const KEY: DropoutKey = DropoutKey { seed: 1, step: 1, layer: 1 };

/// A convolution in its faster form.
enum Kernel {
    Winograd(WinogradConv),
    Direct(DirectConv),
}

impl Kernel {
    fn new(case: &Case) -> Self {
        let (conv, input, isa) = (&case.conv, case.input(), Isa::current());
        if WinogradConv::worthwhile(conv, input) {
            Self::Winograd(WinogradConv::new(conv, input, isa).unwrap())
        } else {
            Self::Direct(DirectConv::new(conv, input, isa).unwrap())
        }
    }

    fn output(&self) -> Blocked {
        match self {
            Self::Winograd(kernel) => kernel.output(),
            Self::Direct(kernel) => kernel.output(),
        }
    }

    /// The weight in its order, and scratch space.
    fn buffers(&self, weight: &[f32]) -> [Aligned; 2] {
        let (packed, scratch) = match self {
            Self::Winograd(kernel) => (kernel.packed_len(), kernel.scratch_len(IMAGES)),
            Self::Direct(kernel) => (kernel.packed_len(), kernel.scratch_len()),
        };
        let [mut packed, scratch] = [packed, scratch].map(Aligned::zeros);
        match self {
            Self::Winograd(kernel) => kernel.pack(weight, &mut packed),
            Self::Direct(kernel) => kernel.pack(weight, &mut packed),
        }
        .unwrap();
        [packed, scratch]
    }

    fn forward(
        &self,
        x: &[f32],
        [packed, scratch]: &mut [Aligned; 2],
        emit: &mut dyn FnMut(usize, usize, &mut [f32]),
    ) {
        match self {
            Self::Winograd(kernel) => kernel.forward(IMAGES, x, packed, scratch, emit),
            Self::Direct(kernel) => kernel.forward(IMAGES, x, packed, scratch, emit),
        }
        .unwrap();
    }
}

pub(crate) fn fused(criterion: &mut Bench) {
    for (case, pool) in reference() {
        let kernel = Kernel::new(&case);
        let output = kernel.output();
        let epilogue = Epilogue::new(output, true, Some(&pool), Some(0.3), 1, Isa::current()).unwrap();
        let mut group =
            criterion.benchmark_group(format!("fused conv2d + relu + pool + dropout {}", case.name));
        let codes = forward(&mut group, &case, &kernel, &epilogue);
        backward(&mut group, output, &epilogue, &codes);
        group.finish();
    }
}

/// Times the pass as in training and as in evaluation. Returns the codes of a training pass.
fn forward(group: &mut Group<'_>, case: &Case, kernel: &Kernel, epilogue: &Epilogue) -> Vec<u8> {
    let layout = epilogue.output();
    let mut buffers = kernel.buffers(&case.weight());
    let (x, bias) = (images(1, case.input()), signed(3, layout.blocks() * 8));
    let mut y = Aligned::zeros(layout.elements(IMAGES));
    let mut codes = vec![0; epilogue.codes_len(IMAGES)];
    let mut pass = |train: bool| {
        let codes_len = epilogue.codes_len(1);
        let mut emit = |image: usize, block: usize, plane: &mut [f32]| {
            let y = &mut y[image * layout.image() + block * layout.plane()..][..layout.plane()];
            let len = layout.pixels() * 8;
            let codes = train.then(|| &mut codes[image * codes_len + block * len..][..len]);
            let draw = train.then_some((KEY, image));
            epilogue.forward(plane, Some(&bias[block * 8..][..8]), y, codes, block, draw).unwrap();
        };
        kernel.forward(&x, &mut buffers, &mut emit);
    };
    operations(group, case.products(kernel.output().pixels()));
    group.bench_function("forward, evaluation", |bencher| bencher.iter(|| pass(false)));
    group.bench_function("forward, training", |bencher| bencher.iter(|| pass(true)));
    pass(true);
    codes
}

/// The gradient of the raw convolution in full, with its halo.
fn backward(group: &mut Group<'_>, conv: Blocked, epilogue: &Epilogue, codes: &[u8]) {
    const HALO: usize = 1;
    let dy = aligned(4, codes.len());
    let mut dz = Aligned::zeros(conv.with_halo(HALO).elements(IMAGES));
    let mut dbias = vec![0.0; conv.blocks() * 8];
    bytes(group, dy.len() + dz.len());
    group.bench_function("backward, dense", |bencher| {
        bencher.iter(|| epilogue.backward_dense(codes, &dy, &mut dz, HALO, IMAGES, &mut dbias).unwrap());
    });
}
