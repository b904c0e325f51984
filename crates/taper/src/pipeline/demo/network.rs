//! What the page has to know of a network, read from its ONNX file.

use std::collections::BTreeMap;

use taper_data::Preparation;
use taper_demo::{Answer, Drawing, Element, Input, Layout, Network, Output};
use taper_export::Normalization;
use taper_export::onnx::{DataType, Dim, Inspection, NodeInfo, ValueInfo};

/// What the page has to know, or why it cannot use the file.
pub(super) fn network(file: &Inspection) -> Result<Network, String> {
    let [input] = &file.inputs[..] else {
        return Err(format!("it has {} inputs; give one that takes images alone", file.inputs.len()));
    };
    let [output] = &file.outputs[..] else {
        return Err(format!(
            "it has {} outputs; give one that answers with logits alone",
            file.outputs.len()
        ));
    };
    let text =
        |name: &str| file.metadata.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
    let input = input_of(input, range(text("normalization"))?)?;
    let count = classes_of(output)?;
    let named: Option<Vec<String>> = text("class_names").and_then(|text| serde_json::from_str(text).ok());
    let classes = named
        .filter(|names| names.len() == count)
        .unwrap_or_else(|| (0..count).map(|class| class.to_string()).collect());
    let answer = if is_softmax(file, &output.name) { Answer::Probabilities } else { Answer::Logits };
    Ok(Network {
        name: file.graph.clone(),
        drawing: drawing(text("dataset"), text("dataset_source"), input.channels),
        input,
        output: Output { name: output.name.clone(), answer },
        classes,
        dataset: text("dataset").map(str::to_owned),
        accuracy: text("accuracy")
            .and_then(|text| text.parse().ok())
            .filter(|accuracy| (0.0..=1.0).contains(accuracy)),
    })
}

/// How a drawing is prepared: as `taper predict` prepares a picture of it. Of a file that does not say what it was trained on,
/// handwriting is the best guess, unless it wants colour.
fn drawing(dataset: Option<&str>, source: Option<&str>, channels: usize) -> Drawing {
    match Preparation::of(dataset.unwrap_or_default(), source.unwrap_or_default()) {
        Preparation::Handwriting if channels == 1 => Drawing::Handwriting,
        _ => Drawing::Picture,
    }
}

/// What bytes from 0 to 255 became in training. Without a word about it they went from 0 to 1; but a word that is not
/// understood must not be passed over: the network would see other pixels than it knows, and answer all the same.
fn range(text: Option<&str>) -> Result<[f32; 2], String> {
    let Some(text) = text else { return Ok(Normalization::default().range) };
    match serde_json::from_str::<Normalization>(text) {
        Ok(Normalization { range }) if range.iter().all(|end| end.is_finite()) => Ok(range),
        _ => Err(format!(
            "its metadata `normalization` is {text:.80}, not {{\"range\":[low,high]}} with two finite numbers; correct it, or \
             leave it out for pixels from 0 to 1"
        )),
    }
}

fn input_of(value: &ValueInfo, [low, high]: [f32; 2]) -> Result<Input, String> {
    let refused = || {
        format!("its input is {value}; give one of [N, C, H, W] or [N, H, W, C], with one or three channels")
    };
    let Some([count, Dim::Fixed(a), Dim::Fixed(b), Dim::Fixed(c)]) = value.dims.as_deref() else {
        return Err(refused());
    };
    if !matches!(count, Dim::Symbolic(_) | Dim::Fixed(1)) {
        return Err(format!("its input is {value}; give one that takes a single image"));
    }
    let (layout, [channels, height, width]) = match (*a, *c) {
        (1 | 3, _) => (Layout::Nchw, [*a, *b, *c]),
        (_, 1 | 3) => (Layout::Nhwc, [*c, *a, *b]),
        _ => return Err(refused()),
    };
    let element = match value.data_type {
        Some(DataType::Float16) => Element::Float16 { low, high },
        Some(DataType::Float32) => Element::Float32 { low, high },
        Some(DataType::UInt8) => Element::UInt8,
        _ => return Err(format!("its input is {value}; give one of float32, float16 or uint8")),
    };
    Ok(Input { name: value.name.clone(), element, layout, channels, height, width })
}

