//! The outline of a file, before it is decoded: what it is, and that decoding it will not need many times its size.
//!
//! Imports nothing of ours. Protocol buffers are fields one after the other, each a number, a kind of length, and bytes; a message of
//! two bytes may decode to hundreds, so they are counted first.

/// The most messages of a kind that can be many: nodes, their inputs and attributes, constants, inputs, outputs.
///
/// Each takes up to 300 bytes once decoded; a plain network of a thousand columns has some thousand.
const MESSAGES: usize = 1 << 20;

/// The fields of a message; `None` in the place of what is damaged, after which there is nothing.
struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(Some(bytes))
    }
}

impl<'a> Iterator for Fields<'a> {
    /// The number, and the bytes if it is a text, a message or packed.
    type Item = Option<(u64, Option<&'a [u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0.take()?;
        if bytes.is_empty() {
            return None;
        }
        let field = field(bytes);
        self.0 = field.map(|(.., rest)| rest);
        Some(field.map(|(number, inside, _)| (number, inside)))
    }
}

/// The number of a field, what is inside if it has a length of its own, and what comes behind.
type Field<'a> = (u64, Option<&'a [u8]>, &'a [u8]);

/// The first field.
fn field(bytes: &[u8]) -> Option<Field<'_>> {
    let (key, rest) = varint(bytes)?;
    let fixed = |length: usize| rest.split_at_checked(length).map(|(_, rest)| (key >> 3, None, rest));
    match key & 7 {
        0 => varint(rest).map(|(_, rest)| (key >> 3, None, rest)),
        1 => fixed(8),
        2 => {
            let (length, rest) = varint(rest)?;
            let (inside, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((key >> 3, Some(inside), rest))
        }
        5 => fixed(4),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// `ModelProto.graph`.
const GRAPH: u64 = 7;

/// Whether the outline of these bytes is that of an ONNX file, perhaps a damaged one: fields that a model has, a graph among them.
pub fn looks_like(bytes: &[u8]) -> bool {
    // The version, texts about the producer, the version of the model, text, graph, operators, and what came later.
    const KNOWN: [u64; 13] = [1, 2, 3, 4, 5, 6, GRAPH, 8, 14, 20, 25, 26, 27];
    let mut rest = bytes;
    let mut first = true;
    while let Some((key, inside)) = varint(rest) {
        if !KNOWN.contains(&(key >> 3)) || first && key != 8 && key & 7 != 2 {
            return false;
        }
        if key >> 3 == GRAPH {
            return key & 7 == 2 && !inside.is_empty();
        }
        let Some((.., after)) = field(rest) else { return false };
        (rest, first) = (after, false);
    }
    false
}

/// Refuses a file that is damaged in its outline, has not one graph, or holds more messages than can be decoded safely.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    const DAMAGED: &str = "it is damaged: no protocol buffer";
    let mut graph = None;
    let mut count = 0;
    for field in Fields::new(bytes) {
        let (number, inside) = field.ok_or(DAMAGED)?;
        count += 1;
        if number == GRAPH && graph.replace(inside.ok_or(DAMAGED)?).is_some() {
            return Err("it has two graphs".into());
        }
    }
    let graph = graph.ok_or("it has no graph")?;
    // Nodes, constants, inputs and outputs, and what is in each of them.
    for field in Fields::new(graph) {
        let (number, inside) = field.ok_or(DAMAGED)?;
        count += 1;
        if let (1 | 5 | 11 | 12, Some(inside)) = (number, inside) {
            for inner in Fields::new(inside) {
                let (number, inside) = inner.ok_or(DAMAGED)?;
                // The shape of an input is two messages further down; its bytes bound what it decodes to.
                count += if number == 2 || number == 5 {
                    1 + inside.map_or(0, |inside| inside.len().min(1 << 10) / 64)
                } else {
                    1
                };
            }
        }
        if count > MESSAGES {
            return Err(format!("it has more than {MESSAGES} parts"));
        }
    }
    Ok(())
}
