//! Sizes beyond all reason are refused: no panic, no endless loop, no memory asked for.

use taper_graph::{AvgPool2d, Conv2d, MaxPool2d};
use taper_kernels::blocked::{
    Blocked, BlockedAvgPool, BlockedLinear, BlockedMaxPool, BlockedNorm, ChannelSlice, DirectConv,
    Elementwise, Epilogue, LinearLists, SparseConv, SparseLists, Values, ValuesMut, WinogradConv,
};
use taper_kernels::{
    BatchNormGeometry, BatchStatistics, ConvGeometry, ConvGradients, DropoutKey, Isa, KernelError,
    LinearGeometry, PoolGeometry, avg_pool2d, avg_pool2d_backward, batch_norm_eval, batch_norm_train, conv2d,
    conv2d_backward, cross_entropy, dropout, linear, linear_backward_input, linear_backward_params,
    max_pool2d, max_pool2d_backward, softmax, softmax_backward,
};

/// Numbers whose products are too large, or nearly so.
const ABSURD: [usize; 4] = [usize::MAX, usize::MAX / 2 + 1, 1 << 60, 1 << 40];

/// Images that are absurd in one of their sizes, and one that is in all.
fn absurd_images() -> impl Iterator<Item = [usize; 3]> {
    ABSURD.into_iter().flat_map(|n| [[n, 4, 4], [4, n, 4], [4, 4, n], [n, n, n]])
}

#[test]
fn absurd_sizes_of_plain_kernels_are_wrong_lengths() {
    for n in ABSURD {
        let g = ConvGeometry::new(&Conv2d::new(2, 3), n, [2, 4, 5]).unwrap();
        assert_eq!((g.input_len(), g.output_len()), (n.saturating_mul(40), n.saturating_mul(12)));
        assert!(conv2d(&g, &[], &[0.5; 36], None, &mut []).is_err());
        let gradients = ConvGradients { x: None, weight: &mut [0.0; 36], bias: None };
        assert!(conv2d_backward(&g, &[], &[0.5; 36], &[], gradients).is_err());
        let g = PoolGeometry::max(&MaxPool2d::new(2), n, [3, 4, 4]).unwrap();
        assert!(max_pool2d(&g, &[], &mut [], &mut []).is_err());
        assert!(max_pool2d_backward(&g, &[], &[], &mut []).is_err());
        let g = PoolGeometry::avg(&AvgPool2d::new(2), n, [3, 4, 4]).unwrap();
        assert!(avg_pool2d(&g, &[], &mut []).is_err() && avg_pool2d_backward(&g, &[], &mut []).is_err());

        let key = DropoutKey { seed: 1, step: u64::MAX, layer: u32::MAX };
        let g = LinearGeometry { batch: n, in_features: n, out_features: n };
        assert!(linear(g, &[], &[], None, &mut []).is_err());
        assert!(linear_backward_input(g, &[], &[], &mut []).is_err());
        assert!(linear_backward_params(g, &[], &[], &mut [], None).is_err());
        let g = BatchNormGeometry { batch: n, channels: n, pixels: n };
        assert!(batch_norm_train(g, &[], [&[], &[]], 1e-5, &mut []).is_err());
        assert!(batch_norm_eval(g, &[], [&[]; 4], 1e-5, &mut []).is_err());
        assert!(softmax([n; 3], &[], &mut []).is_err());
        assert!(softmax_backward([n; 3], &[], &[], &mut []).is_err());
        assert!(dropout(key, 0.5, [n; 3], &[], &mut []).is_err());
        assert!(cross_entropy(n, &[], &[0, 0, 0, 0], 0.0, &mut []).is_err());
        // However many there are of nothing, there is nothing to do.
        for sizes in [[n, 0, n], [n, n, 0], [0, n, n]] {
            softmax(sizes, &[], &mut []).unwrap();
            softmax_backward(sizes, &[], &[], &mut []).unwrap();
            dropout(key, 0.5, sizes, &[], &mut []).unwrap();
        }
    }
    for image in absurd_images() {
        assert!(ConvGeometry::new(&Conv2d::new(2, 3), 1, image).is_err());
        assert!(PoolGeometry::max(&MaxPool2d::new(2), 1, image).is_err());
        assert!(PoolGeometry::avg(&AvgPool2d::new(2), 1, image).is_err());
    }
}

