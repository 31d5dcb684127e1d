//! Small data whose answers are known: what the harnesses train on. Computed, not drawn, so that they never change.

use std::fmt::Write;

/// The text of a CSV file: a header and rows.
pub fn csv(header: &str, rows: &[impl AsRef<str>]) -> String {
    let mut text = format!("{header}\n");
    rows.iter().for_each(|row| text += &format!("{}\n", row.as_ref()));
    text
}

/// Points of the plane, spread without a pattern that a network could use.
pub fn points(count: usize) -> Vec<(f64, f64)> {
    let spread = |i: usize, step: f64| 4.0 * ((i as f64 + 0.5) * step).fract() - 2.0;
    // The golden ratio and the root of two: the most evenly spread multiples there are.
    (0..count).map(|i| (spread(i, 0.618_033_988_749_895), spread(i, std::f64::consts::SQRT_2))).collect()
}

/// Forty points in two classes, parted by a line: columns `a`, `b` and `y`.
pub fn classes() -> Vec<String> {
    points(40).iter().map(|(a, b)| format!("{a:.3},{b:.3},{}", if a + b > 0.1 { "p" } else { "q" })).collect()
}

/// Forty points and a number that is linear in them: columns `a`, `b` and `y`.
pub fn numbers() -> Vec<String> {
    points(40).iter().map(|(a, b)| format!("{a:.3},{b:.3},{:.3}", 100.0 * a - 10.0 * b + 1000.0)).collect()
}

/// Forty points, two labels, two numbers of other sizes, and weights 0 to 3: columns `a`, `b`, `u`, `v`, `s`, `t` and `w`.
pub fn several() -> Vec<String> {
    let row = |(i, (a, b)): (usize, (f64, f64))| {
        let (u, v) = (if a + b > 0.1 { "yes" } else { "no" }, u8::from(a - b > 0.3));
        format!("{a:.3},{b:.3},{u},{v},{:.3},{:.6},{}", 100.0 * a - 10.0 * b + 1000.0, 0.01 * (a + b), i % 4)
    };
    points(40).into_iter().enumerate().map(row).collect()
}

/// [`classes`] with the cell at row (from 0) and column replaced.
pub fn classes_with(changes: &[(usize, usize, &str)]) -> String {
    let mut rows: Vec<Vec<String>> = classes().iter().map(|row| row.split(',').map(String::from).collect()).collect();
    changes.iter().for_each(|&(row, column, text)| rows[row][column] = text.into());
    csv("a,b,y", &rows.iter().map(|row| row.join(",")).collect::<Vec<_>>())
}

/// A larger table of numbers in three classes: `width` columns and `y`.
pub fn blobs(rows: usize, width: usize) -> String {
    let mut text = (0..width).map(|c| format!("x{c},")).collect::<String>() + "y\n";
    for row in 0..rows {
        let class = row % 3;
        for column in 0..width {
            let noise = 2.0 * ((row * width + column) as f64 * 0.618_033_988_749_895).fract() - 1.0;
            let centre = if column % 3 == class { 1.0 } else { 0.0 };
            write!(text, "{:.4},", centre + noise).expect("memory");
        }
        writeln!(text, "k{class}").expect("memory");
    }
    text
}

/// An IDX file of unsigned bytes.
pub fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Images of 4 x 4 pixels, light on the left (class 3) or on the right (class 7), and their labels.
pub fn images(count: u32) -> (Vec<u8>, Vec<u8>) {
    let label = |i: u32| if i.is_multiple_of(2) { 3 } else { 7 };
    let pixel = |i: u32, p: u32| match (p % 4 < 2) == (label(i) == 3) {
        true => 200 + ((i * 7 + p) % 50) as u8,
        false => ((i * 5 + p) % 50) as u8,
    };
    let pixels: Vec<u8> = (0..count).flat_map(|i| (0..16).map(move |p| pixel(i, p))).collect();
    let labels: Vec<u8> = (0..count).map(label).collect();
    (idx(&[count, 4, 4], &pixels), idx(&[count], &labels))
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).and_then(|()| encoder.finish()).expect("memory")
}

/// An NPY file of this type and shape.
pub fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

/// The columns `a` and `b` of [`points`] as an NPY matrix, and the classes (whole numbers) and numbers of its rows.
pub fn matrix(count: usize) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let points = points(count);
    let bytes: Vec<u8> = points.iter().flat_map(|&(a, b)| [a.to_le_bytes(), b.to_le_bytes()].concat()).collect();
    let classes: Vec<u8> = points.iter().flat_map(|&(a, b)| i32::from(a + b > 0.1).to_le_bytes()).collect();
    let numbers: Vec<u8> = points.iter().flat_map(|&(a, b)| (100.0 * a - 10.0 * b + 1000.0).to_le_bytes()).collect();
    let shape = format!("({count},)");
    (npy("<f8", &format!("({count}, 2)"), &bytes), npy("<i4", &shape, &classes), npy("<f8", &shape, &numbers))
}
