//! What charts and pictures look like, with numbers of all kinds.

use base64::Engine as _;
use taper_graph::Preset;
use taper_report::plot::{LineChart, Plot, Scale, Series, Style};
use taper_report::{Curves, Explanation, Maps, OverlaidRun, Overlay, Report, ReportParts};

use crate::large::soon;
use crate::markup::{decode, elements, words};
use crate::report::{curves, full, page, sample};
use crate::{mnist, scores};

fn chart(values: &[f64]) -> LineChart {
    let mut chart = LineChart::new("accuracy", "Accuracy", "step", "accuracy");
    let points = values.iter().enumerate().map(|(at, &value)| [at as f64 + 1.0, value]);
    chart.series.push(Series::line("training", points.collect()));
    chart
}

/// The texts of a plot, with their places.
pub(crate) fn texts(svg: &str) -> Vec<(f32, f32, String)> {
    let texts = svg.split("<text ").skip(1).map(|rest| {
        let (tag, rest) = rest.split_once('>').unwrap();
        let place = |name: &str| {
            let value = tag.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0;
            value.parse::<f32>().unwrap()
        };
        (place("x"), place("y"), rest.split_once('<').unwrap().0.to_owned())
    });
    texts.collect()
}

/// The labels at the left, or those at the bottom.
fn labels(plot: &Plot, left: bool) -> Vec<String> {
    let texts = texts(&plot.svg()).into_iter();
    let at_axis = |&(x, y, _): &(f32, f32, String)| match left {
        true => (30.0..76.0).contains(&x) && y > 50.0,
        false => x > 60.0 && (270.0..300.0).contains(&y),
    };
    texts.filter(at_axis).map(|(.., text)| text).collect()
}

#[test]
fn the_lowest_value_of_a_damaged_file_is_no_end_of_an_axis() {
    let lowest =
        [f64::NEG_INFINITY, f64::INFINITY, f64::NAN, -9e306, 1e308, -1e30, 5.0, 0.5, 0.0, -1.0, 1e-12];
    for (lowest, percent, scale) in lowest
        .into_iter()
        .flat_map(|l| [(l, false, Scale::Linear), (l, true, Scale::Linear), (l, false, Scale::Log)])
    {
        let plot = soon(move || {
            let mut chart = chart(&[0.2, 0.9, 0.95]);
            (chart.percent, chart.scale, chart.lowest) = (percent, scale, Some(lowest));
            chart.draw().unwrap()
        });
        let labels = labels(&plot, true);
        assert!((2..20).contains(&labels.len()), "{lowest}, {percent}, {scale:?}: {labels:?}");
    }
}

#[test]
fn a_history_without_sense_costs_its_own_charts_only() {
    let page = soon(|| {
        let mut parts = ReportParts::default();
        parts.curves = curves();
        parts.curves.epochs[1].accuracy = f64::NEG_INFINITY;
        parts.curves.steps.iter_mut().for_each(|step| step.loss = f64::NAN);
        parts.curves.epochs.iter_mut().for_each(|epoch| epoch.loss = f64::INFINITY);
        Report::new(&Preset::LeNet5.graph().unwrap(), mnist(), parts).render().unwrap()
    });
    let words = words(&page);
    assert!(!words.contains("Loss, step by step") && words.contains("Accuracy, step by step"), "{words}");
    // One step without a value leaves its epoch a mean.
    let mut parts = ReportParts::default();
    parts.curves = curves();
    parts.curves.steps[3].loss = f64::NAN;
    let page = self::page(parts);
    assert!(!page.contains("NaN"));
    // An overlay leaves out the charts too.
    let page = soon(|| {
        let mut odd = curves();
        odd.steps.iter_mut().for_each(|step| (step.loss, step.accuracy) = (f64::NAN, f64::NEG_INFINITY));
        odd.epochs[0].accuracy = f64::NEG_INFINITY;
        overlay(vec![("odd".to_owned(), odd)]).render().unwrap()
    });
    assert_eq!(page.matches("<svg").count(), 2);
}

fn overlay(runs: Vec<(String, Curves)>) -> Overlay {
    let mut overlay = Overlay::default();
    overlay.runs = runs.into_iter().map(|(name, curves)| OverlaidRun { name, curves }).collect();
    overlay
}

