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
/// Kinds of tiles by the number of their rows and columns: 3×4, 4×4, 4×3, 3×3. In this order the tiles which have a
/// pair of points follow each other, whatever the pair.
const KINDS: usize = 4;

/// The kinds of tiles that have a pair of points.
fn kinds(pair: usize) -> Range<usize> {
    match (pair / POINTS == LAST, pair % POINTS == LAST) {
        (false, false) => 0..4,
        (false, true) => 0..2,
        (true, false) => 1..3,
        (true, true) => 1..2,
    }
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
    /// How many tiles of its kind its plane has before this one.
    before: usize,
}

impl Tile {
    fn kind(&self) -> usize {
        match (self.tall, self.wide) {
            (false, true) => 0,
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
        }
    }
}

/// All tiles of a plane, row by row.
#[derive(Debug)]
pub(super) struct Tiling {
    pub(super) tiles: Vec<Tile>,
}

impl Tiling {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let (vertical, horizontal) = (Axis::new(height), Axis::new(width));
        let (mut tiles, mut counts) = (Vec::with_capacity(vertical.tiles * horizontal.tiles), [0; KINDS]);
        for down in 0..vertical.tiles {
            for right in 0..horizontal.tiles {
                let (tall, wide) = (down < vertical.fours, right < horizontal.fours);
                let (row, column) = (vertical.start(down), horizontal.start(right));
                let mut tile = Tile { row, column, tall, wide, before: 0 };
                let count = &mut counts[tile.kind()];
                tile.before = *count;
                *count += 1;
                tiles.push(tile);
            }
        }
        Self { tiles }
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
        let (mut base, mut each) = ([None; KINDS], [0; KINDS]);
        for tile in &self.tiles[tiles.clone()] {
            base[tile.kind()].get_or_insert(tile.before);
            each[tile.kind()] += 1;
        }
        let mut ends = [0; KINDS];
        each.iter().zip(&mut ends).fold(0, |end, (each, to)| {
            *to = end + each * images.len();
            *to
        });
        let base = base.map(|base| base.unwrap_or(0));
        Chunk { images, last: part + 1 == parts, tiles, base, each, ends }
    }
}

/// The tiles that are worked on together: `tiles` of each of `images`, ordered by kind.
pub(super) struct Chunk {
    pub(super) images: Range<usize>,
    pub(super) tiles: Range<usize>,
    /// Whether the images end with this chunk.
    pub(super) last: bool,
    /// For each kind, tiles of a plane before the chunk's first.
    base: [usize; KINDS],
    /// For each kind, tiles of each image.
    each: [usize; KINDS],
    /// For each kind, where its tiles end.
    ends: [usize; KINDS],
}

impl Chunk {
    fn start(&self, kind: usize) -> usize {
        kind.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// Where `tile` of image `image` (counted from the first of the chunk) stands.
    pub(super) fn place(&self, image: usize, tile: &Tile) -> usize {
        let kind = tile.kind();
        self.start(kind) + image * self.each[kind] + tile.before - self.base[kind]
    }

    /// Where the tiles stand that have a pair of points.
    pub(super) fn places(&self, pair: usize) -> Range<usize> {
        let kinds = kinds(pair);
        self.start(kinds.start)..self.ends[kinds.end - 1]
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
    let inside = |from: isize, len: usize, side: usize| from >= 0 && from + len as isize <= side as isize;
    let plane = block * layout.plane();
    if inside(top, rows, sides[0]) && inside(left, columns, sides[1]) {
        let at = plane + top as usize * layout.row() + left as usize * LANES;
        return Window { data: image, at, row: layout.row() };
    }
    patch.fill(0.0);
    for i in (0..rows).filter(|&i| inside(top + i as isize, 1, sides[0])) {
        for j in (0..columns).filter(|&j| inside(left + j as isize, 1, sides[1])) {
            let from =
                plane + (top + i as isize) as usize * layout.row() + (left + j as isize) as usize * LANES;
            // SAFETY: the pixel is inside the plane, and the window inside the patch.
            unsafe { s.store(s.load(image, from), patch, (i * POINTS + j) * LANES) };
        }
    }
    Window { data: patch, at: 0, row: POINTS * LANES }
}
