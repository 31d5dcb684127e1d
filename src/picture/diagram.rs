//! The picture of a network: a column of nodes for the inputs and for each layer, an edge for each weight.
//!
//! An edge's colour is its weight's sign, its width and opacity the weight's size beside the largest of its layer, the
//! layer's biases among them; the largest is written below. What does not fit is folded and counted: of a wide column
//! the first and last nodes are drawn, of a deep network the first and last layers. So a picture has at most
//! [`COLUMNS`] columns of [`NODES`] nodes, however large the network.
//!
//! Imports the sheet and the library's errors. Begin with [`Diagram::svg`].

use crate::error::{Error, Result};

use super::svg::{self, Escaped, Number, QUIET, Svg, TEXT, TITLE, TOLD, counted, figure, shorten};

/// Nodes drawn of a column that has more: so many first ones, so many last ones.
const FIRST_NODES: usize = 8;
const LAST_NODES: usize = 5;
/// The widest column drawn whole.
const NODES: usize = 16;

/// Columns drawn of a network that has more, likewise.
const FIRST_COLUMNS: usize = 6;
const LAST_COLUMNS: usize = 5;
/// The deepest network drawn whole, inputs included.
const COLUMNS: usize = 12;

const MARGIN: f64 = 24.0;
const RADIUS: f64 = 10.0;
const BIAS_RADIUS: f64 = 7.0;
/// From one node of a column to the next.
const PITCH: f64 = 34.0;
/// A folded column's mark is as high as this many nodes.
const MARK: f64 = 2.0;
/// From a node's rim to its label.
const LABEL_GAP: f64 = 8.0;
/// Room for an input's or an output's name.
const LABEL: f64 = 190.0;
/// Room for a column's caption.
const CAPTION: f64 = 170.0;
/// Where the highest node may begin.
const TOP: f64 = 124.0;

/// The inputs, or the outputs of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// What it is: `inputs`, `hidden`, `outputs`.
    pub name: &'a str,
    /// The activation its outputs went through.
    pub activation: Option<&'a str>,
    /// How many nodes it has.
    pub nodes: usize,
    /// The nodes' names, none or one for each. Those of the first column stand left of it, those of the last right of
    /// it; any other's, and the whole of a shortened name, show when the pointer rests on the node.
    pub labels: &'a [String],
}

/// The weights between two neighbouring columns.
#[derive(Clone, Copy, Debug)]
pub struct Edges<'a, T> {
    /// A row for each node they come from, a column for each they lead to.
    pub weights: &'a [T],
    /// One for each node they lead to, drawn as edges from a small node of their own.
    pub biases: Option<&'a [T]>,
}

/// A network.
#[derive(Clone, Debug)]
pub struct Diagram<'a, T> {
    /// What stands above.
    pub title: &'a str,
    /// The inputs and each layer's outputs.
    pub columns: Vec<Column<'a>>,
    /// What lies between them: one fewer.
    pub edges: Vec<Edges<'a, T>>,
}

/// A column's place on the sheet.
struct Placed {
    /// Its place in the network.
    index: usize,
    x: f64,
    /// The nodes drawn, by number, and how high each lies.
    nodes: Vec<(usize, f64)>,
    /// How many are not drawn, and how high their mark lies.
    folded: Option<(usize, f64)>,
    /// How high the node lies that the next column's biases come from.
    bias: Option<f64>,
}

/// One weight, or bias, on the sheet.
struct Edge {
    from: (f64, f64),
    to: (f64, f64),
    value: f64,
    /// Its size as a share of the layer's largest.
    share: f64,
    tooltip: String,
}

