//! Handles: numbers that C holds in place of references, each with a mark that tells whether it still means something.
//!
//! **The one global**: a table of objects behind a lock for reading and writing. Without it a handle would be a pointer, and one that
//! was freed, or never was ours, undefined behaviour instead of an error. To read an object costs the lock and a count, some tens of
//! nanoseconds; the lock is free again before the work begins, so that calls do not wait for each other. Objects are counted: one
//! that is freed while another thread works on it lives until that call ends.
//!
//! A handle is the object's place in the table (24 bits), how often the place was used before (32) and the object's kind (8), hidden by a
//! number that is random in each process: another process's handle, or a pointer, is not mistaken for one of ours but by a chance of
//! about 2^-32.

use crate::abi::{Model, Network, Predictor, Status, Threads, Workspace};
use crate::status::Failure;
use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// A kind of handle.
pub trait Handle: Copy {
    /// What people call it.
    const NAME: &'static str;
    /// Its number, which no other has.
    const KIND: u8;
    /// Of a number.
    fn from_id(id: u64) -> Self;
    /// Its number.
    fn id(self) -> u64;
}

macro_rules! handles {
    ($($handle:ident $kind:literal $name:literal),*) => {
        $(impl Handle for $handle {
            const NAME: &'static str = $name;
            const KIND: u8 = $kind;
            fn from_id(id: u64) -> Self {
                Self { id }
            }
            fn id(self) -> u64 {
                self.id
            }
        })*
        const NAMES: &[(u8, &str)] = &[$(($kind, $name)),*];
    };
}

handles!(Network 1 "network", Predictor 2 "predictor", Workspace 3 "workspace", Model 4 "model", Threads 5 "threads");

type Object = Arc<dyn Any + Send + Sync>;

/// A place of the table.
struct Slot {
    /// How many objects were here before.
    used: u32,
    kind: u8,
    object: Option<Object>,
}

struct Registry {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// What hides the numbers.
    mask: u64,
}

/// Places of the table: 24 bits.
const MOST: usize = 1 << 24;

static REGISTRY: LazyLock<RwLock<Registry>> = LazyLock::new(|| {
    // The standard library's own source of random keys; bit 0 sees to it that few places come close to 0.
    let mask = RandomState::new().hash_one("deltarule") | 1;
    RwLock::new(Registry { slots: Vec::new(), free: Vec::new(), mask })
});

impl Registry {
    fn id(&self, index: usize) -> u64 {
        let slot = &self.slots[index];
        (u64::from(slot.kind) << 56 | u64::from(slot.used) << 24 | index as u64) ^ self.mask
    }

    /// The place of a handle's object.
    fn find<H: Handle>(&self, handle: H) -> Result<usize, Failure> {
        let refuse = |found: String| {
            Failure::border(Status::Handle, format!("{}: expected a handle of a {0}, found {found}", H::NAME))
        };
        if handle.id() == 0 {
            return Err(refuse("none (all zero)".into()));
        }
        let bits = handle.id() ^ self.mask;
        let (index, used, kind) = ((bits & (MOST as u64 - 1)) as usize, (bits >> 24) as u32, (bits >> 56) as u8);
        let name = NAMES.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name);
        match (self.slots.get(index), name) {
            (Some(slot), Some(name)) if slot.used == used && slot.kind == kind && slot.object.is_some() => {
                if kind == H::KIND { Ok(index) } else { Err(refuse(format!("one of a {name}"))) }
            }
            (Some(slot), Some(_)) if used <= slot.used => Err(refuse("one that was freed".into())),
            _ => Err(refuse(format!("{:#x}, which this library did not make", handle.id()))),
        }
    }
}

/// Keeps an object, and gives its handle.
pub fn keep<H: Handle>(object: impl Any + Send + Sync) -> Result<H, Failure> {
    let object: Object = Arc::new(object);
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let index = match registry.free.pop() {
        Some(index) => index as usize,
        None if registry.slots.len() < MOST => {
            registry.slots.push(Slot { used: 0, kind: 0, object: None });
            registry.slots.len() - 1
        }
        None => return Err(Failure::border(Status::Memory, format!("{}: there are {MOST} objects already", H::NAME))),
    };
    let slot = &mut registry.slots[index];
    (slot.kind, slot.object) = (H::KIND, Some(object));
    // 0 is no handle.
    if registry.id(index) == 0 {
        registry.slots[index].used += 1;
    }
    Ok(H::from_id(registry.id(index)))
}

/// The object of a handle, for as long as the caller needs it; nothing, if it is one over another type of numbers.
pub fn get<O: Any + Send + Sync>(handle: impl Handle) -> Result<Option<Arc<O>>, Failure> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    let index = registry.find(handle)?;
    let object = registry.slots[index].object.clone().expect("found");
    drop(registry);
    Ok(object.downcast().ok())
}

/// Forgets an object, which ends when nobody works on it any more.
pub fn free(handle: impl Handle) -> Result<(), Failure> {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let index = registry.find(handle)?;
    let slot = &mut registry.slots[index];
    let object = slot.object.take();
    // A place that was used as often as can be counted is given up.
    if let Some(used) = slot.used.checked_add(1) {
        slot.used = used;
        registry.free.push(index as u32);
    }
    drop(registry);
    // Outside the lock: it may be large.
    drop(object);
    Ok(())
}

/// How many objects there are.
pub fn count() -> usize {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.slots.iter().filter(|slot| slot.object.is_some()).count()
}
