//! The table that `taper summary` prints.

use std::fmt;

use crate::graph::Graph;

/// A graph as a table of layers: name, op, output shape, parameters and multiply-adds for one image.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a>(&'a Graph);

impl Graph {
    /// The graph as a table, to be printed.
    pub fn summary(&self) -> Summary<'_> {
        Summary(self)
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.0;
        let header = ["Layer", "Op", "Output shape", "Parameters", "Multiply-adds"].map(str::to_owned);
        let input = ["input".to_owned(), String::new(), graph.input_shape().to_string(), blank(0), blank(0)];
        let mut rows = vec![header, input];
        rows.extend(graph.nodes().iter().map(|node| {
            let parameters: usize = node.params.iter().filter(|p| p.trainable).map(|p| p.elements()).sum();
            [
                node.name.clone(),
                node.op.name().to_owned(),
                node.shape.to_string(),
                blank(parameters as u64),
                blank(node.macs),
            ]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [name, op, shape, parameters, macs] = [0, 1, 2, 3, 4].map(width);
        let rule = "─".repeat(name + op + shape + parameters + macs + 8);
        for (number, row) in rows.iter().enumerate() {
            let [a, b, c, d, e] = row;
            let line = format!("{a:name$}  {b:op$}  {c:shape$}  {d:>parameters$}  {e:>macs$}");
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        writeln!(f, "{rule}")?;
        let total = graph.parameter_count();
        writeln!(
            f,
            "{}: {} parameters ({:.1} MB as f32)",
            graph.name(),
            thousands(total as u64),
            total as f64 * 4e-6
        )?;
        write!(f, "{} multiply-adds for one image", thousands(graph.macs()))
    }
}

/// A count, or nothing for 0, so that the layers that cost something stand out.
fn blank(count: u64) -> String {
    if count == 0 { String::new() } else { thousands(count) }
}

/// `1379557` as `1,379,557`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