impl<T: Copy + Into<f64>> Diagram<'_, T> {
    /// The picture as the text of an SVG file.
    ///
    /// **Errors.** [`Error::Shape`] unless every slice has the size its columns ask for.
    pub fn svg(&self) -> Result<String> {
        self.check()?;
        let shown = folded(self.columns.len(), COLUMNS, FIRST_COLUMNS, LAST_COLUMNS);
        let height = shown.iter().map(|&index| self.slots(index)).fold(3.0, f64::max) * PITCH;
        let (placed, width) = self.place(&shown, height);
        let biases = placed.iter().any(|column| column.bias.is_some());
        let bottom = TOP + height + if biases { PITCH } else { 0.0 };

        let mut svg = Svg::new(width, bottom + 92.0, self.title);
        svg.text(MARGIN, 32.0, "title", &shorten(self.title, (width - 2.0 * MARGIN) * TEXT / (1.1 * TITLE)));
        svg.text(MARGIN, 52.0, "quiet", &self.summary(width - 2.0 * MARGIN));
        let mut undefined = false;
        for pair in placed.windows(2) {
            let [from, to] = pair else { continue };
            if from.index + 1 == to.index {
                undefined |= self.draw_edges(&mut svg, from, to, bottom);
            }
        }
        for column in &placed {
            self.draw_column(&mut svg, column);
        }
        for pair in placed.windows(2) {
            let [from, to] = pair else { continue };
            if from.index + 1 < to.index {
                let (x, y) = ((from.x + to.x) / 2.0, TOP + height / 2.0);
                for step in [-8.0, 0.0, 8.0] {
                    dot(&mut svg, x + step, y - 10.0);
                }
                svg.text(x, y + 12.0, "quiet middle", &counted(to.index - from.index - 1, "more layer"));
            }
        }
        legend(&mut svg, bottom + 66.0, biases, undefined);
        Ok(svg.finish())
    }

    fn check(&self) -> Result<()> {
        if self.columns.len() != self.edges.len() + 1 {
            let expected = format!("one more than the {} layers of weights", self.edges.len());
            return Err(Error::shape("columns of a network's picture", expected, self.columns.len()));
        }
        for (layer, edges) in self.edges.iter().enumerate() {
            let (inputs, outputs) = (self.columns[layer].nodes, self.columns[layer + 1].nodes);
            if inputs.checked_mul(outputs) != Some(edges.weights.len()) {
                let expected = format!("{inputs} x {outputs}");
                return Err(Error::shape(format!("weights of layer {}", layer + 1), expected, edges.weights.len()));
            }
            if let Some(biases) = edges.biases.filter(|biases| biases.len() != outputs) {
                return Err(Error::shape(format!("biases of layer {}", layer + 1), outputs, biases.len()));
            }
        }
        match self.columns.iter().find(|column| !column.labels.is_empty() && column.labels.len() != column.nodes) {
            None => Ok(()),
            Some(column) => Err(Error::shape(
                format!("names of the nodes of '{}'", shorten(column.name, LABEL)),
                format!("none or {}", column.nodes),
                column.labels.len(),
            )),
        }
    }

    /// The sizes of the columns and the number of parameters.
    fn summary(&self, room: f64) -> String {
        let shown = folded(self.columns.len(), COLUMNS, FIRST_COLUMNS, LAST_COLUMNS);
        let mut sizes = String::new();
        for (place, &index) in shown.iter().enumerate() {
            let gap = place > 0 && shown[place - 1] + 1 < index;
            sizes += ["", "-"][usize::from(place > 0)];
            sizes += ["", "\u{2026}-"][usize::from(gap)];
            sizes += &self.columns[index].nodes.to_string();
        }
        let weights: usize = self.edges.iter().map(|edges| edges.weights.len()).sum();
        let biases: usize = self.edges.iter().filter_map(|edges| edges.biases).map(<[T]>::len).sum();
        let mut text = format!("{sizes}: {}", counted(weights, "weight"));
        if biases > 0 {
            let noun = if biases == 1 { "bias" } else { "biases" };
            text += &format!(", {} {noun}", svg::count(biases));
        }
        shorten(&text, room)
    }

    /// Whether the next column is drawn and has biases.
    fn has_bias(&self, index: usize) -> bool {
        let next_is_drawn = self.columns.len() <= COLUMNS || index + 1 != FIRST_COLUMNS;
        next_is_drawn && self.edges.get(index).is_some_and(|edges| edges.biases.is_some())
    }

    /// How high a column is, in nodes; its bias, which hangs below, left out.
    fn slots(&self, index: usize) -> f64 {
        let nodes = self.columns[index].nodes;
        if nodes > NODES { (FIRST_NODES + LAST_NODES) as f64 + MARK } else { nodes as f64 }
    }

    /// The columns' places, and the sheet's width.
    fn place(&self, shown: &[usize], height: f64) -> (Vec<Placed>, f64) {
        let captions: Vec<f64> = shown.iter().map(|&index| self.caption_width(index)).collect();
        // Wide enough that edges do not become too steep to follow.
        let gap = (height * 0.6).clamp(190.0, 300.0);
        let mut xs = vec![0.0];
        for place in 1..shown.len() {
            let captions = (captions[place - 1] + captions[place]) / 2.0 + 16.0;
            xs.push(xs[place - 1] + captions.max(gap));
        }
        let beside = |index: Option<&usize>| {
            let labels = index.map_or(0.0, |&index| self.label_width(index));
            let caption = index.map_or(0.0, |&index| self.caption_width(index) / 2.0);
            caption.max(RADIUS + LABEL_GAP + labels) + MARGIN
        };
        let (left, right) = (beside(shown.first()), beside(shown.last()));
        let needed = left + xs[xs.len() - 1] + right;
        let width = needed.max(LEGEND);
        let shift = left + (width - needed) / 2.0;
        let placed = shown.iter().zip(xs).map(|(&index, x)| self.stack(index, x + shift, height)).collect();
        (placed, width)
    }

    /// Stacks a column's nodes around the middle.
    fn stack(&self, index: usize, x: f64, height: f64) -> Placed {
        let nodes = self.columns[index].nodes;
        let drawn = folded(nodes, NODES, FIRST_NODES, LAST_NODES);
        let mut y = TOP + (height - self.slots(index) * PITCH + PITCH) / 2.0;
        let mut placed = Placed { index, x, nodes: Vec::new(), folded: None, bias: None };
        for (place, &node) in drawn.iter().enumerate() {
            if place > 0 && drawn[place - 1] + 1 < node {
                placed.folded = Some((nodes - drawn.len(), y + (MARK - 1.0) * PITCH / 2.0));
                y += MARK * PITCH;
            }
            placed.nodes.push((node, y));
            y += PITCH;
        }
        placed.bias = self.has_bias(index).then_some(y);
        placed
    }

    /// The two lines above a column: what it is; how many nodes, and their activation.
    fn caption(&self, index: usize) -> [String; 2] {
        let column = &self.columns[index];
        let nodes = svg::count(column.nodes);
        let second = column.activation.map(|activation| format!("{nodes} \u{d7} {activation}")).unwrap_or(nodes);
        [shorten(column.name, CAPTION), shorten(&second, CAPTION)]
    }

    fn caption_width(&self, index: usize) -> f64 {
        let [name, second] = self.caption(index);
        (svg::width(&name, TEXT) * 1.1).max(svg::width(&second, QUIET))
    }

    /// A node's label beside it; only the first and the last column have room for them.
    fn label(&self, index: usize, node: usize) -> Option<String> {
        let outer = index == 0 || index + 1 == self.columns.len();
        self.columns[index].labels.get(node).filter(|_| outer).map(|label| shorten(label, LABEL))
    }

    fn label_width(&self, index: usize) -> f64 {
        let nodes = folded(self.columns[index].nodes, NODES, FIRST_NODES, LAST_NODES);
        let labels = nodes.into_iter().filter_map(|node| self.label(index, node));
        labels.map(|label| svg::width(&label, TEXT)).fold(0.0, f64::max)
    }

    /// What a node is called in a tooltip.
    fn node_name(&self, index: usize, node: usize) -> String {
        let column = &self.columns[index];
        match column.labels.get(node) {
            Some(label) => shorten(label, TOLD),
            None => format!("{} {}", shorten(column.name, TOLD), node + 1),
        }
    }

    /// The edges between two columns, the weakest first, and below them how large the largest is; whether some weights
    /// are no numbers.
    fn draw_edges(&self, svg: &mut Svg, from: &Placed, to: &Placed, bottom: f64) -> bool {
        let layer = &self.edges[from.index];
        let outputs = self.columns[to.index].nodes;
        let all = layer.weights.iter().chain(layer.biases.unwrap_or_default());
        let largest = all.map(|&value| value.into().abs()).filter(|size| size.is_finite()).fold(0.0, f64::max);
        let mut edges = Vec::new();
        let mut add = |source: String, from: (f64, f64), value: f64, node: usize, y: f64| {
            let share = if largest > 0.0 && value.is_finite() { value.abs() / largest } else { 0.0 };
            let tooltip = format!("{source} to {}: {}", self.node_name(to.index, node), figure(value));
            edges.push(Edge { from, to: (to.x, y), value, share, tooltip });
        };
        for &(node, y) in &to.nodes {
            for &(source, height) in &from.nodes {
                let value = layer.weights[source * outputs + node].into();
                add(self.node_name(from.index, source), (from.x, height), value, node, y);
            }
            if let (Some(height), Some(biases)) = (from.bias, layer.biases) {
                add("bias".to_string(), (from.x, height), biases[node].into(), node, y);
            }
        }
        edges.sort_by(|a, b| a.share.total_cmp(&b.share));
        svg.put(format_args!("<g>"));
        edges.iter().for_each(|edge| edge.draw(svg));
        svg.put(format_args!("</g>"));
        svg.text((from.x + to.x) / 2.0, bottom + 22.0, "quiet middle", &format!("largest |w| {}", figure(largest)));
        edges.iter().any(|edge| !edge.value.is_finite())
    }

    fn draw_column(&self, svg: &mut Svg, column: &Placed) {
        let [name, second] = self.caption(column.index);
        svg.text(column.x, TOP - 36.0, "name middle", &name);
        svg.text(column.x, TOP - 20.0, "quiet middle", &second);
        let x = Number(column.x);
        for &(node, y) in &column.nodes {
            let tooltip = self.node_name(column.index, node);
            svg.put(format_args!(
                "<circle class=\"node\" cx=\"{x}\" cy=\"{}\" r=\"{RADIUS}\"><title>{}</title></circle>",
                Number(y),
                Escaped(&tooltip)
            ));
            if let Some(label) = self.label(column.index, node) {
                // A network without layers has one column, which is the first.
                let (x, class) = match column.index {
                    0 => (column.x - RADIUS - LABEL_GAP, "end"),
                    _ => (column.x + RADIUS + LABEL_GAP, "start"),
                };
                svg.text(x, y + 4.0, class, &label);
            }
        }
        if let Some((hidden, y)) = column.folded {
            for step in [-20.0, -14.0, 14.0, 20.0] {
                dot(svg, column.x, y + step);
            }
            svg.text(column.x, y + 4.0, "quiet middle halo", &format!("{} more", svg::count(hidden)));
        }
        if let Some(y) = column.bias {
            draw_bias(svg, column.x, y);
        }
    }
}

