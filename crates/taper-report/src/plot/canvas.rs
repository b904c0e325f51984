//! What plotters draws on: a list of items, from which SVG and PNG are written alike.

use std::convert::Infallible;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use super::font::{self, CAPITALS};
use super::items::{Anchor, Item, line};
use super::palette::Paint;

/// Plotters has whole coordinates; a tenth of a pixel is fine enough for a smooth curve.
pub(crate) const TENTHS: i32 = 10;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Receives what plotters draws, in tenths of a pixel.
pub(crate) struct Canvas<'a> {
    items: &'a mut Vec<Item>,
    size: (u32, u32),
}

/// An area for plotters to draw on, `size` pixels large.
pub(crate) fn area(items: &mut Vec<Item>, size: [f32; 2]) -> DrawingArea<Canvas<'_>, Shift> {
    let [width, height] = size.map(|side| (side * TENTHS as f32) as u32);
    Canvas { items, size: (width, height) }.into_drawing_area()
}

/// A place of plotters in pixels.
pub(crate) fn pixels((x, y): BackendCoord) -> [f32; 2] {
    [x, y].map(|tenths| tenths as f32 / TENTHS as f32)
}

fn paint(color: BackendColor) -> Paint {
    let (r, g, b) = color.rgb;
    Paint { rgb: [r, g, b], alpha: color.alpha as f32 }
}

impl Canvas<'_> {
    fn line<S: BackendStyle>(&mut self, points: Vec<[f32; 2]>, style: &S) -> Drawn {
        let width = style.stroke_width() as f32 / TENTHS as f32;
        self.items.push(line(points, width, paint(style.color())));
        Ok(())
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        let side = 1.0 / TENTHS as f32;
        let (at, paint) = (pixels(point), paint(color));
        self.items.push(Item::Rect { at, size: [side, side], outline: None, paint });
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.line(vec![pixels(from), pixels(to)], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (at, end) = (pixels(upper_left), pixels(bottom_right));
        let outline = (!fill).then(|| style.stroke_width() as f32 / TENTHS as f32);
        let size = [end[0] - at[0], end[1] - at[1]];
        self.items.push(Item::Rect { at, size, outline, paint: paint(style.color()) });
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.line(path.into_iter().map(pixels).collect(), style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _: bool,
    ) -> Drawn {
        let radius = radius as f32 / TENTHS as f32;
        self.items.push(Item::Circle { at: pixels(center), radius, paint: paint(style.color()) });
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points = path.into_iter().map(pixels).collect();
        self.items.push(Item::Polygon { points, paint: paint(style.color()) });
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let size = style.size() as f32 / TENTHS as f32;
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let drop = match style.anchor().v_pos {
            VPos::Top => CAPITALS * size,
            VPos::Center => CAPITALS * size / 2.0,
            VPos::Bottom => 0.0,
        };
        let turned = !matches!(style.transform(), FontTransform::None);
        let [x, y] = pixels(at);
        let at = if turned { [x + drop, y] } else { [x, y + drop] };
        let (text, paint) = (text.to_owned(), paint(style.color()));
        self.items.push(Item::Text { text, at, size, anchor, turned, paint });
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size() as f32;
        Ok((font::width(text, size).ceil() as u32, (CAPITALS * size).ceil() as u32))
    }
}
