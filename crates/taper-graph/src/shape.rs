//! Shapes whose batch dimension stays symbolic.

use std::fmt;

use crate::error::ShapeError;

/// The most elements one tensor may have for one image (or one parameter): 2³¹, 8 GiB of f32.
///
/// A typing slip in a network file (`out_channels = 1000000000`) is refused here, before memory is asked for.
const MAX_ELEMENTS: usize = 1 << 31;

/// One dimension of a [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// The number of images, known only when the network runs.
    Batch,
    /// A size known when the graph is wired.
    Fixed(usize),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Batch => f.write_str("N"),
            Dim::Fixed(size) => write!(f, "{size}"),
        }
    }
}

/// The shape of a value in a graph: the batch, then the sizes of one item, such as `[N, C, H, W]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// The shape of a batch of items with the given sizes: `[C, H, W]` becomes `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`ShapeError::NoDimensions`] if there is no size, [`ShapeError::ZeroDimension`] if one is zero,
    /// [`ShapeError::TooLarge`] if one item would have more than 2³¹ elements.
    ///
    /// ```
    /// use taper_graph::Shape;
    /// assert_eq!(Shape::batch_of(&[1, 28, 28])?.to_string(), "[N, 1, 28, 28]");
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn batch_of(item: &[usize]) -> Result<Self, ShapeError> {
        if item.is_empty() {
            return Err(ShapeError::NoDimensions);
        }
        checked_elements(item)?;
        let dims = std::iter::once(Dim::Batch).chain(item.iter().map(|&size| Dim::Fixed(size)));
        Ok(Self(dims.collect()))
    }

    /// All dimensions, the batch first.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// The number of dimensions, the batch included.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The sizes of one item: `[C, H, W]` of `[N, C, H, W]`.
    pub fn item(&self) -> Vec<usize> {
        self.with_batch(1)[1..].to_vec()
    }

    /// The number of elements of one item.
    pub fn elements(&self) -> usize {
        self.item().iter().product()
    }

    /// The plain sizes for a batch of `n`.
    pub fn with_batch(&self, n: usize) -> Vec<usize> {
        let size = |dim: &Dim| match *dim {
            Dim::Batch => n,
            Dim::Fixed(size) => size,
        };
        self.0.iter().map(size).collect()
    }

    /// `[C, H, W]` of an image shape.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] if this is not `[N, C, H, W]`.
    pub fn image(&self) -> Result<[usize; 3], ShapeError> {
        self.item().try_into().map_err(|_| ShapeError::Rank {
            input: self.clone(),
            expected: "[N, C, H, W]",
            remedy: "wire it before any flatten, and give the network an input of [C, H, W]",
        })
    }

    /// The number of features of a flat shape `[N, F]`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] if this is not `[N, F]`.
    pub fn features(&self) -> Result<usize, ShapeError> {
        match self.0[..] {
            [Dim::Batch, Dim::Fixed(features)] => Ok(features),
            _ => Err(ShapeError::Rank {
                input: self.clone(),
                expected: "[N, F]",
                remedy: "wire a flatten before it",
            }),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

/// The number of elements of a tensor with these sizes, refused when zero or absurd.
pub(crate) fn checked_elements(sizes: &[usize]) -> Result<usize, ShapeError> {
    if sizes.contains(&0) {
        return Err(ShapeError::ZeroDimension { sizes: sizes.to_vec() });
    }
    sizes
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .filter(|&elements| elements <= MAX_ELEMENTS)
        .ok_or_else(|| ShapeError::TooLarge { sizes: sizes.to_vec() })
}
