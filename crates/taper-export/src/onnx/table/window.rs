//! Windows that slide over images, which convolution and pooling share.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::Attribute;

pub(super) const AUTO_PAD: Attribute =
    Attribute::choice("auto_pad", &["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
pub(super) const CEIL: Attribute = Attribute::new("ceil_mode", AttributeType::Int);
pub(super) const DILATIONS: Attribute = Attribute::new("dilations", AttributeType::Ints);
pub(super) const KERNEL: Attribute = Attribute::new("kernel_shape", AttributeType::Ints);
pub(super) const PADS: Attribute = Attribute::new("pads", AttributeType::Ints);
pub(super) const STRIDES: Attribute = Attribute::new("strides", AttributeType::Ints);

/// The settings that windows along all axes share, with their defaults filled in.
pub(super) struct Windows {
    pub(super) strides: Vec<i64>,
    /// The places from a window's first to its last element, both included.
    pub(super) spans: Vec<i64>,
    pads: Vec<i64>,
    padding: Padding,
    ceil: bool,
}

/// Who pads the input.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Padding {
    /// The attribute `pads`.
    Given,
    /// Nobody.
    None,
    /// The runtime, so that the output's size is that of the input over the stride.
    Same,
}

impl Windows {
    /// Windows of `kernel`, which has one size for each axis.
    pub(super) fn of(call: &Call<'_>, kernel: &[i64]) -> Result<Self, String> {
        let axes = kernel.len();
        if kernel.iter().any(|&size| size < 1) {
            return Err(format!("its window is {kernel:?}; give sizes from 1"));
        }
        let dilations = list(call, "dilations", axes, 1, 1)?;
        let span = |(&size, &dilation): (&i64, &i64)| (size - 1).checked_mul(dilation)?.checked_add(1);
        let spans: Option<Vec<i64>> = kernel.iter().zip(&dilations).map(span).collect();
        let padding = match call.text("auto_pad").unwrap_or("NOTSET") {
            "NOTSET" => Padding::Given,
            "VALID" => Padding::None,
            _ => Padding::Same,
        };
        let pads = match padding {
            Padding::Given => list(call, "pads", 2 * axes, 0, 0)?,
            _ => vec![0; 2 * axes],
        };
        Ok(Self {
            strides: list(call, "strides", axes, 1, 1)?,
            spans: spans.ok_or_else(|| {
                format!("its window {kernel:?} of dilations {dilations:?} is too large; make it smaller")
            })?,
            pads,
            padding,
            ceil: call.int("ceil_mode") == Some(1),
        })
    }

    pub(super) fn is_same(&self) -> bool {
        self.padding == Padding::Same
    }

    /// What is added before and behind `axis`.
    pub(super) fn pads(&self, axis: usize) -> [Size; 2] {
        [axis, axis + self.spans.len()].map(|place| Size::from(self.pads[place]))
    }

    /// The sizes of the output for the spatial sizes of an input.
    pub(super) fn outputs(&self, call: &Call<'_>, sizes: &[Size]) -> Result<Vec<Size>, String> {
        sizes.iter().enumerate().map(|(axis, size)| self.positions(call, axis, size)).collect()
    }

    /// The number of windows along `axis` of an input of `size`.
    fn positions(&self, call: &Call<'_>, axis: usize, size: &Size) -> Result<Size, String> {
        let stride = self.strides[axis];
        if self.is_same() {
            return Ok(size.over_up(stride));
        }
        let (span, [before, after]) = (Size::from(self.spans[axis]), self.pads(axis));
        let room = size.plus(&before).plus(&after).minus(&span);
        if room.fixed().is_some_and(|room| room < 0) {
            return Err(format!(
                "a window of {span} does not fit into its input of {size} along axis {axis}; make it smaller"
            ));
        }
        if !self.ceil || stride == 1 {
            return Ok(room.over(stride).plus(&Size::from(1)));
        }
        let count = room.over_up(stride).plus(&Size::from(1));
        // A window that would begin behind the input and what is before it is left out.
        let beyond = count.plus(&Size::from(-1)).times(&Size::from(stride)).minus(&size.plus(&before));
        let can_be = after.plus(&Size::from(stride)).minus(&span).fixed().is_none_or(|more| more > 0);
        match beyond.fixed() {
            // onnx counts it before operator set 22, and runtimes do not.
            Some(0..) if call.opset < 22 => Ok(call.unknown(axis + 2)),
            Some(0..) => Ok(count.plus(&Size::from(-1))),
            Some(_) => Ok(count),
            None if can_be || self.padding == Padding::None => Ok(call.unknown(axis + 2)),
            None => Ok(count),
        }
    }
}

/// The `count` numbers of the attribute `name`, none below `least`.
pub(super) fn list(
    call: &Call<'_>,
    name: &str,
    count: usize,
    default: i64,
    least: i64,
) -> Result<Vec<i64>, String> {
    let values = call.ints(name).map_or_else(|| vec![default; count], <[i64]>::to_vec);
    if values.len() != count || values.iter().any(|&value| value < least) {
        return Err(format!("its attribute `{name}` is {values:?}; give {count} numbers from {least}"));
    }
    Ok(values)
}

/// Input 0 as `[N, C, …]` with at least one axis for windows.
pub(super) fn image<'a>(call: &Call<'a>) -> Result<&'a Fact, String> {
    let x = call.input(0)?;
    if x.rank() >= 3 {
        return Ok(x);
    }
    Err(format!("its input is {} and should be [N, C, …]", shape(&x.sizes)))
}