#[test]
fn percentages_are_from_0_to_100() {
    for values in [[0.0, 0.0], [1.0, 1.0], [0.97, 0.97], [0.2, 1.0], [0.0, 0.001], [1.0, 7.0]] {
        for lowest in [None, Some(0.0), Some(0.95), Some(1.0)] {
            let mut chart = chart(&values);
            (chart.percent, chart.lowest) = (true, lowest);
            let labels = labels(&chart.draw().unwrap(), true);
            let number = |label: &String| label.strip_suffix(" %").unwrap().parse::<f64>().unwrap();
            let sound = labels.len() > 1 && labels.iter().all(|label| (0.0..=100.0).contains(&number(label)));
            assert!(sound, "{values:?} from {lowest:?}: {labels:?}");
        }
    }
}

#[test]
fn labels_are_whole_between_steps_and_two_at_least_on_a_logarithmic_axis() {
    for count in 1..12 {
        let plot = chart(&vec![0.5; count]).draw().unwrap();
        let labels = labels(&plot, false);
        assert!(!labels.is_empty() && labels.iter().all(|l| l.parse::<u32>().is_ok()), "{count}: {labels:?}");
    }
    for low in [0.9e-4, 1e-4, 1.1e-4, 2.1e-4, 5e-4, 9.9e-4] {
        for ratio in [20.5, 32.0, 60.0, 81.0, 99.0, 100.0, 150.0, 1e6] {
            let mut chart = chart(&[low, low * ratio]);
            chart.scale = Scale::Log;
            let labels = labels(&chart.draw().unwrap(), true);
            assert!(labels.len() >= 2, "{low} times {ratio}: {labels:?}");
        }
    }
}

#[test]
fn what_is_cut_off_is_said() {
    let mut chart = chart(&[0.1, 0.9, 0.95]);
    (chart.percent, chart.lowest) = (true, Some(0.85));
    assert!(chart.draw().unwrap().description().contains("What is below 85 % lies on the lower edge."));
    chart.lowest = Some(0.05);
    assert!(!chart.draw().unwrap().description().contains("below"));
}

#[test]
fn a_legend_has_as_many_rows_as_it_needs_and_only_what_is_drawn() {
    let name = |run| format!("runs/fashion/residual-with-label-smoothing-and-cutout/{run}");
    let page = overlay((0..12).map(|run| (name(run), curves())).collect()).render().unwrap();
    let first = &page[page.find("<svg").unwrap()..page.find("</svg>").unwrap() + 6];
    let rows: Vec<_> = texts(first).into_iter().filter(|(.., text)| text.contains("cutout/")).collect();
    assert_eq!(rows.len(), 12);
    // Above the lines, which begin further down by as much.
    let lowest = rows.iter().map(|row| row.1).fold(0.0, f32::max);
    let lines = elements(first);
    let dots =
        lines.iter().filter(|e| e.name == "circle").map(|e| e.get("cy").unwrap().parse::<f32>().unwrap());
    assert!(lowest > 200.0 && dots.clone().count() == 24 && dots.reduce(f32::min).unwrap() > lowest);

    let mut chart = chart(&[0.5, 0.6]);
    chart.series.push(Series::line("never seen", Vec::new()));
    chart.series.push(Series::line("seen once", vec![[1.0, 0.7]]).with(Style::Line, 2));
    let svg = chart.draw().unwrap().svg();
    assert!(!words(&svg).contains("never seen") && words(&svg).contains("seen once"));
    assert_eq!(elements(&svg).iter().filter(|e| e.name == "circle").count(), 1, "the one point is a dot");
}

