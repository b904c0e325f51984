//! The window formula against PyTorch's table, a brute-force count, and numbers made to overflow.

use proptest::prelude::*;
use taper_graph::{Window, WindowError};

use crate::support::assert_none_failed;

#[test]
fn every_size_is_pytorchs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/windows.json");
    let table: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let columns = ["kind", "input", "kernel", "stride", "padding", "dilation", "ceil_mode", "output"];
    assert_eq!(table["columns"], serde_json::json!(columns));
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() > 1500, "only {} rows", rows.len());
    let failure = |row: &serde_json::Value| {
        let number = |column: usize| row[column].as_u64().map(|number| number as usize);
        let [input, kernel, stride, padding, dilation] = [1, 2, 3, 4, 5].map(|c| number(c).unwrap());
        let window = Window { kernel, stride, padding, dilation, ceil_mode: row[6].as_bool().unwrap() };
        let found = match row[0].as_str().unwrap() {
            "conv" => window.output(input),
            _ => window.pooled(input),
        };
        assert!(number(7).is_some() || row[7] == "error", "{row}");
        (found.as_ref().ok().copied() != number(7)).then(|| format!("{row}: found {found:?}"))
    };
    let failures: Vec<String> = rows.iter().filter_map(failure).collect();
    assert_none_failed(&failures, rows.len());
}

/// The starts of all windows, from the definition: one every stride from the left edge of the padding, as long as the
/// window ends inside the padded input. In ceil mode it may hang over by less than one stride, but not start in the
/// padding on the right; PyTorch does not look where the first one starts.
fn starts(window: &Window, input: usize) -> Vec<isize> {
    let Window { kernel, stride, padding, dilation, ceil_mode } = *window;
    let taps = |start: isize| (0..kernel).map(move |tap| start + (tap * dilation) as isize);
    let end = (input + padding) as isize;
    let is_window = |start: &isize| {
        let overhang = taps(*start).map(|tap| (tap + 1 - end).max(0)).max().unwrap_or(0);
        match ceil_mode {
            false => overhang == 0,
            true => overhang < stride as isize && *start < input as isize,
        }
    };
    (-(padding as isize)..end).step_by(stride).filter(is_window).collect()
}

fn windows() -> impl Strategy<Value = Window> {
    let numbers = (1..9usize, 1..7usize, 0..6usize, 1..5usize, any::<bool>());
    numbers.prop_map(|(kernel, stride, padding, dilation, ceil_mode)| Window {
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode,
    })
}

