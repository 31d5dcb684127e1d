//! What a gradient check of a model found, in a form that travels in the model's file and can be quoted beside it.
//!
//! Row 6 of the house, as `mod.rs`. The check itself is not here: whoever makes one fills in a [`Certificate`], seals it, and
//! puts it into the model ([`Model::certify`]) or into its file ([`certify_file`](super::certify_file)).
//!
//! Its checksum guards against damage and mix-ups, not against intent: anybody can seal anything. What holds of every
//! certificate that is read is that it contradicts neither itself nor the network that it lies beside. Whether it is of the
//! parameters that lie there too is another question, as these may have been trained on: [`Certificate::fits`].

use super::{Dtype, Model};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::gradcheck::{Counts, Mode, Options, Report, TensorReport, Verdict};
use crate::network::Spec;
use crate::network::objective::Objective;
use crate::sealed::hex;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// What a gradient check of this model found, kept with the model.
///
/// It is made as a literal with an empty `sha256` and then [sealed](Self::seal). The checksum is that of the JSON text of all
/// other fields, in this order and without blanks: the text that a model's file or `inspect --json` holds, up to
/// `,"sha256":`, and a closing brace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version of the library that checked.
    pub version: String,
    /// The instruction set that computed the gradient, such as `avx512`.
    pub isa: String,
    /// What multiplied matrices, with its core where that is known.
    pub gemm: String,
    /// The network, as [`Spec::architecture`] says it.
    pub architecture: String,
    /// The loss and its penalties, in words.
    pub objective: String,
    /// The type that the gradient was computed in. The model's own may be another.
    pub dtype: Dtype,
    /// Rows of data that it was checked on.
    pub rows: usize,
    /// What was checked: `every coordinate`, `8 directions`.
    pub mode: String,
    /// What the gradient was compared with: `differences`, `dual`, `complex`.
    pub oracles: Vec<String>,
    /// The answer.
    pub verdict: Verdict,
    /// What was found in each of [`Spec::tensors`], in their order.
    pub tensors: Vec<CertifiedTensor>,
    /// The [checksum](Model::parameters_sha256) of the parameters that were checked.
    pub parameters_sha256: String,
    /// The checksum of all of the above; empty before it is sealed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// What was found in one tensor of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedTensor {
    /// Its name in [`Spec::tensors`].
    pub name: String,
    /// How many numbers it has.
    pub entries: usize,
    /// How many comparisons were made: the sum of the next four, and at most one for each entry.
    pub checked: usize,
    /// Those that agree.
    pub verified: usize,
    /// Those at a kink, where there is no slope to compare with.
    pub kinks: usize,
    /// Those that could not be measured well enough to judge.
    pub inconclusive: usize,
    /// Those that disagree.
    pub wrong: usize,
    /// The largest relative error; infinite where one was no number. JSON knows neither, and has `null` for both.
    #[serde(deserialize_with = "null_is_infinite")]
    pub worst_error: f64,
    /// Where that was: the name of a parameter or direction, empty if nothing was compared.
    pub worst: String,
}

impl From<&TensorReport> for CertifiedTensor {
    fn from(report: &TensorReport) -> Self {
        let Counts { checked, verified, kinks, inconclusive, wrong } = report.counts;
        let (worst_error, worst) = report.worst.as_ref().map_or((0.0, String::new()), |w| (w.error, w.name.clone()));
        let (name, entries) = (report.name.clone(), report.entries);
        Self { name, entries, checked, verified, kinks, inconclusive, wrong, worst_error, worst }
    }
}