impl Edge {
    fn draw(&self, svg: &mut Svg) {
        let class = match self.value {
            value if !value.is_finite() => "undefined",
            value if value.is_sign_negative() => "negative",
            _ => "positive",
        };
        // Even a weight of zero is seen.
        let (width, opacity) =
            (0.6 + 3.4 * self.share, if class == "undefined" { 1.0 } else { 0.12 + 0.83 * self.share });
        svg.put(format_args!(
            "<line class=\"edge {class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke-width=\"{}\" \
             stroke-opacity=\"{}\"><title>{}</title></line>",
            Number(self.from.0),
            Number(self.from.1),
            Number(self.to.0),
            Number(self.to.1),
            Number(width),
            Number(opacity),
            Escaped(&self.tooltip)
        ));
    }
}

/// The numbers below `count`; of more than `most`, only the first and the last.
fn folded(count: usize, most: usize, first: usize, last: usize) -> Vec<usize> {
    if count <= most { (0..count).collect() } else { (0..first).chain(count - last..count).collect() }
}

fn dot(svg: &mut Svg, x: f64, y: f64) {
    svg.put(format_args!("<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"1.5\"/>", Number(x), Number(y)));
}

fn draw_bias(svg: &mut Svg, x: f64, y: f64) {
    let (cx, cy) = (Number(x), Number(y));
    svg.put(format_args!(
        "<circle class=\"bias\" cx=\"{cx}\" cy=\"{cy}\" r=\"{BIAS_RADIUS}\"><title>bias</title></circle>"
    ));
    svg.text(x, y + 3.2, "tiny middle", "1");
}