#[test]
fn absurd_layouts_have_lengths_that_no_slice_has() {
    let isa = Isa::current();
    let images = absurd_images().flat_map(|image| [0, 1, usize::MAX].map(|halo| Blocked::new(image, halo)));
    let halos = ABSURD.map(|halo| Blocked::new([3, 4, 4], halo));
    for layout in images.chain(halos) {
        assert!(layout.image() > 1 << 40 && layout.elements(3) > 1 << 40, "{layout:?}");
        assert_eq!(layout.at(usize::MAX, usize::MAX, usize::MAX), usize::MAX);
        let (x, y) = (|| Values::new(&[], layout.halo), || ValuesMut::new(&mut [], layout.halo));
        // No image is an empty slice, whatever its sizes; one is none.
        for (images, fits) in [(0, true), (1, false)] {
            let map = Elementwise::new(layout, isa);
            assert_eq!(map.relu(images, x(), y()).is_ok(), fits, "{layout:?}");
            assert_eq!(map.softmax(images, x(), y()).is_ok(), fits);
            assert_eq!(map.map(images, x(), y(), |_, _| ()).is_ok(), fits);
            assert_eq!(layout.repack(images, x(), y()).is_ok(), fits);
            let slice = ChannelSlice::new(layout, 1..layout.channels.min(3), isa).unwrap();
            assert_eq!(slice.extract(images, x(), y()).is_ok(), fits);
            assert_eq!(slice.insert(images, x(), y()).is_ok(), fits);
        }
        assert_eq!(layout.pack(&[], &mut []), Ok(()));
        assert!(layout.pack(&[0.0], &mut []).is_err() && layout.unpack(&[], &mut [0.0]).is_err());
        let key = DropoutKey { seed: 1, step: 1, layer: 1 };
        assert!(taper_kernels::blocked::dropout(key, 0.5, layout, usize::MAX, 1, &mut [], isa).is_err());
        if layout.channels > 4 {
            let norm = BlockedNorm::new(layout, isa);
            assert!(norm.sums_len() > 1 << 40 && norm.affine_len() > 1 << 40);
            assert!(norm.backward_affine_len() > 1 << 40);
            let mut statistics = BatchStatistics { mean: Vec::new(), variance: Vec::new() };
            assert!(norm.sums(1, x(), &mut []).is_err());
            assert!(norm.merge([(1, &[][..])], &mut statistics).is_err());
            assert!(norm.merge([], &mut statistics).is_err());
            assert!(norm.affine(&statistics, [&[], &[]], 1e-5, &mut []).is_err());
        }
    }
    // Any number of images with nothing in them.
    for sizes in [[0, 4, 4], [0, usize::MAX, usize::MAX], [4, 0, 4], [usize::MAX, 4, 0]] {
        let (layout, n) = (Blocked::new(sizes, 0), usize::MAX);
        let map = Elementwise::new(layout, isa);
        map.relu(n, [][..].into(), (&mut [][..]).into()).unwrap();
        map.softmax(n, [][..].into(), (&mut [][..]).into()).unwrap();
        map.map(n, [][..].into(), (&mut [][..]).into(), |_, _| ()).unwrap();
        layout.repack(n, [][..].into(), (&mut [][..]).into()).unwrap();
    }
}