#[test]
fn lines_differ_in_more_than_colour() {
    let mut chart = LineChart::new("loss", "Loss", "step", "loss");
    for run in 0..25 {
        let points = vec![[0.0, f64::from(run)], [1.0, f64::from(run)]];
        chart.series.push(Series::line(&run.to_string(), points).with(Style::Line, run as usize));
    }
    let plot = chart.draw().unwrap();
    let svg = plot.svg();
    let all = elements(&svg);
    let looks: std::collections::BTreeSet<_> = all
        .iter()
        .filter(|e| e.name == "polyline" && e.get("stroke-width") == Some("2"))
        .map(|e| (e.get("stroke"), e.get("stroke-dasharray")))
        .collect();
    assert_eq!(looks.len(), 25);
    let dashes: std::collections::BTreeSet<_> = looks.iter().map(|look| look.1).collect();
    assert_eq!(dashes.len(), 5);
    // A PNG has the gaps too: the second line, which lies level.
    let line = all.iter().find(|e| e.get("stroke-dasharray") == Some("7 3")).unwrap();
    let y: f32 = line.get("points").unwrap().split([',', ' ']).nth(1).unwrap().parse().unwrap();
    let (width, _, _, pixels) = decode(&plot.png().unwrap());
    let row = &pixels[3 * width * (2.0 * y) as usize..][..3 * width];
    let white = row[3 * 300..3 * 700].chunks(3).filter(|pixel| *pixel == [255, 255, 255]).count();
    assert!((60..200).contains(&white), "{white} of 400 pixels are white");
    // Nothing is drawn that cannot be seen.
    assert!(!svg.contains("stroke-opacity=\"0.000\"") && all.len() < 150, "{} elements", all.len());
}

/// The pixels of the picture whose description has `words` in it.
fn picture_of(page: &str, words: &str) -> (usize, usize, Vec<u8>) {
    let all = elements(page);
    let image = all.iter().find(|e| e.get("alt").is_some_and(|alt| alt.contains(words))).unwrap();
    let encoded = image.get("src").unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let (width, _, channels, pixels) =
        decode(&base64::engine::general_purpose::STANDARD.decode(encoded).unwrap());
    (width, channels, pixels)
}

#[test]
fn filters_of_three_channels_are_in_colour() {
    let mut parts = ReportParts::default();
    parts.filters = Maps::filters("conv1", [1, 3, 1, 1], vec![2.0, -2.0, 0.0]);
    let page = page(parts);
    assert!(words(&page).contains("1 filters of 3×1×1 weights in conv1, in colour"), "{}", words(&page));
    assert_eq!(picture_of(&page, "weights in conv1"), (1, 4, vec![255, 0, 128, 255]));
    let mut parts = ReportParts::default();
    parts.filters = Maps::filters("conv1", [2, 2, 1, 1], vec![1.0, -1.0, 0.0, 1.0]);
    let page = self::page(parts);
    assert!(words(&page).contains("4 maps of 1×1 weights in conv1, 2 in turn for each filter"));
}

#[test]
fn the_reasons_for_two_classes_are_on_one_scale() {
    let evaluation = scores(10);
    let mut parts = full(&evaluation);
    let map = |strength| Maps::new("layer3.1", [1, 1, 1], vec![strength]).unwrap();
    let explanations =
        vec![Explanation { class: 9, map: map(4.0) }, Explanation { class: 4, map: map(0.04) }];
    parts.mistakes = vec![taper_report::Sample { explanations, ..sample(24, 4, 9) }];
    let page = page(parts);
    let dark = |words| {
        let (width, channels, pixels) = picture_of(&page, words);
        pixels[channels * (width * 60 + 60)..][..channels].iter().all(|&value| value < 20)
    };
    assert!(!dark("speaks for 9") && dark("speaks for 4"));
}

#[test]
fn long_names_of_classes_are_cut_where_they_have_no_room() {
    let evaluation = scores(10);
    let mut parts = full(&evaluation);
    parts.class_names = (0..10).map(|class| format!("{class} of the very longest names of all")).collect();
    let graph = Preset::Tutorial.graph().unwrap();
    let report = Report::new(&graph, mnist(), parts);
    assert!(report.render().unwrap().contains("class=\"confusion turned\""));
    let plots = report.plots().unwrap();
    let plot = plots.iter().find(|plot| plot.name() == "mistakes").unwrap();
    let cut: Vec<String> =
        texts(&plot.svg()).into_iter().map(|(.., text)| text).filter(|t| t.contains('…')).collect();
    assert!(cut.iter().any(|text| text.starts_with("4 of the very")), "{cut:?}");
    assert!(cut.iter().any(|text| text.starts_with("as 9 of the")), "{cut:?}");
    assert!(cut.iter().all(|text| text.chars().count() < 22), "{cut:?}");
}
