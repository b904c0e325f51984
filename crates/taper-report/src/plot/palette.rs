//! The colours of plots, by what they are for.

use plotters::style::RGBAColor;

/// A colour and how opaque it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paint {
    pub(crate) rgb: [u8; 3],
    pub(crate) alpha: f32,
}

/// Colours that a page calls by name, with the value they have in a file. The two kinds of each chart also differ in
/// brightness, and have 4.5 times the contrast to white that text needs.
const NAMED: [(&str, [u8; 3]); 9] = [
    ("ink", INK.rgb),
    ("muted", MUTED.rgb),
    ("rule", RULE.rgb),
    ("paper", PAPER.rgb),
    ("blue", BLUE.rgb),
    ("orange", ORANGE.rgb),
    ("green", GREEN.rgb),
    ("purple", PURPLE.rgb),
    ("red", RED.rgb),
];

/// Text and axes.
pub(crate) const INK: Paint = opaque(0x1b, 0x1f, 0x24);
/// Text of less weight.
pub(crate) const MUTED: Paint = opaque(0x57, 0x60, 0x6a);
/// Lines of a grid.
pub(crate) const RULE: Paint = opaque(0xdc, 0xe0, 0xe5);
/// What lies behind.
pub(crate) const PAPER: Paint = opaque(0xff, 0xff, 0xff);
pub(crate) const BLUE: Paint = opaque(0x1f, 0x66, 0xb5);
pub(crate) const ORANGE: Paint = opaque(0xb8, 0x50, 0x0a);
pub(crate) const GREEN: Paint = opaque(0x2e, 0x7d, 0x32);
pub(crate) const PURPLE: Paint = opaque(0x7b, 0x3f, 0xb5);
pub(crate) const RED: Paint = opaque(0xb3, 0x26, 0x1e);

/// The colours of series, in turn.
const SERIES: [Paint; 5] = [BLUE, ORANGE, GREEN, PURPLE, RED];

/// The dashes of series, in turn: colours alone are told apart neither by all eyes nor in grey print.
const DASHES: [&[f32]; 5] = [&[], &[7.0, 3.0], &[2.0, 3.0], &[9.0, 3.0, 2.0, 3.0], &[14.0, 4.0]];

/// The dashes and gaps of series `number`. When the colours come again, it is with other dashes.
pub(crate) fn dash(number: usize) -> &'static [f32] {
    let number = number % (SERIES.len() * DASHES.len());
    DASHES[(number + number / SERIES.len()) % DASHES.len()]
}

const fn opaque(r: u8, g: u8, b: u8) -> Paint {
    Paint { rgb: [r, g, b], alpha: 1.0 }
}

impl Paint {
    /// The colour of series `number`.
    pub(crate) fn series(number: usize) -> Self {
        SERIES[number % SERIES.len()]
    }

    pub(crate) fn with_alpha(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }

    /// What it looks like on white.
    pub(crate) fn on_paper(self) -> [u8; 3] {
        let mix = |ink: u8| (255.0 - (255.0 - f32::from(ink)) * self.alpha.clamp(0.0, 1.0)).round() as u8;
        self.rgb.map(mix)
    }

    /// What a page calls it.
    pub(crate) fn name(self) -> Option<&'static str> {
        NAMED.iter().find(|(_, rgb)| *rgb == self.rgb).map(|(name, _)| *name)
    }

    /// As plotters has it.
    pub(crate) fn color(self) -> RGBAColor {
        let [r, g, b] = self.rgb;
        RGBAColor(r, g, b, f64::from(self.alpha))
    }
}
