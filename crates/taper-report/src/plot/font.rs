//! The font of PNG files, and the widths of texts: a bare machine has no fonts.

use ttf_parser::{Face, GlyphId};

/// Roboto, the characters of Western languages only; `fonts/README.md` says where from.
static FONT: &[u8] = include_bytes!("../../fonts/Roboto-Regular-subset.ttf");

/// How high capital letters are, as a share of the font's size.
pub(crate) const CAPITALS: f32 = 0.711;

/// How much wider a browser's own font may be.
pub(crate) const WIDER: f32 = 1.12;

/// A font at a size.
pub(crate) struct Font {
    face: Face<'static>,
    /// Pixels for one unit of the font.
    scale: f32,
}

impl Font {
    /// The font at a height of `size` pixels; None if it is not a font, which a test rules out.
    pub(crate) fn new(size: f32) -> Option<Self> {
        let face = Face::parse(FONT, 0).ok()?;
        let scale = size / f32::from(face.units_per_em());
        Some(Self { face, scale })
    }

    /// Pixels for one unit of the font.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    pub(crate) fn face(&self) -> &Face<'static> {
        &self.face
    }

    /// The glyphs of a text with their distance from its start in pixels, and its width.
    pub(crate) fn lay_out(&self, text: &str) -> (Vec<(GlyphId, f32)>, f32) {
        let mut x = 0.0;
        let glyphs = text.chars().map(|c| {
            let (at, glyph) = (x, self.face.glyph_index(c));
            // What the font lacks is drawn as its empty box, and has the room of the widest: a browser has another font for it.
            let advance = match glyph {
                Some(glyph) => self.face.glyph_hor_advance(glyph).unwrap_or(0),
                None => self.face.units_per_em(),
            };
            x += f32::from(advance) * self.scale;
            (glyph.unwrap_or(GlyphId(0)), at)
        });
        let glyphs = glyphs.collect();
        (glyphs, x)
    }
}

/// Whether the font has every character of a text.
pub(crate) fn has(text: &str) -> bool {
    Font::new(1.0).is_some_and(|font| text.chars().all(|c| font.face.glyph_index(c).is_some()))
}

/// The width of a text in pixels.
pub(crate) fn width(text: &str, size: f32) -> f32 {
    Font::new(size).map_or(0.0, |font| font.lay_out(text).1)
}

/// As much of a text as fits into `room` pixels: its end, which tells layers and folders from their neighbours.
pub(crate) fn end_of(text: &str, size: f32, room: f32) -> String {
    let cuts = text.char_indices().map(|(start, _)| match start {
        0 => text.to_owned(),
        _ => format!("…{}", &text[start..]),
    });
    fitting(cuts, size, room)
}

/// As much of a text as fits into `room` pixels: its beginning.
pub(crate) fn start_of(text: &str, size: f32, room: f32) -> String {
    let shorter = text.char_indices().rev().map(|(end, _)| format!("{}…", &text[..end]));
    fitting(std::iter::once(text.to_owned()).chain(shorter), size, room)
}

fn fitting(mut cuts: impl Iterator<Item = String>, size: f32, room: f32) -> String {
    cuts.find(|cut| width(cut, size) <= room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_font_lacks_is_known_and_has_room() {
        assert!(has("T-shirt/top, élève, 3×3 …") && !has("お") && !has("a\n"));
        assert!((width("お", 10.0) - 10.0).abs() < 1e-3 && width("i", 10.0) < 3.0);
    }
}
