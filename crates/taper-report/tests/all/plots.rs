//! Charts as SVG and PNG.

use taper_report::plot::{LineChart, Plot, Scale, Series, Style, smooth};

use crate::markup::{decode, elements, words};

fn chart(points: Vec<[f64; 2]>) -> LineChart {
    let mut chart = LineChart::new("loss", "Loss <1 & \"more\"", "step", "loss");
    chart.series.push(Series::line("training", points));
    chart
}

/// The points of every line of a plot that has `least` of them.
fn lines(plot: &Plot, least: usize) -> Vec<Vec<[f32; 2]>> {
    let svg = plot.svg();
    let lines = elements(&svg).into_iter().filter(|element| element.name == "polyline").map(|line| {
        let points = line.get("points").unwrap().split(' ').map(|point| {
            let (x, y) = point.split_once(',').unwrap();
            [x.parse().unwrap(), y.parse().unwrap()]
        });
        points.collect::<Vec<[f32; 2]>>()
    });
    lines.filter(|line| line.len() >= least).collect()
}

#[test]
fn a_line_goes_through_its_points() {
    // On a logarithmic scale the same ratio is the same distance, downwards on the page.
    let mut log = chart(vec![[0.0, 1.0], [1.0, 0.1], [3.0, 0.01]]);
    log.scale = Scale::Log;
    let line = &lines(&log.draw().unwrap(), 3)[0];
    assert!((2.0 * (line[1][1] - line[0][1]) - (line[2][1] - line[0][1])).abs() < 0.3, "{line:?}");
    assert!((3.0 * (line[1][0] - line[0][0]) - (line[2][0] - line[0][0])).abs() < 0.4, "{line:?}");
    assert!(line[1][1] > line[0][1], "{line:?}");
    // Between powers of ten there is nothing to be labelled, so that a narrow range is linear whatever was asked for.
    let points = vec![[0.0, 1.0], [1.0, 3.0], [3.0, 5.0]];
    let mut narrow = chart(points.clone());
    narrow.scale = Scale::Log;
    assert_eq!(lines(&narrow.draw().unwrap(), 3), lines(&chart(points).draw().unwrap(), 3));
    let linear = &lines(&chart(vec![[0.0, 1.0], [1.0, 3.0], [3.0, 5.0]]).draw().unwrap(), 3)[0];
    assert!((2.0 * (linear[1][1] - linear[0][1]) - (linear[2][1] - linear[0][1])).abs() < 0.3, "{linear:?}");
}

#[test]
fn what_cannot_be_drawn_is_left_out_or_refused() {
    let gaps = vec![[0.0, 1.0], [1.0, f64::NAN], [2.0, 0.0], [3.0, f64::INFINITY], [4.0, 0.5], [5.0, 0.25]];
    let mut log = chart(gaps);
    log.scale = Scale::Log;
    assert_eq!(lines(&log.draw().unwrap(), 3)[0].len(), 3, "NaN, infinity and 0 have no place on it");
    for points in [Vec::new(), vec![[1.0, f64::NAN]]] {
        let error = chart(points).draw().unwrap_err().to_string();
        assert!(error.contains("`loss`") && error.contains("no series has a finite value"), "{error}");
    }
    for value in [0.0, 3.0] {
        let constant = chart(vec![[1.0, value], [2.0, value], [3.0, value]]).draw().unwrap();
        let line = &lines(&constant, 3)[0];
        assert!(line.iter().all(|point| point[1] == line[0][1]), "{line:?}");
    }
    assert!(chart(vec![[1.0, 2.0]]).draw().is_ok(), "one point is a chart too");
    // Numbers of a damaged file: no end of labels, and none.
    let extremes = [
        vec![[0.0, f64::MAX], [1.0, f64::MIN], [2.0, 1.0], [3.0, 2.0]],
        vec![[0.0, 1.0], [1.0, 1.0 + f64::EPSILON]],
        vec![[1e18, 1.0], [1e18 + 256.0, 1e-300]],
        vec![[0.0, f64::MIN_POSITIVE], [1.0, 5e-324]],
        vec![[0.0, -1e30], [1.0, 1e30]],
    ];
    for (number, points) in extremes.into_iter().enumerate() {
        for scale in [Scale::Linear, Scale::Log] {
            let mut chart = chart(points.clone());
            chart.scale = scale;
            assert!(chart.draw().is_ok_and(|plot| plot.png().is_ok()), "{number}, {scale:?}");
        }
    }
}