/// The width of the legend with all its entries.
const LEGEND: f64 = 660.0;

/// What colours, widths and small nodes mean.
fn legend(svg: &mut Svg, y: f64, biases: bool, undefined: bool) {
    let mut x = MARGIN;
    let mut entry = |svg: &mut Svg, text: &str, room: f64| {
        svg.text(x + 30.0, y + 4.0, "quiet", text);
        let start = x;
        x += 30.0 + room;
        start
    };
    for (class, text, room) in [("positive", "positive", 62.0), ("negative", "negative", 66.0)] {
        let x = entry(svg, text, room);
        svg.put(format_args!(
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke-width=\"3\"/>",
            Number(x),
            Number(y),
            Number(x + 24.0),
            Number(y)
        ));
    }
    let x = entry(svg, "thickness: |w| / largest |w| of the layer", 228.0);
    svg.put(format_args!(
        "<path class=\"dot\" d=\"M{} {}L{} {}V{}Z\"/>",
        Number(x),
        Number(y),
        Number(x + 24.0),
        Number(y - 2.5),
        Number(y + 2.5)
    ));
    if biases {
        let x = entry(svg, "bias", 42.0);
        draw_bias(svg, x + 14.0, y);
    }
    if undefined {
        let x = entry(svg, "not finite", 62.0);
        svg.line((x, y), (x + 24.0, y), "undefined");
    }
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{assert_texts_fit, elements, texts};
    use super::*;

    /// Weights of both signs, one of them zero.
    fn weights(count: usize) -> Vec<f64> {
        (0..count).map(|place| (place * 37 % 101) as f64 / 50.0 - 1.0).collect()
    }

    /// A network of these sizes, drawn.
    fn draw(sizes: &[usize], biases: bool) -> String {
        let columns = sizes.iter().map(|&nodes| Column { name: "layer", activation: Some("tanh"), nodes, labels: &[] });
        let layers: Vec<_> = sizes.windows(2).map(|pair| (weights(pair[0] * pair[1]), weights(pair[1]))).collect();
        let edges = layers.iter().map(|(weights, bias)| Edges { weights, biases: biases.then_some(bias.as_slice()) });
        let svg = Diagram { title: "a network", columns: columns.collect(), edges: edges.collect() }.svg().unwrap();
        assert_texts_fit(&svg);
        svg
    }

    /// One layer with these labels and weights.
    fn labelled(labels: &[String], weights: &[f64]) -> Result<String> {
        let inputs = Column { name: "inputs", activation: None, nodes: labels.len(), labels };
        let output = Column { name: "output", activation: Some("identity"), nodes: 1, labels: &labels[..1] };
        let edges = vec![Edges { weights, biases: None }];
        Diagram { title: &labels[0], columns: vec![inputs, output], edges }.svg()
    }

    #[test]
    fn every_node_and_every_weight_is_drawn() {
        let svg = draw(&[7, 10, 1], false);
        assert_eq!((elements(&svg, "node"), elements(&svg, "edge"), elements(&svg, "bias")), (18, 80, 0));
        let svg = draw(&[7, 10, 1], true);
        assert_eq!((elements(&svg, "node"), elements(&svg, "edge"), elements(&svg, "bias")), (18, 91, 3));
        assert!(texts(&svg).iter().any(|text| text == "7-10-1: 80 weights, 11 biases"));
        assert!(texts(&svg).iter().any(|text| text == "10 × tanh"));
        assert_eq!(svg, draw(&[7, 10, 1], true), "not the same bytes");
        let svg = draw(&[NODES, NODES], false);
        assert_eq!((elements(&svg, "node"), elements(&svg, "edge")), (2 * NODES, NODES * NODES));
    }

    #[test]
    fn wide_columns_and_deep_networks_are_folded_and_counted() {
        let svg = draw(&[784, 17, 10], false);
        assert_eq!((elements(&svg, "node"), elements(&svg, "edge")), (13 + 13 + 10, 13 * 13 + 13 * 10));
        for more in ["771 more", "4 more"] {
            assert!(texts(&svg).iter().any(|text| text == more), "no '{more}'");
        }
        let svg = draw(&[2; 1000], true);
        assert_eq!((elements(&svg, "node"), elements(&svg, "edge")), (22, 6 * 9));
        // A bias node below each column drawn that leads to one drawn, and one in the legend.
        assert_eq!(elements(&svg, "bias"), 10);
        assert!(texts(&svg).iter().any(|text| text == "989 more layers"), "{:?}", texts(&svg));
        assert!(draw(&[20; 100], true).len() < 600_000);
    }

    #[test]
    fn edges_tell_sign_and_size() {
        let labels = ["a", "b", "c", "d", "e"].map(String::from);
        let svg = labelled(&labels, &[0.5, -2.0, 0.0, f64::NAN, f64::INFINITY]).unwrap();
        assert_texts_fit(&svg);
        let line = |name: &str| svg.lines().find(|line| line.contains(&format!("<title>{name} to a"))).unwrap();
        assert!(line("a").contains("edge positive") && line("a").contains("stroke-width=\"1.45\""), "{}", line("a"));
        assert!(line("b").contains("edge negative") && line("b").contains("stroke-width=\"4\""), "{}", line("b"));
        assert!(line("c").contains("edge positive") && line("c").contains("stroke-width=\"0.6\""), "{}", line("c"));
        assert!(line("d").contains("edge undefined") && line("e").contains("edge undefined"));
        assert!(texts(&svg).iter().any(|text| text == "largest |w| 2") && svg.contains("not finite"));
        assert!(
            svg.find("<title>c to a").unwrap() < svg.find("<title>b to a").unwrap(),
            "weak edges lie on strong ones"
        );
    }

    #[test]
    fn an_edge_joins_the_nodes_of_its_weight() {
        // Both columns folded, and as many rows as columns nowhere: a transposed or shifted index names a wrong weight.
        let places: Vec<f32> = (0..20u8)
            .flat_map(|row| (0..18u8).map(move |column| (row, column)))
            .map(|(row, column)| f32::from(row) * 100.0 + f32::from(column))
            .collect();
        let column = |name, nodes| Column { name, activation: None, nodes, labels: &[] };
        let columns = vec![column("from", 20), column("to", 18)];
        let edges = vec![Edges { weights: &places, biases: Some(&places[..18]) }];
        let svg = Diagram { title: "", columns, edges }.svg().unwrap();
        for (edge, weight) in [
            ("from 1 to to 2", "1"),
            ("from 20 to to 1", "1900"),
            ("from 20 to to 18", "1917"),
            ("bias to to 18", "17"),
        ] {
            assert!(svg.contains(&format!("<title>{edge}: {weight}</title>")), "{edge} is not {weight}");
        }
        assert!(!svg.contains("from 9 to"), "a folded node has edges");
        // The last of thirteen nodes and a mark two nodes high lies fourteen nodes below the first.
        let line = svg.lines().find(|line| line.contains("<title>from 1 to to 18:")).unwrap();
        let number =
            |name: &str| line.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<f64>();
        assert_eq!(number("y2").unwrap() - number("y1").unwrap(), 14.0 * PITCH);
    }

    #[test]
    fn labels_are_escaped_and_shortened() {
        let long = "<&\"'>\u{0}\u{202e}ß漢🦀 ".repeat(70_000);
        assert!(long.len() > 1_000_000);
        let labels = [long, String::new(), "x".repeat(1000), "<script>".to_string()];
        let svg = labelled(&labels, &weights(4)).unwrap();
        assert_texts_fit(&svg);
        assert!(svg.len() < 20_000, "{} bytes", svg.len());
        assert!(texts(&svg).iter().any(|text| text == "<script>"));
    }

    #[test]
    fn degenerate_networks_are_pictures_too() {
        for sizes in [&[1][..], &[0, 0], &[1, 1], &[3, 0, 2], &[1, 400, 1]] {
            draw(sizes, false);
            draw(sizes, true);
        }
        let svg = labelled(&[String::from("x")], &[0.0]).unwrap();
        assert_eq!(elements(&svg, "edge"), 1);
        let single: Vec<f32> = vec![1.0; 2];
        let columns = [2, 1].map(|nodes| Column { name: "n", activation: None, nodes, labels: &[] }).to_vec();
        assert!(Diagram { title: "f32", columns, edges: vec![Edges { weights: &single, biases: None }] }.svg().is_ok());
    }

    #[test]
    fn sizes_that_disagree_are_refused() {
        let column = |nodes| Column { name: "n", activation: None, nodes, labels: &[] };
        let message =
            |columns: Vec<Column>, edges| Diagram { title: "", columns, edges }.svg().unwrap_err().to_string();
        let three = weights(3);
        let edges = |weights, biases| vec![Edges::<f64> { weights, biases }];
        let found = message(vec![column(2), column(2)], edges(&three, None));
        assert_eq!(found, "weights of layer 1: expected 2 x 2, found 3");
        let found = message(vec![column(3), column(1)], edges(&three, Some(&three)));
        assert_eq!(found, "biases of layer 1: expected 1, found 3");
        let found = message(vec![column(usize::MAX), column(3)], edges(&three, None));
        assert!(found.starts_with("weights of layer 1: expected"), "{found}");
        assert!(message(Vec::new(), Vec::new()).contains("columns of a network's picture: expected one more"));
        let labels = [String::from("a")];
        let few = Column { labels: &labels, ..column(3) };
        assert_eq!(
            message(vec![few, column(1)], edges(&three, None)),
            "names of the nodes of 'n': expected none or 3, found 1"
        );
    }
}
