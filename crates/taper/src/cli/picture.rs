//! A grey image as lines of characters, two rows of pixels to a line.

/// What an image is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Half blocks in 24 greys, black behind, whatever the terminal's own colours are.
    Greys,
    /// Half blocks in the terminal's own colour, where a pixel is lighter than not.
    Blocks,
    /// Letters and signs, the darker the denser: for files, pipes and terminals that can do no more.
    Ascii,
}

/// Two pixels, one above the other, as one character each, from nothing to full.
const RAMP: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

impl Ink {
    /// `rows` as lines, each as wide as they are. An odd last row has black below.
    pub(super) fn draw(self, rows: &[Vec<u8>]) -> Vec<String> {
        let line = |pair: &[Vec<u8>]| {
            let black = vec![0; pair[0].len()];
            let cells = pair[0].iter().copied().zip(pair.get(1).unwrap_or(&black).iter().copied());
            match self {
                Ink::Greys => greys(cells),
                Ink::Blocks => cells.map(block).collect(),
                Ink::Ascii => cells.map(sign).collect(),
            }
        };
        rows.chunks(2).map(line).collect()
    }

    /// A bar of up to `width` characters for a share from 0 to 1.
    pub(super) fn bar(self, share: f64, width: usize) -> String {
        let full = if self == Ink::Ascii { "#" } else { "█" };
        full.repeat((share * width as f64).round() as usize)
    }
}

/// `rows` in the same proportions, at most `most` pixels wide and high: each pixel is the mean of those in its place.
pub(super) fn shrunk(rows: Vec<Vec<u8>>, most: usize) -> Vec<Vec<u8>> {
    let (height, width) = (rows.len(), rows.first().map_or(0, Vec::len));
    let longest = height.max(width);
    if longest <= most {
        return rows;
    }
    let scaled = |size: usize| (size * most / longest).max(1);
    let part = |at: usize, size: usize| at * size / scaled(size)..(at + 1) * size / scaled(size);
    let pixel = |y: usize, x: usize| {
        let (ys, xs) = (part(y, height), part(x, width));
        let count = ys.len() * xs.len();
        let sum: usize =
            rows[ys].iter().flat_map(|row| &row[xs.clone()]).map(|&value| usize::from(value)).sum();
        (sum / count) as u8
    };
    (0..scaled(height)).map(|y| (0..scaled(width)).map(|x| pixel(y, x)).collect()).collect()
}

fn block((upper, lower): (u8, u8)) -> char {
    match (upper >= 128, lower >= 128) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

fn sign((upper, lower): (u8, u8)) -> char {
    let mean = (usize::from(upper) + usize::from(lower)) / 2;
    RAMP[(mean * (RAMP.len() - 1) + 127) / 255]
}

/// The upper pixels as the colour of upper half blocks, the lower ones as what is behind them.
fn greys(cells: impl Iterator<Item = (u8, u8)>) -> String {
    // Of the 256 colours of a terminal, 232 to 255 are greys, from nearly black to nearly white.
    let grey = |pixel: u8| 232 + (u32::from(pixel) * 23 + 127) / 255;
    let mut line = String::new();
    let mut last = None;
    for (upper, lower) in cells {
        let colours = (grey(upper), grey(lower));
        if last.replace(colours) != Some(colours) {
            line += &format!("\x1b[38;5;{};48;5;{}m", colours.0, colours.1);
        }
        line.push('▀');
    }
    line + "\x1b[0m"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<u8>> {
        vec![vec![0, 255, 255, 0], vec![0, 0, 255, 255], vec![255, 100, 0, 0]]
    }

    #[test]
    fn blocks_show_what_is_light() {
        assert_eq!(Ink::Blocks.draw(&rows()), [" ▀█▄", "▀   "]);
    }

    #[test]
    fn ascii_has_ten_densities() {
        assert_eq!(Ink::Ascii.draw(&rows()), [" =@=", "=:  "]);
    }

    #[test]
    fn greys_set_both_colours_once_and_put_them_back() {
        let lines = Ink::Greys.draw(&[vec![0, 0, 255], vec![0, 0, 128]]);
        assert_eq!(lines, ["\x1b[38;5;232;48;5;232m▀▀\x1b[38;5;255;48;5;244m▀\x1b[0m"]);
    }

    #[test]
    fn large_images_are_shrunk_to_means() {
        assert_eq!(shrunk(rows(), 4), rows());
        assert_eq!(shrunk(vec![vec![0, 100, 50, 70], vec![200, 100, 50, 30]], 2), [[100, 50]]);
        for (height, width, expected) in
            [(64, 64, [40, 40]), (48, 64, [30, 40]), (224, 3, [40, 1]), (41, 40, [40, 39])]
        {
            let shrunk = shrunk(vec![vec![7; width]; height], 40);
            assert_eq!([shrunk.len(), shrunk[0].len()], expected);
            assert!(shrunk.concat().iter().all(|&value| value == 7));
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(
            [Ink::Ascii.bar(0.5, 8), Ink::Blocks.bar(1.0, 2), Ink::Blocks.bar(0.0, 9)],
            ["####", "██", ""]
        );
    }
}