/// Numbers small, large, and at the edges of every integer that could be in play.
fn any_number() -> impl Strategy<Value = usize> {
    let edges = [0, 1, 2, 1 << 29, (1 << 29) + 1, 1 << 31, 1 << 32, 1 << 62, isize::MAX as usize, usize::MAX];
    prop_oneof![
        0..100usize,
        any::<usize>(),
        (0..edges.len(), -1..2isize).prop_map(move |(edge, by)| edges[edge].wrapping_add_signed(by)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_formula_counts_the_windows(window in windows(), input in 1..40usize) {
        let starts = starts(&window, input);
        match window.output(input) {
            Ok(output) => prop_assert_eq!(output, starts.len()),
            Err(WindowError::KernelTooLarge { .. }) => prop_assert!(starts.is_empty(), "{:?}", starts),
            Err(other) => prop_assert!(false, "{}", other),
        }
        for (position, start) in starts.iter().enumerate() {
            prop_assert_eq!(window.start(position), *start);
        }
    }

    #[test]
    fn pooling_differs_only_in_its_limit_on_padding(window in windows(), input in 1..40usize) {
        if 2 * window.padding <= window.kernel {
            prop_assert_eq!(window.pooled(input).ok(), window.output(input).ok());
        } else {
            let error = WindowError::PaddingTooLarge { padding: window.padding, kernel: window.kernel };
            prop_assert_eq!(window.pooled(input), Err(error));
        }
    }

    #[test]
    fn inside_and_element_find_every_tap_on_the_input(window in windows(), input in 1..40usize) {
        let starts = starts(&window, input);
        for tap in 0..window.kernel {
            let place = |start: isize| start + (tap * window.dilation) as isize;
            let expected: Vec<(usize, usize)> = starts
                .iter()
                .enumerate()
                .filter(|(_, start)| (0..input as isize).contains(&place(**start)))
                .map(|(position, start)| (position, place(*start) as usize))
                .collect();
            let found = window.inside(tap, input, starts.len()).map(|p| (p, window.element(p, tap)));
            prop_assert_eq!(found.collect::<Vec<_>>(), expected.clone(), "tap {}", tap);
            for position in 0..starts.len() {
                let on_input = expected.iter().any(|(p, _)| *p == position);
                prop_assert_eq!(window.taps(position, input).contains(&tap), on_input);
            }
        }
    }

    #[test]
    fn no_number_overflows(
        numbers in prop::array::uniform5(any_number()), ceil_mode: bool,
    ) {
        let [kernel, stride, padding, dilation, input] = numbers;
        let window = Window { kernel, stride, padding, dilation, ceil_mode };
        let _ = window.pooled(input);
        if let Ok(output) = window.output(input) {
            prop_assert!(output >= 1 && output <= input + 2 * padding);
            // Nor do the first and last window of one that was accepted.
            for (position, tap) in [(0, 0), (0, kernel - 1), (output - 1, 0), (output - 1, kernel - 1)] {
                let inside = window.inside(tap, input, output);
                let place = window.start(position) + (tap * dilation) as isize;
                prop_assert_eq!(inside.contains(&position), (0..input as isize).contains(&place));
                if inside.contains(&position) {
                    prop_assert_eq!(window.element(position, tap) as isize, place);
                }
            }
        }
    }

    #[test]
    fn what_the_message_advises_fits(window in windows(), input in 1..40usize, pooling: bool) {
        let size = |window: Window, input| if pooling { window.pooled(input) } else { window.output(input) };
        let Err(WindowError::KernelTooLarge { remedies, .. }) = size(window, input) else { return Ok(()) };
        prop_assert!(!remedies.is_empty());
        for remedy in remedies {
            let number = || remedy.rsplit(' ').next().and_then(|word| word.parse::<usize>().ok());
            let mended = match (&remedy[..6], number()) {
                ("a kern", Some(kernel)) => size(Window { kernel, ..window }, input),
                ("dilati", Some(dilation)) => size(Window { dilation, ..window }, input),
                ("paddin", Some(padding)) => size(Window { padding, ..window }, input),
                ("a larg", None) => size(window, input + window.kernel * window.dilation),
                other => panic!("{other:?}"),
            };
            prop_assert!(mended.is_ok(), "`{}`: {:?}", remedy, mended);
        }
    }
}

#[test]
fn a_zero_or_huge_number_is_named() {
    let window = Window::new(3);
    let rows = [
        (Window { kernel: 0, ..window }, 5, "kernel is 0; use at least 1"),
        (Window { stride: 0, ..window }, 5, "stride is 0; use at least 1"),
        (Window { dilation: 0, ..window }, 5, "dilation is 0; use at least 1"),
        (window, 0, "the input has size 0; an image needs at least one row and one column"),
        (Window { kernel: usize::MAX, ..window }, 5, "kernel is 18446744073709551615, which is too large"),
        (Window { stride: usize::MAX, ..window }, 5, "stride is 18446744073709551615, which is too large"),
        (Window { padding: usize::MAX, ..window }, 5, "padding is 18446744073709551615, which is too large"),
        (
            Window { dilation: usize::MAX, ..window },
            5,
            "dilation is 18446744073709551615, which is too large",
        ),
        (window, usize::MAX, "the input's size is 18446744073709551615, which is too large"),
    ];
    for (window, input, message) in rows {
        let error = window.output(input).unwrap_err().to_string();
        assert!(error.starts_with(message), "{window:?} on {input}: {error}");
    }
}
