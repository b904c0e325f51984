//! Just enough of HTML and SVG to see whether a text is well formed, and what is in it.

/// An element with its attributes, in the order of the text.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Elements of HTML that have no end.
const VOID: [&str; 4] = ["br", "img", "meta", "input"];

/// The elements of a text; every one that begins must end, in order.
pub(crate) fn elements(text: &str) -> Vec<Element> {
    let (mut found, mut open): (Vec<Element>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let tag = &rest[start + 1..];
        let end = tag.find('>').expect("a tag that does not end");
        let (inside, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        if inside.starts_with('!') {
            continue;
        }
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}> ends what is not open");
            continue;
        }
        let (inside, closed) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let element = parse(inside);
        if element.name == "style" {
            rest = rest.split_once("</style>").expect("a style that does not end").1;
        } else if !closed && !VOID.contains(&&*element.name) {
            open.push(element.name.clone());
        }
        found.push(element);
    }
    assert!(open.is_empty(), "{open:?} do not end");
    found
}

fn parse(inside: &str) -> Element {
    let (name, mut rest) = inside.split_once([' ', '\n']).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a value that does not end");
        attributes.push((key.trim().to_owned(), value.to_owned()));
        rest = after;
    }
    assert!(rest.trim().is_empty(), "<{inside}> has more than attributes: {rest}");
    Element { name: name.to_owned(), attributes }
}

/// All text between the elements.
pub(crate) fn words(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        words.push_str(before);
        rest = after.split_once('>').unwrap().1;
    }
    words + rest
}

/// The pixels of a PNG file: width, height, bytes a pixel, bytes.
pub(crate) fn decode(png: &[u8]) -> (usize, usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (info.width as usize, info.height as usize);
    pixels.truncate(info.buffer_size());
    let channels = pixels.len() / (width * height);
    (width, height, channels, pixels)
}
