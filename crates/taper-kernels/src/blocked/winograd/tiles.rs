//! How an output plane is cut into tiles, and where each tile stands among the operands of the products.

use std::ops::Range;

use crate::blocked::Blocked;
use crate::simd::{LANES, Simd};

/// Points of F(4, 3): what a tile of four outputs needs along one axis.
pub(super) const POINTS: usize = 6;
/// Pairs of points.
pub(super) const PAIRS: usize = POINTS * POINTS;
/// Which point only tiles of four have: tiles of three are made of the others.
const LAST: usize = POINTS - 1;
/// Pairs of points fall into four classes, by which of their two points is [`LAST`].
pub(super) const CLASSES: usize = 4;

/// The class of a pair of points: tiles which are not tall have none of classes 2 and 3, tiles which are not wide none
/// of 1 and 3.
pub(super) fn class(pair: usize) -> usize {
    2 * usize::from(pair / POINTS == LAST) + usize::from(pair % POINTS == LAST)
}

/// One axis cut into tiles of four outputs, then of three. A tile of m needs m + 2 points, so that no cut into this
/// number of tiles is cheaper than the exact one; only 1, 2 and 5 outputs have none, and their last tile overhangs.
struct Axis {
    tiles: usize,
    fours: usize,
}

impl Axis {
    fn new(outputs: usize) -> Self {
        let tiles = outputs.div_ceil(4);
        Self { tiles, fours: outputs.saturating_sub(3 * tiles) }
    }

    fn start(&self, tile: usize) -> usize {
        3 * tile + tile.min(self.fours)
    }
}

/// A tile of the output plane.
#[derive(Debug)]
pub(super) struct Tile {
    /// First row.
    pub(super) row: usize,
    /// First column.
    pub(super) column: usize,
    /// Four rows, else three.
    pub(super) tall: bool,
    /// Four columns, else three.
    pub(super) wide: bool,
    /// For each class, how many tiles of its plane before this one have it.
    pub(super) before: [usize; CLASSES],
}

/// All tiles of a plane, row by row.
#[derive(Debug)]
pub(super) struct Tiling {
    pub(super) tiles: Vec<Tile>,
    /// For each class, how many tiles of a plane have it.
    counts: [usize; CLASSES],
}

impl Tiling {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let (vertical, horizontal) = (Axis::new(height), Axis::new(width));
        let (mut tiles, mut counts) = (Vec::with_capacity(vertical.tiles * horizontal.tiles), [0; CLASSES]);
        for down in 0..vertical.tiles {
            for right in 0..horizontal.tiles {
                let (tall, wide) = (down < vertical.fours, right < horizontal.fours);
                let (row, column) = (vertical.start(down), horizontal.start(right));
                tiles.push(Tile { row, column, tall, wide, before: counts });
                let has = [true, wide, tall, tall && wide];
                counts.iter_mut().zip(has).for_each(|(count, has)| *count += usize::from(has));
            }
        }
        Self { tiles, counts }
    }

    /// The tiles of `images` images in chunks of about `most` tiles: whole images, or parts of one.
    pub(super) fn chunks(&self, images: usize, most: usize) -> impl Iterator<Item = Chunk> + '_ {
        let (together, parts) = self.split(images, most);
        let starts = images.div_ceil(together);
        (0..starts).flat_map(move |group| {
            let first = group * images / starts;
            let end = (group + 1) * images / starts;
            (0..parts).map(move |part| self.chunk(first..end, part, parts))
        })
    }

    /// The tiles of the largest chunk.
    pub(super) fn largest(&self, images: usize, most: usize) -> usize {
        let (together, parts) = self.split(images, most);
        let images = images.div_ceil(images.div_ceil(together).max(1));
        if parts == 1 { images * self.tiles.len() } else { self.tiles.len().div_ceil(parts) }
    }

    /// Whether a chunk never is part of an image.
    pub(super) fn whole(&self, most: usize) -> bool {
        self.tiles.len() <= most
    }

    /// Most images of a chunk, and chunks of an image.
    fn split(&self, images: usize, most: usize) -> (usize, usize) {
        let tiles = self.tiles.len().max(1);
        ((most / tiles).clamp(1, images.max(1)), tiles.div_ceil(most.max(1)))
    }

    fn chunk(&self, images: Range<usize>, part: usize, parts: usize) -> Chunk {
        let tiles = part * self.tiles.len() / parts..(part + 1) * self.tiles.len() / parts;
        let base = self.before(tiles.start);
        let end = self.before(tiles.end);
        // With several parts there is one image.
        let counts = std::array::from_fn(|class| images.len() * (end[class] - base[class]));
        Chunk { images, last: part + 1 == parts, tiles, base, each: self.counts, counts }
    }

    fn before(&self, tile: usize) -> [usize; CLASSES] {
        self.tiles.get(tile).map_or(self.counts, |tile| tile.before)
    }
}

