//! The random numbers are those they have always been: a model trained from a seed must be found again.
//!
//! The generator and what is made of its bits alone (uniform numbers) are compared with the specification, written down here
//! a second time; the distributions with golden values, for which `golden_values_are_printed` is the program:
//!
//! ```text
//! cargo test --test random -- --ignored --nocapture golden_values_are_printed
//! ```
//!
//! A failure means that a dependency's stream has changed: the remedy is to write the distribution here, not to print new values.

use deltarule::rng::Rng;

/// ChaCha with 8 rounds, a 64-bit block counter and a 64-bit stream number (Bernstein 2008, "ChaCha, a variant of Salsa20").
struct ChaCha8 {
    key: [u32; 8],
    stream: u64,
    block: u64,
    words: Vec<u32>,
}

impl ChaCha8 {
    /// The key is made of `seed` by PCG-XSH-RR steps (O'Neill 2014), as rand_core 0.10 documents for `seed_from_u64`.
    fn new(seed: u64, stream: u64) -> Self {
        let mut state = seed;
        let key = std::array::from_fn(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(11634580027462260723);
            ((((state >> 18) ^ state) >> 27) as u32).rotate_right((state >> 59) as u32)
        });
        Self { key, stream, block: 0, words: Vec::new() }
    }

    fn next_block(&mut self) -> Vec<u32> {
        let mut state = [0u32; 16];
        // "expand 32-byte k"
        state[..4].copy_from_slice(&[0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
        state[4..12].copy_from_slice(&self.key);
        state[12..].copy_from_slice(&[
            self.block as u32,
            (self.block >> 32) as u32,
            self.stream as u32,
            (self.stream >> 32) as u32,
        ]);
        self.block += 1;
        let start = state;
        let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
            for (turn, other) in [(16, 12), (8, 7)] {
                state[a] = state[a].wrapping_add(state[b]);
                state[d] = (state[d] ^ state[a]).rotate_left(turn);
                state[c] = state[c].wrapping_add(state[d]);
                state[b] = (state[b] ^ state[c]).rotate_left(other);
            }
        };
        for _ in 0..4 {
            (0..4).for_each(|i| quarter(i, 4 + i, 8 + i, 12 + i));
            (0..4).for_each(|i| quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4));
        }
        state.iter().zip(start).map(|(x, y)| x.wrapping_add(y)).collect()
    }

    /// Two words, the lower first.
    fn next_u64(&mut self) -> u64 {
        if self.words.is_empty() {
            self.words = self.next_block();
            self.words.reverse();
        }
        let mut word = || u64::from(self.words.pop().expect("blocks have an even number of words"));
        word() | word() << 32
    }

    /// The upper 53 bits as a fraction.
    fn next_fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn uniform_numbers_are_those_of_the_specification() {
    for (seed, stream) in [(0, 0), (1, 0), (42, 7), (u64::MAX, 0x626f_6f74)] {
        let (mut ours, mut specified) = (Rng::with_stream(seed, stream), ChaCha8::new(seed, stream));
        // Several times the four blocks that the generator makes at once.
        for at in 0..1000 {
            let (x, y) = (ours.uniform::<f64>(0.0, 1.0), specified.next_fraction());
            assert_eq!(x.to_bits(), y.to_bits(), "seed {seed}, stream {stream}, number {at}: {x} {y}");
        }
    }
    // The range is applied to that fraction, and f32 is the rounded f64.
    let (mut ours, mut specified) = (Rng::new(3), ChaCha8::new(3, 0));
    assert_eq!(ours.uniform::<f64>(-2.0, 5.0), -2.0 + 7.0 * specified.next_fraction());
    assert_eq!(ours.uniform::<f32>(-2.0, 5.0), (-2.0 + 7.0 * specified.next_fraction()) as f32);
}

#[test]
fn a_wrong_generator_is_noticed() {
    let (mut ours, mut other) = (Rng::with_stream(42, 7), ChaCha8::new(42, 8));
    assert!((0..10).any(|_| ours.uniform::<f64>(0.0, 1.0) != other.next_fraction()));
}