#[test]
fn absurd_linear_layers_have_lengths_that_no_slice_has() {
    let isa = Isa::current();
    let plain = ABSURD.into_iter().flat_map(|n| [[n, 4], [4, n], [n, n]]);
    let plain = plain.map(|[inputs, outputs]| BlockedLinear::new(inputs, outputs, isa));
    let of_images = absurd_images().map(|image| BlockedLinear::of_image(Blocked::new(image, 1), 4, isa));
    for layer in plain.chain(of_images) {
        assert!(layer.weight_len() > 1 << 40, "{layer:?}");
        assert!(layer.forward(1, &[], &[], None, &mut [], &mut []).is_err());
        assert!(layer.backward_input(1, &[], &[], &mut [], &mut []).is_err());
        assert!(layer.pack(&[], &mut []).is_err() && layer.unpack(&[], &mut []).is_err());
        assert!(layer.pack_forward(0..1, &[], &mut []).is_err());
        assert!(layer.pack_forward(0..usize::MAX, &[], &mut []).is_err());
        let mut lists = LinearLists::default();
        assert!(layer.list(&[&[0.0; 1]], &mut lists).is_err());
        assert!(layer.backward_weight_blocks(0..1, &[], &lists, &mut []).is_err());
    }
    let (layer, nothing) = (BlockedLinear::new(8, 8, isa), BlockedLinear::new(0, 0, isa));
    for n in ABSURD {
        let mut scratch = vec![0.0; nothing.scratch_len(n)];
        assert_eq!(nothing.forward(n, &[], &[], None, &mut scratch, &mut []), Ok(()));
        assert_eq!(nothing.backward_input(n, &[], &[], &mut scratch, &mut []), Ok(()));
        assert_eq!(layer.scratch_len(n), layer.scratch_len(1 << 20), "a call takes few images at a time");
        assert!(layer.forward(n, &[], &[0.0; 64], None, &mut [0.0; 64], &mut []).is_err());
        let lists = LinearLists::default();
        assert!(layer.backward_weight_blocks(0..n, &[], &lists, &mut []).is_err());
        assert!(layer.backward_weight_blocks(n..n, &[], &lists, &mut []).is_err());
    }
}

/// Those that a convolution or a pooling is prepared for.
#[test]
fn absurd_images_are_refused_by_what_is_prepared_for_them() {
    let (isa, conv) = (Isa::current(), Conv2d::new(8, 3).padding(1));
    let output = Blocked::new([8, 4, 4], 0);
    let epilogue = Epilogue::new(output, true, Some(&MaxPool2d::new(2)), None, 0, isa).unwrap();
    for layout in absurd_images().map(|image| Blocked::new(image, 1)) {
        assert!(DirectConv::new(&conv, layout, isa).is_none());
        assert!(WinogradConv::new(&conv, layout, isa).is_none());
        assert!(!WinogradConv::worthwhile(&conv, layout));
        assert!(SparseConv::new(&conv, layout, &epilogue, isa).is_none());
        assert!(BlockedMaxPool::new(&MaxPool2d::new(2), layout, isa).is_err());
        assert!(BlockedAvgPool::new(&AvgPool2d::new(2), layout, isa).is_err());
        for pool in [None, Some(&MaxPool2d::new(2))] {
            assert!(Epilogue::new(layout, true, pool, None, 0, isa).is_err());
        }
    }
    for n in ABSURD {
        for conv in [
            Conv2d::new(n, 3),
            Conv2d::new(8, n),
            Conv2d::new(8, 3).padding(n),
            Conv2d::new(8, 3).stride(n),
            Conv2d { dilation: [n; 2], ..Conv2d::new(8, 3) },
            Conv2d { groups: n, ..Conv2d::new(8, 3) },
        ] {
            let input = Blocked::new([8, 4, 4], 1);
            assert!(DirectConv::new(&conv, input, isa).is_none());
            assert!(WinogradConv::new(&conv, input, isa).is_none());
            assert!(SparseConv::new(&conv, input, &epilogue, isa).is_none());
        }
        for pool in [
            MaxPool2d::new(n),
            MaxPool2d::new(2).stride(n),
            MaxPool2d::new(2).padding(n),
            MaxPool2d { dilation: [n; 2], ..MaxPool2d::new(2) },
        ] {
            assert!(Epilogue::new(output, true, Some(&pool), None, 0, isa).is_err());
            assert!(BlockedMaxPool::new(&pool, output, isa).is_err());
        }
    }
}