#[test]
fn a_long_line_keeps_its_peaks() {
    let mut points: Vec<[f64; 2]> = (0..100_000).map(|step| [f64::from(step), 1.0]).collect();
    points[54_321][1] = 9.0;
    points[12_345][1] = 0.0;
    let plot = chart(points).draw().unwrap();
    let line = &lines(&plot, 100)[0];
    assert!(line.len() <= 1000, "{} points", line.len());
    let heights = line.iter().map(|point| point[1]);
    let (top, bottom) = (heights.clone().reduce(f32::min).unwrap(), heights.reduce(f32::max).unwrap());
    assert!(bottom - top > 180.0, "from {top} to {bottom}");
    assert!(plot.svg().len() < 40_000);
}

#[test]
fn an_svg_is_well_formed_and_says_what_it_shows() {
    let mut chart = chart(vec![[0.0, 1.0], [1000.0, 0.25]]);
    chart.series.push(Series::line("validation", vec![[1000.0, 0.5]]).with(Style::Dots, 1));
    let plot = chart.draw().unwrap();
    let (file, page) = (plot.svg(), plot.inline_svg());
    for svg in [&file, &page] {
        let all = elements(svg);
        assert_eq!(all[0].get("role"), Some("img"));
        assert_eq!((&*all[1].name, &*all[2].name), ("title", "desc"));
        assert!(svg.contains("<title>Loss &lt;1 &amp; &quot;more&quot;</title>"), "{svg}");
        let words = words(svg);
        for word in ["step", "loss", "training", "validation", "1,000", "from 1 to 0.25"] {
            assert!(words.contains(word), "{word}: {words}");
        }
        assert_eq!(all.iter().filter(|element| element.name == "circle").count(), 1);
    }
    // In a page all colours are the page's; in a file there are no variables, and the ground is white.
    assert!(!page.contains("=\"#") && page.contains("var(--plot-blue)"), "{page}");
    assert!(!file.contains("var(") && file.contains("fill=\"#ffffff\""), "{file}");
}

#[test]
fn a_png_shows_the_same() {
    let mut chart = chart(vec![[0.0, 0.0], [1.0, 1.0]]);
    chart.title = String::new();
    chart.series.push(Series::line("other", vec![[0.0, 0.0]]).with(Style::Line, 1));
    let plot = chart.draw().unwrap();
    let (width, height, channels, pixels) = decode(&plot.png().unwrap());
    assert_eq!((width, height, channels), (880, 620, 3));
    let pixel = |[x, y]: [f32; 2]| {
        let at = 3 * ((y * 2.0) as usize * width + (x * 2.0) as usize);
        [pixels[at], pixels[at + 1], pixels[at + 2]]
    };
    // The rules of the grid have two points too; the line climbs.
    let line =
        lines(&plot, 2).into_iter().find(|line| line[0][0] != line[1][0] && line[0][1] > line[1][1] + 50.0);
    let line = line.unwrap();
    for share in [0.25, 0.5, 0.75] {
        let at = [0, 1].map(|axis| line[0][axis] + share * (line[1][axis] - line[0][axis]));
        assert_eq!(pixel(at), [0x1f, 0x66, 0xb5], "at {at:?}");
        assert_eq!(pixel([at[0], at[1] - 6.0]), [255, 255, 255], "above {at:?}");
    }
    // The legend's text is drawn: dark pixels right of the sample of the line.
    let dark = (35..90)
        .flat_map(|x| (28..44).map(move |y| [x as f32, y as f32]))
        .filter(|&at| pixel(at)[0] < 90)
        .count();
    assert!(dark > 40, "only {dark} dark pixels in the legend");
    assert_eq!(plot.png().unwrap(), plot.png().unwrap());
}

#[test]
fn smoothing_keeps_means_and_bears_all_lengths() {
    assert_eq!(smooth(&[], 3), [[0.0; 2]; 0]);
    assert_eq!(smooth(&[[7.0, 2.0]], usize::MAX), [[7.0, 2.0]]);
    let values = |count: i32| (0..count).map(|at| [f64::from(at), if at % 2 == 0 { 0.0 } else { 2.0 }]);
    let mut points: Vec<[f64; 2]> = values(50).collect();
    points[20][1] = f64::NAN;
    points[25][1] = f64::INFINITY;
    let smoothed = smooth(&points, 5);
    assert_eq!(smoothed.len(), 50);
    assert!(smoothed[10..40].iter().all(|[_, value]| (value - 1.0).abs() < 0.3), "{smoothed:?}");
    // A long row has as many points as can be told apart, each the mean of all its neighbours.
    let points: Vec<[f64; 2]> = values(100_001).collect();
    let smoothed = smooth(&points, 1000);
    assert!(smoothed.len() <= 502 && smoothed.last().unwrap()[0] == 100_000.0, "{}", smoothed.len());
    assert!(smoothed.iter().all(|[_, value]| (value - 1.0).abs() < 0.01), "{smoothed:?}");
}
