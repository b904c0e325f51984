//! From a digit's form to the pen's path on the page: smooth, jittered, bent and slanted.

use super::glyphs::{FORMS, Point};
use super::style::Style;
use crate::rng::Rng;

/// A piece of the pen's path: from `a` to `b`, with a round nib of the given radius, all in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) a: Point,
    pub(super) b: Point,
    pub(super) radius: f32,
}

/// Steps into which the curve between two given points is cut: each is then under a pixel long.
const STEPS: usize = 8;

/// The page's side in pixels, and its centre (of mass) as MNIST has it: pixel 14 of 0…27.
const CENTRE: f32 = 14.0;

/// Side of the grid of random displacements that bends the page.
const GRID: usize = 4;

/// Writes `digit` once, the way `style` and `rng` have it.
pub(super) fn write(digit: usize, style: &Style, rng: &mut Rng) -> Vec<Segment> {
    let forms = FORMS[digit];
    let form = forms[rng.below(forms.len() as u64) as usize];
    let bend = Bend::new(style.bend, rng);
    let strokes: Vec<Vec<Point>> = form
        .iter()
        .map(|stroke| {
            let shaky = jitter(stroke, style.jitter, rng);
            let path = smooth(&shaky);
            path.into_iter().map(|point| style.affine(bend.apply(point))).collect()
        })
        .collect();
    place(&strokes, style, rng)
}

/// Moves each point a little; a corner's two points move as one.
fn jitter(stroke: &[Point], amount: f32, rng: &mut Rng) -> Vec<Point> {
    let mut moved: Vec<Point> = Vec::with_capacity(stroke.len());
    for (index, &(x, y)) in stroke.iter().enumerate() {
        if index > 0 && stroke[index - 1] == (x, y) {
            moved.push(moved[index - 1]);
        } else {
            moved.push((x + amount * rng.bell(), y + amount * rng.bell()));
        }
    }
    moved
}

/// A Catmull–Rom spline through the points.
fn smooth(points: &[Point]) -> Vec<Point> {
    let at = |index: usize| points[index.min(points.len() - 1)];
    let mut path = Vec::with_capacity(points.len() * STEPS);
    for index in 0..points.len().saturating_sub(1) {
        let (p0, p1, p2, p3) = (at(index.saturating_sub(1)), at(index), at(index + 1), at(index + 2));
        if p1 == p2 {
            continue;
        }
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            path.push((spline(p0.0, p1.0, p2.0, p3.0, t), spline(p0.1, p1.1, p2.1, p3.1, t)));
        }
    }
    path.extend(points.last());
    path
}

fn spline(p0: f32, p1: f32, p2: f32, p3: f32, t: f32) -> f32 {
    let linear = p2 - p0;
    let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
    let cube = 3.0 * (p1 - p2) + p3 - p0;
    p1 + 0.5 * t * (linear + t * (square + t * cube))
}

/// A smooth random displacement of the page, after the elastic distortions of Simard, Steinkraus and Platt
/// (2003), here on a coarse grid with smooth interpolation instead of a Gaussian filter.
struct Bend([[Point; GRID]; GRID]);

impl Bend {
    fn new(amount: f32, rng: &mut Rng) -> Self {
        let mut grid = [[(0.0, 0.0); GRID]; GRID];
        for node in grid.iter_mut().flatten() {
            *node = (amount * rng.bell(), amount * rng.bell());
        }
        Self(grid)
    }

    fn apply(&self, (x, y): Point) -> Point {
        let ((column, u), (row, v)) = (cell(x), cell(y));
        let mix = |part: fn(Point) -> f32| {
            let node = |r: usize, c: usize| part(self.0[r][c]);
            let top = node(row, column) * (1.0 - u) + node(row, column + 1) * u;
            let bottom = node(row + 1, column) * (1.0 - u) + node(row + 1, column + 1) * u;
            top * (1.0 - v) + bottom * v
        };
        (x + mix(|point| point.0), y + mix(|point| point.1))
    }
}

/// The grid cell of a coordinate, and how far into it (eased, so that the bend has no creases).
fn cell(coordinate: f32) -> (usize, f32) {
    let scaled = coordinate.clamp(0.0, 1.0) * (GRID - 1) as f32;
    let cell = (scaled as usize).min(GRID - 2);
    let t = scaled - cell as f32;
    (cell, t * t * (3.0 - 2.0 * t))
}

/// Scales the strokes to the style's size and puts their centre of mass where the style has it.
fn place(strokes: &[Vec<Point>], style: &Style, rng: &mut Rng) -> Vec<Segment> {
    let mut low = (f32::MAX, f32::MAX);
    let mut high = (f32::MIN, f32::MIN);
    for &(x, y) in strokes.iter().flatten() {
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    let longest = (high.0 - low.0).max(high.1 - low.1).max(0.1);
    let scale = (style.size - 2.0 * style.radius) / longest;
    let mut segments = Vec::new();
    let (mut mass, mut centre) = (0.0, (0.0, 0.0));
    for stroke in strokes {
        // The pen presses more at one end than at the other.
        let (start, end) = (style.pressure(rng), style.pressure(rng));
        for (index, pair) in stroke.windows(2).enumerate() {
            let t = index as f32 / stroke.len() as f32;
            let a = (pair[0].0 * scale, pair[0].1 * scale);
            let b = (pair[1].0 * scale, pair[1].1 * scale);
            let radius = style.radius * (start + (end - start) * t);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let weight = (dx * dx + dy * dy).sqrt() * radius;
            mass += weight;
            centre = (centre.0 + weight * 0.5 * (a.0 + b.0), centre.1 + weight * 0.5 * (a.1 + b.1));
            segments.push(Segment { a, b, radius });
        }
    }
    let shift = (
        CENTRE + style.shift.0 - centre.0 / mass.max(f32::MIN_POSITIVE),
        CENTRE + style.shift.1 - centre.1 / mass.max(f32::MIN_POSITIVE),
    );
    for segment in &mut segments {
        segment.a = (segment.a.0 + shift.0, segment.a.1 + shift.1);
        segment.b = (segment.b.0 + shift.0, segment.b.1 + shift.1);
    }
    segments
}