#[test]
fn absurd_halos_and_batches_are_wrong_lengths_or_refused() {
    let (isa, conv) = (Isa::current(), Conv2d::new(8, 3).padding(1));
    let (output, pool) = (Blocked::new([8, 4, 4], 0), MaxPool2d::new(2));
    let epilogue = Epilogue::new(output, true, Some(&pool), None, 0, isa).unwrap();
    for halo in ABSURD {
        let input = Blocked::new([8, 4, 4], halo);
        assert!(DirectConv::new(&conv, input, isa).is_none());
        assert!(SparseConv::new(&conv, input, &epilogue, isa).is_none());
        let winograd = WinogradConv::new(&conv, input, isa).unwrap();
        let (packed, mut scratch) = (vec![0.0; winograd.packed_len()], vec![0.0; winograd.scratch_len(1)]);
        assert!(winograd.forward(1, &[], &packed, &mut scratch, &mut |_, _, _| ()).is_err());
        assert_eq!(winograd.forward(0, &[], &packed, &mut scratch, &mut |_, _, _| ()), Ok(()));
        let far = Epilogue::new(output, true, Some(&pool), None, halo, isa).unwrap();
        assert!(far.forward(&mut [0.0; 128], None, &mut [], None, 0, None).is_err());
        let dz = far.backward_dense(&[0; 32], &[0.0; 32], &mut [], halo, 1, &mut [0.0; 8]);
        assert!(dz.is_err());
        let max = BlockedMaxPool::new(&MaxPool2d { dilation: [3; 2], ..pool.clone() }, output, isa).unwrap();
        let (x, mut y) = (Values::new(&[], halo), [0.0; 8]);
        assert!(max.forward(1, x, (&mut y[..]).into(), None).is_err());
        assert_eq!(max.forward(0, x, ValuesMut::new(&mut [], halo), None), Ok(()));
    }
    let input = output.with_halo(1);
    let sparse = SparseConv::new(&conv, input, &epilogue, isa).unwrap();
    let direct = DirectConv::new(&conv, input, isa).unwrap();
    let winograd = WinogradConv::new(&conv, input, isa).unwrap();
    let max = BlockedMaxPool::new(&pool, output, isa).unwrap();
    for n in ABSURD {
        assert_eq!(epilogue.codes_len(n), n.saturating_mul(32));
        assert_eq!(max.codes_len(n), n.saturating_mul(32));
        for input_gradient in [false, true] {
            let error = SparseLists::new(&sparse, n, input_gradient).unwrap_err();
            assert_eq!(error, KernelError::TooManyImages { what: "lists of gradients", images: n });
        }
        assert!(sparse.count(n, &[]).is_err() && sparse.pays(0, n));
        assert!(winograd.scratch_len(n) < 1 << 30);
        let (packed, mut scratch) = (vec![0.0; direct.packed_len()], vec![0.0; direct.scratch_len()]);
        assert!(direct.forward(n, &[], &packed, &mut scratch, &mut |_, _, _| ()).is_err());
        // The batch's number of an image may be anything: it is only what is drawn from.
        let dropping = Epilogue::new(output, true, None, Some(0.5), 0, isa).unwrap();
        let key = DropoutKey { seed: 1, step: 1, layer: 1 };
        let mut y = [0.0; 128];
        dropping.forward(&mut [0.0; 128], None, &mut y, None, 0, Some((key, n))).unwrap();
        taper_kernels::blocked::dropout(key, 0.5, output, n, 1, &mut y, isa).unwrap();
    }
}

/// Tables of 32-bit places end before the numbers do.
#[test]
fn sparse_tables_have_a_limit() {
    let (isa, conv) = (Isa::current(), Conv2d::new(1, 1));
    let sparse = |image: [usize; 2], halo: usize, pool: &MaxPool2d| {
        let output = Blocked::new([1, image[0], image[1]], 0);
        let epilogue = Epilogue::new(output, true, Some(pool), None, 0, isa).unwrap();
        SparseConv::new(&conv, output.with_halo(halo), &epilogue, isa)
    };
    assert!(sparse([64, 64], 0, &MaxPool2d::new(2)).is_some());
    // 2³¹ places in the image, most of them its halo.
    assert!(sparse([64, 64], (1 << 13) - 32, &MaxPool2d::new(2)).is_none());
    // 225 taps of 300×300 windows.
    assert!(
        sparse([300, 300], 0, &MaxPool2d { stride: [1; 2], padding: [7; 2], ..MaxPool2d::new(15) }).is_none()
    );
}
