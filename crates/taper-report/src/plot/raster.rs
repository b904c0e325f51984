//! A plot as PNG: its items drawn by tiny-skia.

use tiny_skia::{
    Color, FillRule, FilterQuality, LineJoin, Path, PathBuilder, Pixmap, PixmapPaint, Rect, Stroke,
    StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use super::Plot;
use super::font::Font;
use super::items::{Anchor, Item};
use super::palette::{PAPER, Paint};
use crate::error::ReportError;
use crate::picture::{Picture, encode};

/// Pixels of the file for one of the plot, so that it is sharp on a fine screen.
const SCALE: f32 = 2.0;

/// About the most pixels of a file, 64 MB while it is drawn: a network of a thousand layers makes a diagram of any length.
const MOST: f32 = 16e6;

pub(super) fn png(plot: &Plot) -> Result<Vec<u8>, ReportError> {
    let scale = SCALE.min((MOST / (plot.size[0] * plot.size[1])).sqrt());
    let [width, height] = plot.size.map(|side| (side * scale).ceil() as u32);
    let Some(pixmap) = Pixmap::new(width, height) else {
        return Err(ReportError::Picture {
            name: plot.name.clone(),
            cause: format!("{width}×{height} pixels"),
        });
    };
    let mut sheet = Sheet { pixmap, scale };
    let [r, g, b] = PAPER.rgb;
    sheet.pixmap.fill(Color::from_rgba8(r, g, b, 255));
    plot.items.iter().for_each(|item| sheet.draw(item));
    // On white nothing is left of transparency.
    let pixels = sheet.pixmap.pixels().iter();
    let rgb: Vec<u8> = pixels.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    encode([width as usize, height as usize], 3, &rgb)
        .map_err(|cause| ReportError::Picture { name: plot.name.clone(), cause })
}

/// What is drawn on.
struct Sheet {
    pixmap: Pixmap,
    /// Pixels of it for one of the plot.
    scale: f32,
}

impl Sheet {
    fn draw(&mut self, item: &Item) {
        match item {
            Item::Line { points, width, dash, paint } => {
                if let Some(path) = through(points, false) {
                    self.stroke(&path, (*width, dash), *paint);
                }
            }
            Item::Polygon { points, paint } => {
                if let Some(path) = through(points, true) {
                    self.fill(&path, *paint);
                }
            }
            Item::Rect { at: [x, y], size: [width, height], outline, paint } => {
                let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) else { return };
                let path = PathBuilder::from_rect(rect);
                match outline {
                    None => self.fill(&path, *paint),
                    Some(line) => self.stroke(&path, (*line, &[]), *paint),
                }
            }
            Item::Circle { at: [x, y], radius, paint } => {
                if let Some(path) = PathBuilder::from_circle(*x, *y, *radius) {
                    self.fill(&path, *paint);
                }
            }
            Item::Text { text, at, size, anchor, turned, paint } => {
                if let Some(path) = outlines(text, *size, *anchor) {
                    let place = Transform::from_rotate(if *turned { -90.0 } else { 0.0 });
                    let place = place.post_translate(at[0], at[1]);
                    if let Some(path) = path.transform(place) {
                        self.fill(&path, *paint);
                    }
                }
            }
            Item::Picture { picture, at, size } => self.paste(picture, *at, *size),
        }
    }

    fn transform(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    fn fill(&mut self, path: &Path, paint: Paint) {
        let transform = self.transform();
        self.pixmap.fill_path(path, &skia(paint), FillRule::Winding, transform, None);
    }

    fn stroke(&mut self, path: &Path, (width, dash): (f32, &[f32]), paint: Paint) {
        // None without dashes.
        let dash = StrokeDash::new(dash.to_vec(), 0.0);
        let stroke = Stroke { width, dash, line_join: LineJoin::Round, ..Stroke::default() };
        let transform = self.transform();
        self.pixmap.stroke_path(path, &skia(paint), &stroke, transform, None);
    }

    /// Every pixel of the picture becomes a rectangle with hard edges.
    fn paste(&mut self, picture: &Picture, at: [f32; 2], size: [f32; 2]) {
        let [width, height] = picture.size();
        let Some(mut pixels) = Pixmap::new(width as u32, height as u32) else { return };
        for (pixel, [r, g, b, a]) in pixels.pixels_mut().iter_mut().zip(picture.rgba()) {
            *pixel = tiny_skia::ColorU8::from_rgba(r, g, b, a).premultiply();
        }
        let scale = [size[0] / width as f32, size[1] / height as f32];
        let place = Transform::from_scale(scale[0], scale[1])
            .post_translate(at[0], at[1])
            .post_scale(self.scale, self.scale);
        let paint = PixmapPaint { quality: FilterQuality::Nearest, ..PixmapPaint::default() };
        self.pixmap.draw_pixmap(0, 0, pixels.as_ref(), &paint, place, None);
    }
}

fn through(points: &[[f32; 2]], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first[0], first[1]);
    rest.iter().for_each(|[x, y]| builder.line_to(*x, *y));
    if closed {
        builder.close();
    }
    builder.finish()
}

fn skia(paint: Paint) -> tiny_skia::Paint<'static> {
    let [r, g, b] = paint.rgb;
    let mut skia = tiny_skia::Paint::default();
    skia.set_color_rgba8(r, g, b, (paint.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    skia
}

/// The outlines of a text whose place is at 0, 0.
fn outlines(text: &str, size: f32, anchor: Anchor) -> Option<Path> {
    let font = Font::new(size)?;
    let (glyphs, width) = font.lay_out(text);
    let start = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    let mut pen = Pen { builder: PathBuilder::new(), x: 0.0, scale: font.scale() };
    for (glyph, at) in glyphs {
        pen.x = start + at;
        font.face().outline_glyph(glyph, &mut pen);
    }
    pen.builder.finish()
}

/// Takes a glyph's outline, in units of the font and upwards, to pixels and downwards.
struct Pen {
    builder: PathBuilder,
    x: f32,
    scale: f32,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}