impl Certificate {
    /// The sealed certificate of a check of `model`'s parameters, coordinate by coordinate (not along directions).
    ///
    /// `parameters` is the report on the gradient in double precision; `precision`, if there is one, that on the gradient in the model's own
    /// type. If the latter is wrong, the certificate is of it. **Errors** if the check was refused, or is not of this network.
    pub fn of<T: Float>(
        model: &Model<T>,
        (objective, rows): (&Objective, usize),
        (engine, options): (Engine, &Options),
        parameters: &Report,
        precision: Option<&Report>,
    ) -> Result<Self> {
        let worse = precision.filter(|report| report.verdict == Verdict::Wrong && parameters.verdict != Verdict::Wrong);
        let report = worse.unwrap_or(parameters);
        if let (Some(message), true) = (&report.message, report.tensors.is_empty()) {
            return Err(Error::Unsupported(format!("a check that compared nothing certifies nothing: {message}")));
        }
        let core = engine.backend().blas().and_then(|library| library.about().core.clone());
        // What the gradient in the model's own type was held against, if that was verified or is what is wrong.
        let heard = precision.filter(|report| report.verdict == Verdict::Verified || worse.is_some());
        let own = heard.map(|_| if T::NAME == "f32" { "f64" } else { "loops" }.to_string());
        let witnesses = options.oracles.iter().map(|oracle| oracle.name().to_string());
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            isa: engine.isa().name().into(),
            gemm: engine.backend().to_string() + &core.map(|core| format!(", {core}")).unwrap_or_default(),
            architecture: model.network.spec().architecture(),
            objective: format!("{}, l1 {}, l2 {}", objective.loss, objective.l1, objective.l2),
            dtype: if heard.is_some() { Dtype::of::<T>() } else { Dtype::F64 },
            rows,
            mode: match (worse, options.mode) {
                (Some(_), _) => "every coordinate, to its bound".into(),
                (None, Mode::Sample { per_tensor, .. }) => {
                    format!("{per_tensor} entries of each tensor at tolerance {:e}", options.tolerance)
                }
                _ => format!("every coordinate at tolerance {:e}", options.tolerance),
            },
            oracles: if worse.is_some() { own.into_iter().collect() } else { witnesses.chain(own).collect() },
            verdict: Verdict::of(report.tensors.iter().map(|tensor| tensor.counts)),
            tensors: report.tensors.iter().map(Into::into).collect(),
            parameters_sha256: model.parameters_sha256(),
            sha256: String::new(),
        }
        .seal()
    }

    /// The certificate with its checksum, and every error that is no number made infinite, as it is when read again.
    ///
    /// **Errors** if it contradicts itself, saying where.
    pub fn seal(mut self) -> Result<Self> {
        for tensor in self.tensors.iter_mut().filter(|tensor| tensor.worst_error.is_nan()) {
            tensor.worst_error = f64::INFINITY;
        }
        self.check_alone().map_err(|e| Error::Unsupported(format!("the certificate cannot be sealed: {e}")))?;
        self.sha256 = self.digest();
        Ok(self)
    }

    /// Whether the parameters that were checked are those that the model has. If not, the certificate is stale: it is true of a
    /// network that this one was, and says nothing of this one. (Of another architecture it cannot be: no such certificate is written or read.)
    pub fn fits<T: Float>(&self, model: &Model<T>) -> bool {
        self.parameters_sha256 == model.parameters_sha256()
    }

    /// The checksum that it should have.
    fn digest(&self) -> String {
        let unsealed = Self { sha256: String::new(), ..self.clone() };
        hex(Sha256::digest(serde_json::to_string(&unsealed).expect("text and numbers are always JSON")))
    }

    /// Refuses a certificate that was changed, contradicts itself, or is of a network of another shape.
    pub(super) fn check(&self, spec: &Spec) -> std::result::Result<(), String> {
        if self.sha256 != self.digest() {
            return Err("its certificate's checksum does not fit its content: it was edited, or never sealed".into());
        }
        self.check_alone()?;
        let architecture = spec.architecture();
        if self.architecture != architecture {
            return Err(format!("its certificate is of {:?}, its network is {architecture:?}", self.architecture));
        }
        let expected = spec.tensors();
        if self.tensors.len() != expected.len() {
            return Err(format!("its certificate has {} tensors, its network {}", self.tensors.len(), expected.len()));
        }
        for (tensor, (name, place)) in self.tensors.iter().zip(expected) {
            if (&tensor.name, tensor.entries) != (&name, place.len()) {
                return Err(format!(
                    "its certificate has {:?} of {} entries where its network has {name:?} of {}",
                    tensor.name,
                    tensor.entries,
                    place.len()
                ));
            }
        }
        Ok(())
    }

    /// Refuses what contradicts itself, whatever the network.
    fn check_alone(&self) -> std::result::Result<(), String> {
        for (name, text) in [
            ("version", &self.version),
            ("instruction set", &self.isa),
            ("GEMM", &self.gemm),
            ("architecture", &self.architecture),
            ("objective", &self.objective),
            ("mode", &self.mode),
        ] {
            if text.is_empty() {
                return Err(format!("its certificate names no {name}"));
            }
        }
        if self.oracles.is_empty() || self.oracles.iter().any(String::is_empty) {
            return Err("its certificate does not name what the gradient was compared with".into());
        }
        if self.rows == 0 {
            return Err("its certificate is of no rows of data".into());
        }
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if self.parameters_sha256.len() != 64 || !self.parameters_sha256.bytes().all(is_hex) {
            let found = &self.parameters_sha256;
            return Err(format!(
                "its certificate's parameters_sha256: expected 64 hexadecimal digits, found {found:?}"
            ));
        }
        self.tensors.iter().try_for_each(CertifiedTensor::check)?;
        let counted = Verdict::of(self.tensors.iter().map(CertifiedTensor::counts));
        if self.verdict != counted {
            return Err(format!("its certificate's verdict is {}, and its counts say {counted}", self.verdict));
        }
        Ok(())
    }
}

impl CertifiedTensor {
    fn counts(&self) -> Counts {
        let Self { checked, verified, kinks, inconclusive, wrong, .. } = *self;
        Counts { checked, verified, kinks, inconclusive, wrong }
    }

    fn check(&self) -> std::result::Result<(), String> {
        let Self { name, entries, checked, verified, kinks, inconclusive, wrong, worst_error, .. } = self;
        let sum = [kinks, inconclusive, wrong].into_iter().try_fold(*verified, |sum, count| sum.checked_add(*count));
        if sum != Some(*checked) {
            return Err(format!(
                "its certificate's {name}: {checked} checked, but {verified} verified, {kinks} at kinks, \
                 {inconclusive} inconclusive and {wrong} wrong"
            ));
        }
        if checked > entries {
            return Err(format!("its certificate's {name}: {checked} checked of {entries} entries"));
        }
        if !(*worst_error >= 0.0 && worst_error.is_sign_positive()) {
            return Err(format!("its certificate's {name}: expected an error of at least 0, found {worst_error}"));
        }
        Ok(())
    }
}

fn null_is_infinite<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl<T: Float> Model<T> {
    /// Keeps what a check of these very parameters found; an older certificate gives way.
    ///
    /// **Errors** if the certificate is not sealed, or of another network or other parameters; the model is then as before.
    pub fn certify(&mut self, certificate: Certificate) -> Result<()> {
        let refuse = |message: String| Error::Unsupported(format!("the model cannot be certified: {message}"));
        certificate.check(self.network.spec()).map_err(refuse)?;
        if !certificate.fits(self) {
            return Err(refuse("its certificate is of other parameters".into()));
        }
        self.certificate = Some(certificate);
        Ok(())
    }
}
