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

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = include_str!("../report/page.css");

    /// The colours of the page, by the names of its variables: in the light, or in the dark.
    fn page(is_dark: bool) -> impl Fn(&str) -> [u8; 3] {
        let (light, rest) = STYLE.split_once("@media").expect("a part for the dark");
        let part = if is_dark { rest.split("* {").next().unwrap_or_default() } else { light };
        move |name| {
            let (_, value) = part.split_once(&format!(" --{name}: #")).expect(name);
            let digits = value.split(';').next().unwrap_or_default();
            let times = if digits.len() == 3 { 2 } else { 1 };
            let digits: String = digits.chars().flat_map(|digit| std::iter::repeat_n(digit, times)).collect();
            [0, 2, 4].map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect(name))
        }
    }

    /// WCAG 2.2, "contrast ratio" and "relative luminance".
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let luminance = |rgb: [u8; 3]| {
            let [r, g, b] = rgb.map(|byte| match f64::from(byte) / 255.0 {
                low if low <= 0.04045 => low / 12.92,
                high => ((high + 0.055) / 1.055).powf(2.4),
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let [one, other] = [one, other].map(|rgb| luminance(rgb) + 0.05);
        one.max(other) / one.min(other)
    }

    /// What reading needs (1.4.3).
    const LEAST: f64 = 4.5;

    #[test]
    fn black_on_white_has_the_contrast_that_wcag_gives_it() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([0x76; 3], [255; 3]) - 4.54).abs() < 0.01);
    }

    #[test]
    fn what_is_written_in_plots_and_pages_can_be_read() {
        let mut faint = Vec::new();
        let mut check = |what: String, ink, ground| {
            if contrast(ink, ground) < LEAST {
                faint.push(format!("{what}: {:.2}", contrast(ink, ground)));
            }
        };
        let inks = || NAMED.iter().filter(|(name, _)| !matches!(*name, "rule" | "paper"));
        for &(name, rgb) in inks() {
            check(format!("{name} in a file"), rgb, PAPER.rgb);
        }
        for is_dark in [false, true] {
            let of = page(is_dark);
            for ground in ["paper", "card"] {
                for ink in ["ink", "muted", "bad", "plot-blue"] {
                    check(format!("{ink} on {ground}, dark: {is_dark}"), of(ink), of(ground));
                }
            }
            for (name, _) in inks() {
                check(
                    format!("{name} in a plot, dark: {is_dark}"),
                    of(&format!("plot-{name}")),
                    of("plot-paper"),
                );
            }
        }
        assert!(faint.is_empty(), "{faint:#?}");
    }

    #[test]
    fn a_plot_has_the_same_colours_in_a_file_and_in_a_light_page() {
        let of = page(false);
        for (name, rgb) in NAMED {
            assert_eq!(of(&format!("plot-{name}")), rgb, "{name}");
        }
    }

    #[test]
    fn digits_can_be_read_on_every_shade_of_a_cell() {
        for is_dark in [false, true] {
            let of = page(is_dark);
            let paper = of("plot-paper");
            for color in ["plot-blue", "plot-red"] {
                for (ink, shades) in [("ink", [0.0, 0.25, 0.5]), ("plot-paper", [0.9, 0.95, 1.0])] {
                    for shade in shades {
                        let mix = |at: usize| {
                            let (full, none) = (f64::from(of(color)[at]), f64::from(paper[at]));
                            (none + shade * (full - none)).round() as u8
                        };
                        let found = contrast(of(ink), [0, 1, 2].map(mix));
                        assert!(found >= LEAST, "{ink} on {color} {shade}, dark: {is_dark}: {found:.2}");
                    }
                }
            }
        }
    }
}