/// The tiles that are worked on together: `tiles` of each of `images`.
pub(super) struct Chunk {
    pub(super) images: Range<usize>,
    pub(super) tiles: Range<usize>,
    /// Whether the images end with this chunk.
    pub(super) last: bool,
    base: [usize; CLASSES],
    each: [usize; CLASSES],
    /// For each class, how many tiles of the chunk have it.
    pub(super) counts: [usize; CLASSES],
}

impl Chunk {
    /// For each class, where `tile` of image `image` (counted from the first of the chunk) stands among the tiles of
    /// the chunk that have it.
    #[inline(always)]
    pub(super) fn places(&self, image: usize, tile: &Tile) -> [usize; CLASSES] {
        std::array::from_fn(
            #[inline(always)]
            |class| image * self.each[class] + tile.before[class] - self.base[class],
        )
    }
}

/// Space for the widest window.
pub(super) type Patch = [f32; PAIRS * LANES];

/// Where a window of pixels stands: pixel `[i, j]` starts at `at + i · row + j · 8` of `data`.
pub(super) struct Window<'a> {
    pub(super) data: &'a [f32],
    pub(super) at: usize,
    pub(super) row: usize,
}

/// The `rows`×`columns` pixels from `[top, left]` on of one block of `image`, in place where the image with its halo
/// has them all, else copied into `patch` with zeros around.
///
/// # Safety
/// `image` must have the layout's length, `block` be one of its blocks, and the window fit in `patch`.
#[inline(always)]
pub(super) unsafe fn window<'a, S: Simd>(
    s: S,
    layout: &Blocked,
    image: &'a [f32],
    block: usize,
    [top, left]: [isize; 2],
    [rows, columns]: [usize; 2],
    patch: &'a mut Patch,
) -> Window<'a> {
    let halo = layout.halo as isize;
    let (top, left) = (top + halo, left + halo);
    let sides = [layout.height + 2 * layout.halo, layout.width + 2 * layout.halo];
    let inside =
        |from: isize, len: usize, side: usize| from >= 0 && from + len as isize <= side as isize;
    let plane = block * layout.plane();
    if inside(top, rows, sides[0]) && inside(left, columns, sides[1]) {
        let at = plane + top as usize * layout.row() + left as usize * LANES;
        return Window { data: image, at, row: layout.row() };
    }
    patch.fill(0.0);
    for i in (0..rows).filter(|&i| inside(top + i as isize, 1, sides[0])) {
        for j in (0..columns).filter(|&j| inside(left + j as isize, 1, sides[1])) {
            let from = plane + (top + i as isize) as usize * layout.row() + (left + j as isize) as usize * LANES;
            // SAFETY: the pixel is inside the plane, and the window inside the patch.
            unsafe { s.store(s.load(image, from), patch, (i * POINTS + j) * LANES) };
        }
    }
    Window { data: patch, at: 0, row: POINTS * LANES }
}
