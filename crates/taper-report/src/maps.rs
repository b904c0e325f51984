//! Plain numbers in rows and columns, to be looked at: feature maps, filters, heat.

use crate::picture::{LARGEST, Picture, Shrink};

/// Maps of numbers, `[K, H, W]`, with what they are called.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    name: String,
    /// K, H and W.
    shape: [usize; 3],
    /// How many of them in turn make one: the input channels of a filter.
    channels: usize,
    data: Vec<f32>,
}

/// Pixels up to which a picture of maps grows.
const ROOM: usize = 150_000;

impl Maps {
    /// Maps `[K, H, W]`. None unless `data` has that many numbers, all of them finite, and there is one at least.
    ///
    /// ```
    /// use taper_report::Maps;
    /// assert!(Maps::new("layer1", [2, 1, 2], vec![0.0, 1.0, 2.0, 3.0]).is_some());
    /// assert!(Maps::new("layer1", [2, 1, 2], vec![f32::NAN; 4]).is_none());
    /// ```
    #[must_use]
    pub fn new(name: &str, shape: [usize; 3], data: Vec<f32>) -> Option<Self> {
        let elements = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))?;
        let fits = elements > 0 && data.len() == elements && data.iter().all(|value| value.is_finite());
        fits.then(|| Self { name: name.to_owned(), shape, channels: 1, data })
    }

    /// The filters of a convolution, `[K, C, H, W]`: those of three channels are shown in colour, and of others each channel is
    /// a map of its own. None as for [`Maps::new`].
    ///
    /// ```
    /// use taper_report::Maps;
    /// assert!(Maps::filters("conv1", [2, 3, 1, 1], vec![0.5; 6]).is_some());
    /// assert!(Maps::filters("conv1", [2, 3, 1, 1], vec![0.5; 2]).is_none());
    /// ```
    #[must_use]
    pub fn filters(name: &str, [count, channels, height, width]: [usize; 4], data: Vec<f32>) -> Option<Self> {
        let maps = Self::new(name, [count.checked_mul(channels)?, height, width], data)?;
        Some(Self { channels, ..maps })
    }

    /// What they are called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many there are, and their height and width.
    pub(crate) fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// How many of them in turn make one.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// The greatest number; 0 if there is none above.
    pub(crate) fn strongest(&self) -> f32 {
        self.data.iter().fold(0.0, |a, &b| b.max(a))
    }

    /// Whether they are shown in colour, three of them at a time.
    pub(crate) fn in_colour(&self) -> bool {
        self.channels == 3
    }

    /// How many tiles a picture of them shows, and how many it would show with more room.
    pub(crate) fn shown(&self) -> [usize; 2] {
        let [count, ..] = self.shape;
        let [width, height] = self.shrink().to;
        let all = if self.in_colour() { count / 3 } else { count };
        [all.min((ROOM / ((height + 1) * (width + 1))).max(1)), all]
    }

    /// The maps side by side in rows, in shades from nothing to the strongest of each map.
    pub(crate) fn picture(&self) -> Picture {
        let [_, height, width] = self.shape;
        let strongest: Vec<f32> =
            self.data.chunks(height * width).map(|map| map.iter().fold(0.0, |a, &b| b.max(a))).collect();
        self.tiles(|map, place| {
            let strongest = strongest[map];
            heat(if strongest > 0.0 { (self.value(map, place) / strongest).max(0.0) } else { 0.0 })
        })
    }

    /// The maps side by side, blue below 0 and red above, by the greatest distance from 0 of all; or in colour, where grey is 0.
    pub(crate) fn signed_picture(&self) -> Picture {
        let greatest = self.data.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let share = |map, place| if greatest > 0.0 { self.value(map, place) / greatest } else { 0.0 };
        match self.in_colour() {
            true => self.tiles(|filter, place| {
                [0, 1, 2].map(|channel| (127.5 * (1.0 + share(3 * filter + channel, place))).round() as u8)
            }),
            false => self.tiles(|map, place| signed(share(map, place))),
        }
    }

    /// How large a tile is.
    fn shrink(&self) -> Shrink {
        let [_, height, width] = self.shape;
        Shrink::of([width, height])
    }

    /// The number of a map at column and row of its tile.
    fn value(&self, map: usize, place: [usize; 2]) -> f32 {
        let [_, height, width] = self.shape;
        self.shrink().mean(place, |at| self.data[map * height * width + at])
    }

    /// Tiles with a gap of one clear pixel, about twice as many in a row as rows.
    fn tiles(&self, shade: impl Fn(usize, [usize; 2]) -> [u8; 3]) -> Picture {
        let [width, height] = self.shrink().to;
        let [count, _] = self.shown();
        let wide = |columns: &usize| columns * columns * width >= 2 * count * height;
        let least = (1..=count).find(wide).unwrap_or(count);
        // Rows that are all full, if that takes not many columns more.
        let columns =
            (least..=least + least / 2).find(|columns| count.is_multiple_of(*columns)).unwrap_or(least);
        let rows = count.div_ceil(columns);
        let step = [width + 1, height + 1];
        Picture::paint([columns * step[0] - 1, rows * step[1] - 1], |x, y| {
            let (tile, [x, y]) = (x / step[0] + columns * (y / step[1]), [x % step[0], y % step[1]]);
            if tile >= count || x == width || y == height {
                return [0; 4];
            }
            let [r, g, b] = shade(tile, [x, y]);
            [r, g, b, 255]
        })
    }

    /// The first map over a picture, enlarged as far as there is room: the picture in grey, the heat of the map in colour, as a
    /// share of `strongest`. The map need not be of the picture's size.
    pub(crate) fn over(&self, picture: &Picture, strongest: f32) -> Picture {
        let [width, height] = picture.size();
        let factor = (LARGEST / width.max(height)).max(1);
        let pixels: Vec<[u8; 4]> = picture.rgba().collect();
        let [_, rows, columns] = self.shape;
        Picture::paint([width * factor, height * factor], |x, y| {
            let [r, g, b, _] = pixels[x / factor + width * (y / factor)];
            let grey = (f32::from(r) + f32::from(g) + f32::from(b)) / 3.0;
            let at = |place: usize, places: usize, cells: usize| {
                (place as f32 + 0.5) / places as f32 * cells as f32 - 0.5
            };
            let value = self.between(at(x, width * factor, columns), at(y, height * factor, rows));
            let share = if strongest > 0.0 { (value / strongest).clamp(0.0, 1.0) } else { 0.0 };
            let opacity = 0.65 * share;
            heat(share).map(|heat| (grey * (1.0 - opacity) + f32::from(heat) * opacity).round() as u8)
        })
    }

    /// The first map at a place between its values, by the values around it.
    fn between(&self, x: f32, y: f32) -> f32 {
        let [_, height, width] = self.shape;
        let corner = |place: f32, size: usize| {
            let place = place.clamp(0.0, (size - 1) as f32);
            let low = place.floor() as usize;
            (low, (low + 1).min(size - 1), place - place.floor())
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (corner(x, width), corner(y, height));
        let row = |y: usize| self.data[y * width + x0] * (1.0 - fx) + self.data[y * width + x1] * fx;
        row(y0) * (1.0 - fy) + row(y1) * fy
    }
}

/// From black over purple and orange to pale yellow: shades that grow brighter evenly, so that they are told apart in
/// print and by the colour-blind. `share` is from 0 to 1.
fn heat(share: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 4.0],
        [81.0, 18.0, 124.0],
        [183.0, 55.0, 121.0],
        [252.0, 137.0, 97.0],
        [252.0, 253.0, 191.0],
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let low = (place.floor() as usize).min(STOPS.len() - 2);
    let part = place - low as f32;
    std::array::from_fn(|c| (STOPS[low][c] * (1.0 - part) + STOPS[low + 1][c] * part).round() as u8)
}

/// White at 0, blue towards −1, red towards 1.
fn signed(value: f32) -> [u8; 3] {
    let end = if value < 0.0 { [31.0, 102.0, 181.0] } else { [179.0, 38.0, 30.0] };
    let part = value.abs().min(1.0);
    end.map(|end: f32| (255.0 * (1.0 - part) + end * part).round() as u8)
}