/// What is pinned: enough normals that the ziggurat's rare branches are among them, by a hash; the first ones as they are.
struct Values {
    uniform: [u64; 4],
    normal: [u64; 4],
    normal_f32: [u32; 4],
    below: [usize; 12],
    shuffle: [usize; 10],
    streams: [usize; 4],
    many_normals: u64,
    many_below: u64,
}

/// FNV-1a over 64-bit words.
fn hash(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}

/// How many numbers the hashes cover: a normal number leaves the ziggurat's first test about once in 80, and its tail
/// about once in 4000.
const MANY: usize = 100_000;

fn values() -> Values {
    let bits = |x: f64| x.to_bits();
    let mut uniform = Rng::new(42);
    let mut normal = Rng::new(42);
    let mut normal_f32 = Rng::new(42);
    let mut below = Rng::new(42);
    let mut shuffle = std::array::from_fn(|i| i);
    Rng::new(42).shuffle(&mut shuffle);
    let (mut many_normals, mut many_below) = (Rng::new(43), Rng::new(44));
    Values {
        uniform: std::array::from_fn(|_| bits(uniform.uniform(-1.0, 1.0))),
        normal: std::array::from_fn(|_| bits(normal.normal(0.0, 1.0))),
        normal_f32: std::array::from_fn(|_| normal_f32.normal::<f32>(1.0, 0.5).to_bits()),
        below: std::array::from_fn(|_| below.below(1000)),
        shuffle,
        streams: std::array::from_fn(|stream| Rng::with_stream(42, stream as u64).below(1_000_000)),
        many_normals: hash((0..MANY).map(|_| bits(many_normals.normal(0.0, 1.0)))),
        many_below: hash((0..MANY).map(|i| many_below.below(i * i * 7 + 1) as u64)),
    }
}

#[test]
#[ignore = "prints the golden values of `the_distributions_are_pinned`"]
fn golden_values_are_printed() {
    let v = values();
    println!("uniform {:#x?}\nnormal {:#x?}\nnormal_f32 {:#x?}", v.uniform, v.normal, v.normal_f32);
    println!("below {:?}\nshuffle {:?}\nstreams {:?}", v.below, v.shuffle, v.streams);
    println!("many_normals {:#x}\nmany_below {:#x}", v.many_normals, v.many_below);
}

#[test]
fn the_distributions_are_pinned() {
    let v = values();
    assert_eq!(v.uniform, [0x3fd7485fda9caeac, 0x3fecd14ff1895e64, 0xbfc28e48f73a49b0, 0x3fd04d597cac0b30]);
    assert_eq!(v.normal, [0x3fde973e9eb46e17, 0x3ff5585a6c98018c, 0xbfcafdadf23b8743, 0x3fde7c77ced3c827]);
    assert_eq!(v.normal_f32, [0x3f9e973f, 0x3fd5616a, 0x3f650252, 0x3f9e7c78]);
    assert_eq!(v.below, [681, 950, 427, 627, 288, 149, 308, 803, 771, 238, 506, 901]);
    assert_eq!(v.shuffle, [9, 7, 2, 5, 0, 1, 4, 3, 8, 6]);
    assert_eq!(v.streams, [681896, 716791, 183610, 361691]);
    assert_eq!(v.many_normals, 0xf970e879762e91d4);
    assert_eq!(v.many_below, 0xe2c0652647651c32);
}

/// The pinned streams are also what they say: moments within 4 standard errors of 100 000 numbers.
#[test]
fn the_distributions_have_their_moments() {
    let mut rng = Rng::new(9);
    let normals: Vec<f64> = (0..MANY).map(|_| rng.normal(3.0, 2.0)).collect();
    let mean = normals.iter().sum::<f64>() / MANY as f64;
    let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / MANY as f64;
    let root = (MANY as f64).sqrt();
    assert!((mean - 3.0).abs() < 4.0 * 2.0 / root, "{mean}");
    assert!((variance - 4.0).abs() < 4.0 * 4.0 * 2f64.sqrt() / root, "{variance}");
    let mut counts = [0usize; 10];
    (0..MANY).for_each(|_| counts[rng.below(10)] += 1);
    assert!(counts.iter().all(|&c| (c as f64 - 1e4).abs() < 4.0 * 9e3f64.sqrt()), "{counts:?}");
}