/// The number of classes of an output.
fn classes_of(value: &ValueInfo) -> Result<usize, String> {
    match (value.data_type, value.dims.as_deref()) {
        // Before a name is made for each: the file may declare any number.
        (Some(DataType::Float32 | DataType::Float16), Some([_, Dim::Fixed(classes)])) => {
            match (2..=Network::MOST_CLASSES).contains(classes) {
                true => Ok(*classes),
                false => Err(format!(
                    "it tells {classes} classes apart; give one with 2 to {}",
                    Network::MOST_CLASSES
                )),
            }
        }
        (Some(DataType::Int64), Some([_])) => {
            Err("it answers with the class alone; export it without --argmax, or with --softmax".to_owned())
        }
        _ => Err(format!("its output is {value}; give one of float32 or float16 [N, classes]")),
    }
}

/// Whether a value comes from a softmax, whatever its numbers or order of dimensions became since.
fn is_softmax<'a>(file: &'a Inspection, value: &'a str) -> bool {
    const PASSING: [&str; 5] = ["Cast", "Identity", "Transpose", "QuantizeLinear", "DequantizeLinear"];
    let makes = |node: &'a NodeInfo| node.outputs.iter().map(move |made| (made.name.as_str(), node));
    let makers: BTreeMap<&str, &NodeInfo> = file.nodes.iter().flat_map(makes).collect();
    let mut value = value;
    // A file may be hostile: its nodes need not come to an end.
    for _ in 0..=file.nodes.len() {
        match makers.get(value) {
            Some(node) if node.op == "Softmax" => return true,
            Some(node) if PASSING.contains(&node.op.as_str()) => match node.inputs.first() {
                Some(input) => value = input,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use taper_export::onnx::{GraphBuilder, Node, OpsetVersion, inspect};

    use super::*;

    const FLOAT: DataType = DataType::Float32;

    fn fixed<const N: usize>(dims: [usize; N]) -> Vec<Dim> {
        dims.map(|dim| if dim == 0 { Dim::Symbolic("N".to_owned()) } else { Dim::Fixed(dim) }).to_vec()
    }

    /// A file with this input and these nodes, one behind the other.
    fn file(data_type: DataType, dims: &[Dim], nodes: &[Node], metadata: &[(&str, &str)]) -> Inspection {
        let mut builder = GraphBuilder::new("net", OpsetVersion::default());
        let mut value = builder.input("x", data_type, dims).unwrap();
        for node in nodes {
            value = builder.node(node.clone().input(&value)).unwrap();
        }
        builder.output(&value, "y").unwrap();
        let metadata = metadata.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        inspect(&builder.finish(metadata).unwrap().to_bytes()).unwrap()
    }

    fn flatten() -> Node {
        Node::new("Flatten", "flatten").int("axis", 1)
    }

    #[test]
    fn inputs_of_every_kind_are_told_apart() {
        let low_high = [("normalization", r#"{"range":[-1.0,2.0]}"#)];
        let float = |low, high| Element::Float32 { low, high };
        let cast = Node::new("Cast", "cast").int("to", i64::from(FLOAT.code()));
        for (data_type, dims, metadata, element, layout, size) in [
            (FLOAT, [0, 1, 4, 3], &[][..], float(0.0, 1.0), Layout::Nchw, [1, 4, 3]),
            (FLOAT, [1, 3, 4, 5], &low_high[..], float(-1.0, 2.0), Layout::Nchw, [3, 4, 5]),
            (FLOAT, [0, 4, 5, 3], &[], float(0.0, 1.0), Layout::Nhwc, [3, 4, 5]),
            (DataType::UInt8, [0, 4, 5, 1], &low_high, Element::UInt8, Layout::Nhwc, [1, 4, 5]),
            (DataType::UInt8, [0, 1, 1, 3], &[], Element::UInt8, Layout::Nchw, [1, 1, 3]),
            (
                DataType::Float16,
                [0, 1, 2, 2],
                &[],
                Element::Float16 { low: 0.0, high: 1.0 },
                Layout::Nchw,
                [1, 2, 2],
            ),
        ] {
            let found =
                network(&file(data_type, &fixed(dims), &[cast.clone(), flatten()], metadata)).unwrap();
            let [channels, height, width] = size;
            let input = Input { name: "x".to_owned(), element, layout, channels, height, width };
            assert_eq!(found.input, input, "{dims:?}");
            assert_eq!(found.output, Output { name: "y".to_owned(), answer: Answer::Logits });
            assert_eq!(found.classes.len(), channels * height * width, "{dims:?}");
            let drawing = if channels == 1 { Drawing::Handwriting } else { Drawing::Picture };
            assert_eq!(found.drawing, drawing, "{dims:?}");
        }
    }

    #[test]
    fn drawings_for_other_data_than_handwriting_are_not_made_like_digits() {
        for (name, source, drawing) in [
            ("mnist", "idx", Drawing::Handwriting),
            ("emnist-letters", "idx", Drawing::Handwriting),
            ("custom", "idx", Drawing::Handwriting),
            ("fashion-mnist", "idx", Drawing::Picture),
            ("kmnist", "hub:tanganke/kmnist@main", Drawing::Picture),
            ("photos", "folder:28x28", Drawing::Picture),
        ] {
            let texts = [("dataset", name), ("dataset_source", source)];
            let found = network(&file(FLOAT, &fixed([0, 1, 1, 2]), &[flatten()], &texts)).unwrap();
            assert_eq!(found.drawing, drawing, "{name}");
        }
    }

    #[test]
    fn metadata_are_used_where_they_fit_and_passed_over_elsewhere() {
        let texts = [("class_names", r#"["a","b"]"#), ("dataset", "letters"), ("accuracy", "0.75")];
        let softmax = Node::new("Softmax", "softmax").int("axis", 1);
        let identity = Node::new("Identity", "identity");
        let found =
            network(&file(FLOAT, &fixed([0, 1, 1, 2]), &[flatten(), softmax, identity], &texts)).unwrap();
        assert_eq!((found.name.as_str(), found.classes), ("net", vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((found.dataset.as_deref(), found.accuracy), (Some("letters"), Some(0.75)));
        assert_eq!(found.output.answer, Answer::Probabilities);

        for accuracy in ["good", "75", "-0.5", "NaN"] {
            let wrong = [("class_names", "cat"), ("accuracy", accuracy)];
            let found = network(&file(FLOAT, &fixed([0, 1, 1, 3]), &[flatten()], &wrong)).unwrap();
            assert_eq!(found.classes, ["0", "1", "2"]);
            assert_eq!((found.dataset, found.accuracy), (None, None), "{accuracy}");
            assert_eq!(found.input.element, Element::Float32 { low: 0.0, high: 1.0 });
        }
    }

    #[test]
    fn a_range_that_is_not_understood_is_refused() {
        for text in ["[0, 1]", "", r#"{"range":[0.0]}"#, r#"{"range":[0.0,1e300]}"#, r#"{"mean":0.5}"#] {
            let wrong = [("normalization", text)];
            let error = network(&file(FLOAT, &fixed([0, 1, 1, 3]), &[flatten()], &wrong)).unwrap_err();
            assert!(error.contains("`normalization`") && error.contains("range"), "{text}: {error}");
        }
    }

    #[test]
    fn as_many_classes_as_a_file_may_declare_take_no_memory() {
        for (classes, is_taken) in
            [(1, false), (2, true), (10_000, true), (10_001, false), (usize::MAX, false)]
        {
            let dims = Some(fixed([0, classes]));
            let mut declared = file(FLOAT, &fixed([0, 1, 1, 3]), &[flatten()], &[]);
            declared.outputs[0].dims = dims;
            let found = network(&declared);
            assert_eq!(found.is_ok(), is_taken, "{classes}");
            if let Err(error) = found {
                assert!(error.contains(&format!("{classes} classes")), "{error}");
            }
        }
    }

    #[test]
    fn what_cannot_be_drawn_for_is_refused_with_the_reason() {
        let arg_max = Node::new("ArgMax", "argmax").int("axis", 1).int("keepdims", 0);
        let named = Dim::Symbolic("H".to_owned());
        for (data_type, dims, nodes, mentions) in [
            (FLOAT, fixed([0, 784]), vec![flatten()], "[N, 784]"),
            (FLOAT, fixed([0, 4, 5, 6]), vec![flatten()], "one or three channels"),
            (FLOAT, fixed([8, 1, 5, 6]), vec![flatten()], "a single image"),
            (
                FLOAT,
                vec![Dim::Fixed(1), Dim::Fixed(1), named.clone(), named],
                vec![flatten()],
                "[1, 1, H, H]",
            ),
            (DataType::Int32, fixed([0, 1, 5, 6]), vec![flatten()], "float32, float16 or uint8"),
            (FLOAT, fixed([0, 1, 5, 6]), vec![], "[N, classes]"),
            (FLOAT, fixed([0, 1, 5, 6]), vec![flatten(), arg_max], "--argmax"),
        ] {
            let error = network(&file(data_type, &dims, &nodes, &[])).unwrap_err();
            assert!(error.contains(mentions), "{dims:?}: {error}");
        }
    }
}
