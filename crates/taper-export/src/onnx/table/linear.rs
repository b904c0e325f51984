//! Matrix products.

use super::super::fact::{Fact, shape};
use super::super::infer::{Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, wide};

pub(super) const OPS: &[Op] = &[
    Op::new("MatMul", &[9, 13], matmul).inputs(2, 2).taking(wide::<13>),
    Op::new("Gemm", &[11, 13], gemm).inputs(2, 3).taking(wide::<13>).with(&[
        Attribute::new("alpha", AttributeType::Float),
        Attribute::new("beta", AttributeType::Float),
        Attribute::new("transA", AttributeType::Int),
        Attribute::new("transB", AttributeType::Int),
    ]),
];

fn matmul(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![Fact::new(call.same_types()?, matrix_product(call.input(0)?, call.input(1)?)?)])
}

/// As NumPy's `matmul`: the last two dimensions are matrices, those before are laid over each other.
pub(super) fn matrix_product(left: &Fact, right: &Fact) -> Result<Vec<Size>, String> {
    let (left, right) = (&left.sizes, &right.sizes);
    if left.is_empty() || right.is_empty() {
        return Err("it multiplies a single number; use Mul".to_owned());
    }
    let inner = if right.len() == 1 { &right[0] } else { &right[right.len() - 2] };
    if left[left.len() - 1].differs(inner) {
        return Err(format!("its inputs {} and {} do not fit", shape(left), shape(right)));
    }
    let outer = |sizes: &[Size]| sizes.len().saturating_sub(2);
    let mut sizes = broadcast(&left[..outer(left)], &right[..outer(right)])?;
    sizes.extend((left.len() > 1).then(|| left[left.len() - 2].clone()));
    sizes.extend((right.len() > 1).then(|| right[right.len() - 1].clone()));
    Ok(sizes)
}

fn gemm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let matrix = |place: usize, flag: &str| {
        let sizes = &call.ranked(place, 2)?.sizes;
        let is_turned = call.int(flag).unwrap_or(0) != 0;
        let (rows, columns) = if is_turned { (1, 0) } else { (0, 1) };
        Ok::<_, String>((&sizes[rows], &sizes[columns]))
    };
    let ((rows, left), (right, columns)) = (matrix(0, "transA")?, matrix(1, "transB")?);
    if left.differs(right) {
        return Err(format!("it multiplies [{rows}, {left}] by [{right}, {columns}]: {left} is not {right}"));
    }
    let sizes = vec![rows.clone(), columns.clone()];
    if let Some(bias) = call.optional(2) {
        let both = broadcast(&sizes, &bias.sizes)?;
        if both.len() != 2 || both.iter().zip(&sizes).any(|(both, own)| both.differs(own)) {
            return Err(format!("its bias is {} for a result of {}", shape(&bias.sizes), shape(&sizes)));
        }
    }
    Ok(vec![Fact::new(data_type, sizes)])
}
