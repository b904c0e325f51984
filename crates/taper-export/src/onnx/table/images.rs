//! Images rearranged and sampled.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, any, floats};

const BLOCK: Attribute = Attribute::required("blocksize", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("DepthToSpace", &[11, 13], depth_to_space)
        .with(&[BLOCK, Attribute::choice("mode", &["DCR", "CRD"])]),
    Op::new("GridSample", &[16, 20, 22], grid_sample).inputs(2, 2).taking(any::<22>).with(&[
        Attribute::new("align_corners", AttributeType::Int),
        // The longer words before operator set 20, the shorter ones since.
        Attribute::choice("mode", &["linear", "nearest", "cubic", "bilinear", "bicubic"]),
        Attribute::choice("padding_mode", &["zeros", "border", "reflection"]),
    ]),
    Op::new("SpaceToDepth", &[1, 13], space_to_depth).with(&[BLOCK]),
];

/// `[N, C, H, W]` and the size of a block.
fn blocks<'a>(call: &Call<'a>) -> Result<(&'a [Size], i64), String> {
    let sizes = &call.ranked(0, 4)?.sizes;
    match call.int("blocksize").unwrap_or(0) {
        block @ 1.. => Ok((sizes, block)),
        other => Err(format!("its attribute `blocksize` is {other}; give a number from 1")),
    }
}

/// `size` over `divisor`, which a size known by name is taken to have.
fn share(size: &Size, divisor: &Size) -> Result<Size, String> {
    match (size.exactly_over(divisor), size.fixed(), divisor.fixed()) {
        (Some(share), _, _) => Ok(share),
        (None, None, Some(divisor)) => Ok(size.over(divisor)),
        _ => Err(format!("{size} is not divisible by {divisor}, which its blocks need")),
    }
}

/// `[N, C, H, W]` to `[N, C/b², H*b, W*b]`.
fn depth_to_space(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (sizes, block) = blocks(call)?;
    let block = Size::from(block);
    let channels = share(&sizes[1], &block.times(&block))?;
    let sizes = vec![sizes[0].clone(), channels, sizes[2].times(&block), sizes[3].times(&block)];
    Ok(vec![Fact::new(call.input(0)?.data_type, sizes)])
}

/// `[N, C, H, W]` to `[N, C*b², H/b, W/b]`.
fn space_to_depth(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (sizes, block) = blocks(call)?;
    let block = Size::from(block);
    let channels = sizes[1].times(&block).times(&block);
    let sizes = vec![sizes[0].clone(), channels, share(&sizes[2], &block)?, share(&sizes[3], &block)?];
    Ok(vec![Fact::new(call.input(0)?.data_type, sizes)])
}

/// `[N, C, …]` at the places `[N, …, rank - 2]`; images only, before operator set 20.
fn grid_sample(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, floats::<22>)?;
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let rank = x.rank();
    let fits = (rank == 4 || (rank > 2 && call.opset >= 20))
        && grid.rank() == rank
        && !grid.sizes[0].differs(&x.sizes[0])
        && !grid.sizes[rank - 1].differs(&Size::from(rank - 2));
    if !fits {
        return Err(format!(
            "its grid {} does not fit its input {}; give one place for each element",
            shape(&grid.sizes),
            shape(&x.sizes)
        ));
    }
    Ok(vec![Fact::new(x.data_type, [&x.sizes[..2], &grid.sizes[1..rank - 1]].concat())])
}
