//! The border: the one file of this crate with `unsafe` in it.
//!
//! Every exported function is made by [`export`] and runs inside [`enter`], which turns errors and panics into a status. Pointers
//! arrive as [`In`] and [`Out`], which nothing but C can make; a [`Call`] turns them into slices, or says what is wrong with them:
//! null, not aligned, a size that no memory has, rows that overlap, or memory that the call is to read and to write at once.
//!
//! What is left to the caller's word is what no library can see: that the memory is there, for as long as the call, and that nobody
//! else writes to it meanwhile.

use crate::abi::Status;
use crate::status::{self, Failure, Outcome};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};
use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

/// A pointer of C's to what is read.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct In<T>(*const T);

/// A pointer of C's to what is written.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Out<T>(*mut T);

/// A pointer of C's that goes back to C untouched.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct User(*mut c_void);

impl<T> In<T> {
    /// No pointer: what an option is without a text.
    pub const NULL: Self = Self(ptr::null());

    /// Whether there is none.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// What C reads of ours during a callback.
    pub fn of(slice: &[T]) -> Self {
        Self(slice.as_ptr())
    }
}

impl In<c_char> {
    /// A text of this library's, for as long as it is kept.
    pub fn of_text(text: &CStr) -> Self {
        Self(text.as_ptr())
    }
}

impl<T> Out<T> {
    /// Whether there is none.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Whether it is where `other` is.
    pub fn is(self, other: In<T>) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Out<c_char> {
    /// The same place for bytes.
    pub fn bytes(self) -> Out<u8> {
        Out(self.0.cast())
    }
}

impl User {
    /// No pointer.
    pub const NULL: Self = Self(ptr::null_mut());
}

/// Types of which every pattern of bits is a value, so that C cannot give a wrong one.
///
/// # Safety
///
/// No reference, no `bool`, no Rust enum may be inside. A function pointer may: C promises that it is one or null.
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($t:ty),* $(,)?) => {
        $(
            // SAFETY: numbers, pointers, and structs of both.
            unsafe impl Plain for $t {}
        )*
    };
}

plain!(f32, f64, u8, c_char, usize, i32, In<c_char>);
plain!(crate::abi::Network, crate::abi::Predictor, crate::abi::Workspace, crate::abi::Model, crate::abi::Threads);
plain!(crate::abi::Layer, crate::abi::Batch<f32>, crate::abi::Batch<f64>, crate::abi::Value, crate::abi::TrainOptions);
plain!(crate::abi::GradcheckOptions, crate::abi::GradcheckReport, crate::abi::History, crate::abi::Build);
plain!(crate::abi::NetworkSizes, crate::abi::LayerPlace, crate::abi::ModelFacts);

/// Memory that a call has in use.
#[derive(Clone, Copy, Debug)]
struct Region {
    name: &'static str,
    start: usize,
    end: usize,
    written: bool,
}

/// The most regions of a call; a training has 15.
const MOST_REGIONS: usize = 24;
/// The largest struct with a size of its own that makes sense, in bytes.
const MOST_STRUCT: usize = 4096;

/// One call from C, and the memory that it has in use: what makes it sound to hand out slices.
///
/// **Why it is sound**: a region that is written shares no byte with any other region of the call, before or after it. Regions stay
/// for as long as the call, and no slice outlives it.
#[derive(Debug)]
pub struct Call {
    regions: RefCell<[Region; MOST_REGIONS]>,
    count: Cell<usize>,
}

impl Call {
    fn new() -> Self {
        let none = Region { name: "", start: 0, end: 0, written: false };
        Self { regions: RefCell::new([none; MOST_REGIONS]), count: Cell::new(0) }
    }

    /// The bytes from `address` on of `len` elements, if they can be memory of type `T`.
    fn region<T>(&self, name: &str, address: usize, len: usize) -> Result<(usize, usize), Failure> {
        let limit = isize::MAX as usize;
        let Some(bytes) = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= limit) else {
            return Err(too_large(name, format!("{len} elements of {} bytes", size_of::<T>())));
        };
        if address == 0 {
            let expected = format!("expected a pointer to {len} x {}", short_name::<T>());
            return Err(Failure::border(Status::Null, format!("{name}: {expected}, found null")));
        }
        if !address.is_multiple_of(align_of::<T>()) {
            let expected = format!("a multiple of {}, the alignment of {}", align_of::<T>(), short_name::<T>());
            return Err(Failure::border(Status::Pointer, format!("{name}: expected {expected}, found {address:#x}")));
        }
        match address.checked_add(bytes) {
            Some(end) => Ok((address, end)),
            None => Err(too_large(name, format!("{len} elements from {address:#x} on"))),
        }
    }

    /// Refuses memory that is in use, be it for one writing and one reading, or two writings.
    fn check_free(&self, name: &str, (start, end): (usize, usize), written: bool) -> Result<(), Failure> {
        let regions = self.regions.borrow();
        let used = &regions[..self.count.get()];
        match used.iter().find(|used| (used.written || written) && start < used.end && used.start < end) {
            None => Ok(()),
            Some(used) => {
                let message = format!("{name}: expected memory of its own, found some of {}", used.name);
                Err(Failure::border(Status::Overlap, message))
            }
        }
    }

    fn claim(&self, name: &'static str, (start, end): (usize, usize), written: bool) -> Result<(), Failure> {
        self.check_free(name, (start, end), written)?;
        let count = self.count.get();
        self.regions.borrow_mut()[count] = Region { name, start, end, written };
        self.count.set(count + 1);
        Ok(())
    }

    /// `len` elements to read; none, if there are to be none, wherever the pointer points.
    pub fn read<T: Plain>(&self, name: &'static str, from: In<T>, len: usize) -> Result<&[T], Failure> {
        if len == 0 {
            return Ok(&[]);
        }
        self.claim(name, self.region::<T>(name, from.0 as usize, len)?, false)?;
        // SAFETY: not null, aligned, no longer than a slice may be, and nothing of it is written during the call (the type's head).
        // C promises that the elements are there; all bits are values.
        Ok(unsafe { slice::from_raw_parts(from.0, len) })
    }

    /// `len` elements to write; none, if there are to be none.
    #[expect(
        clippy::mut_from_ref,
        reason = "the call sees to it that no two slices of it overlap where one is written"
    )]
    pub fn write<T: Plain>(&self, name: &'static str, to: Out<T>, len: usize) -> Result<&mut [T], Failure> {
        if len == 0 {
            return Ok(&mut []);
        }
        self.claim(name, self.region::<T>(name, to.0 as usize, len)?, true)?;
        // SAFETY: not null, aligned, no longer than a slice may be, and no other slice of the call shares a byte with it (the type's
        // head). C promises that the elements are there; all bits are values.
        Ok(unsafe { slice::from_raw_parts_mut(to.0, len) })
    }

    /// One thing to write, such as a handle.
    #[expect(clippy::mut_from_ref, reason = "as for a slice")]
    pub fn place<T: Plain>(&self, name: &'static str, to: Out<T>) -> Result<&mut T, Failure> {
        Ok(&mut self.write(name, to, 1)?[0])
    }

    /// One thing to read.
    pub fn one<T: Plain>(&self, name: &'static str, from: In<T>) -> Result<&T, Failure> {
        Ok(&self.read(name, from, 1)?[0])
    }

    /// A matrix to read, its rows `stride` elements apart.
    pub fn rows<T: Plain>(
        &self,
        name: &'static str,
        from: In<T>,
        (rows, cols): (usize, usize),
        stride: usize,
    ) -> Result<ArrayView2<'_, T>, Failure> {
        let data = self.read(name, from, extent(name, rows, cols, stride)?)?;
        // An array without elements has no strides.
        let view = match data.is_empty() {
            true => ArrayView2::from_shape((rows, cols), data),
            false => ArrayView2::from_shape((rows, cols).strides((stride, 1)), data),
        };
        view.map_err(|_| too_large(name, format!("{rows} x {cols}")))
    }

    /// A matrix to write, its rows `stride` elements apart; what lies between them stays.
    pub fn rows_mut<T: Plain>(
        &self,
        name: &'static str,
        to: Out<T>,
        (rows, cols): (usize, usize),
        stride: usize,
    ) -> Result<ArrayViewMut2<'_, T>, Failure> {
        let data = self.write(name, to, extent(name, rows, cols, stride)?)?;
        let view = match data.is_empty() {
            true => ArrayViewMut2::from_shape((rows, cols), data),
            false => ArrayViewMut2::from_shape((rows, cols).strides((stride, 1)), data),
        };
        view.map_err(|_| too_large(name, format!("{rows} x {cols}")))
    }

    /// A text in UTF-8.
    pub fn text(&self, name: &'static str, from: In<c_char>) -> Result<&str, Failure> {
        let bytes = self.bytes_of_text(name, from)?;
        self.claim(name, (from.0 as usize, from.0 as usize + bytes.len() + 1), false)?;
        utf8(name, bytes)
    }

    /// A copy of a text in UTF-8, of which there may be very many in a call.
    pub fn text_copy(&self, name: &str, from: In<c_char>) -> Result<String, Failure> {
        let bytes = self.bytes_of_text(name, from)?;
        self.check_free(name, (from.0 as usize, from.0 as usize + bytes.len() + 1), false)?;
        utf8(name, bytes).map(Into::into)
    }

    fn bytes_of_text(&self, name: &str, from: In<c_char>) -> Result<&[u8], Failure> {
        self.region::<c_char>(name, from.0 as usize, 1)?;
        // SAFETY: not null. C promises that a zero ends it.
        Ok(unsafe { CStr::from_ptr(from.0) }.to_bytes())
    }

    /// A text in UTF-8, or none.
    pub fn optional_text(&self, name: &'static str, from: In<c_char>) -> Result<Option<&str>, Failure> {
        if from.is_null() { Ok(None) } else { self.text(name, from).map(Some) }
    }

    /// A struct that begins with its size in bytes, as the caller's header has it: members that an older one lacks are as in
    /// `defaults`, which is all there is of a null pointer. Of a newer one, what this library does not know must be zero.
    pub fn options<T: Plain>(&self, name: &'static str, from: In<T>, defaults: T) -> Result<T, Failure> {
        if from.is_null() {
            return Ok(defaults);
        }
        let bytes = self.read::<u8>(name, In(from.0.cast()), self.size_of_struct::<T>(name, from)?)?;
        let known = bytes.len().min(size_of::<T>());
        if bytes[known..].iter().any(|byte| *byte != 0) {
            let message = format!("{name}.size: expected at most {}, found {}", size_of::<T>(), bytes.len());
            return Err(Failure::border(
                Status::Usage,
                message + ": this library is older than the header, and a member that it does not know is set",
            ));
        }
        let mut options = defaults;
        // SAFETY: `known` bytes are in both, and all bits are values. Bytes are copied, which may be padding.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut options).cast::<u8>(), known) };
        Ok(options)
    }

    /// Where a struct goes that begins with its size in bytes, which the caller has set.
    pub fn report<T: Plain>(&self, name: &'static str, to: Out<T>) -> Result<Report<'_, T>, Failure> {
        let size = self.size_of_struct::<T>(name, In(to.0))?;
        Ok(Report(Some(self.write::<u8>(name, Out(to.0.cast()), size)?), PhantomData))
    }

    /// The same, or nowhere if the pointer is null.
    pub fn optional_report<T: Plain>(&self, name: &'static str, to: Out<T>) -> Result<Report<'_, T>, Failure> {
        if to.is_null() { Ok(Report(None, PhantomData)) } else { self.report(name, to) }
    }

    /// As [`report`](Self::report), of a struct whose size is yet to be set, and is `size`.
    pub fn begin_report<T: Plain>(
        &self,
        name: &'static str,
        to: Out<T>,
        size: usize,
    ) -> Result<Report<'_, T>, Failure> {
        self.region::<T>(name, to.0 as usize, 1)?;
        let bytes = self.write::<u8>(name, Out(to.0.cast()), check_size(name, size)?)?;
        bytes.fill(0);
        bytes[..size_of::<usize>()].copy_from_slice(&size.to_ne_bytes());
        Ok(Report(Some(bytes), PhantomData))
    }

    /// The first member.
    fn size_of_struct<T: Plain>(&self, name: &'static str, from: In<T>) -> Result<usize, Failure> {
        self.region::<T>(name, from.0 as usize, 1)?;
        // SAFETY: not null and aligned for `T`, which begins with a `usize`; C promises that it is there.
        check_size(name, unsafe { from.0.cast::<usize>().read() })
    }
}

/// A place for a struct of the size that the caller knows.
#[derive(Debug)]
pub struct Report<'c, T>(Option<&'c mut [u8]>, PhantomData<T>);

impl<T: Plain> Report<'_, T> {
    /// Writes as much of `value` as there is room for, but for its size, which stays the caller's.
    pub fn set(self, value: T) {
        let Some(bytes) = self.0 else { return };
        let (head, known) = (size_of::<usize>(), bytes.len().min(size_of::<T>()));
        // SAFETY: `known` bytes are in both, `head` at least, and the two are different memory. Bytes are copied, which may be padding.
        unsafe {
            let from = (&raw const value).cast::<u8>().add(head);
            ptr::copy_nonoverlapping(from, bytes.as_mut_ptr().add(head), known - head);
        }
    }
}

fn check_size(name: &str, size: usize) -> Result<usize, Failure> {
    // Half a member would be copied otherwise, and half a pointer is none.
    if (size_of::<usize>()..=MOST_STRUCT).contains(&size) && size.is_multiple_of(size_of::<usize>()) {
        return Ok(size);
    }
    let expected = format!("the size of the struct, {0} to {MOST_STRUCT} bytes in steps of {0}", size_of::<usize>());
    Err(Failure::border(Status::Usage, format!("{name}.size: expected {expected}, found {size}")))
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes)
        .map_err(|e| Failure::border(Status::Usage, format!("{name}: expected a text in UTF-8, found {e}")))
}

/// How many elements a matrix covers, from its first to its last.
pub fn extent(name: &str, rows: usize, cols: usize, stride: usize) -> Result<usize, Failure> {
    if stride < cols {
        let message = format!("stride of {name}: expected at least {cols}, its columns, found {stride}");
        return Err(Failure::border(Status::Usage, message));
    }
    if rows == 0 || cols == 0 {
        return Ok(0);
    }
    (rows - 1)
        .checked_mul(stride)
        .and_then(|before_last| before_last.checked_add(cols))
        .ok_or_else(|| too_large(name, format!("{rows} rows {stride} elements apart")))
}

fn too_large(name: &str, found: String) -> Failure {
    Failure::border(Status::Usage, format!("{name}: expected what memory can hold, found {found}"))
}

/// The type's name without its path.
fn short_name<T>() -> &'static str {
    let name = type_name::<T>();
    name.rsplit_once("::").map_or(name, |(_, name)| name)
}

/// Runs `body`, and makes a status of an error or a panic.
pub fn enter(name: &'static str, body: impl FnOnce(&Call) -> Outcome) -> Status {
    // What a panic interrupts are objects behind locks; nothing of ours is left half written (see `network.rs`, `workspace.rs`).
    let result = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(feature = "failpoints")]
        crate::failpoint::pass(name);
        body(&Call::new())
    }));
    match result {
        Ok(Ok(())) => Status::Ok,
        Ok(Err(failure)) => status::remember(name, &failure),
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            let said = said.unwrap_or("a panic without words");
            let failure = Failure::border(Status::Panic, format!("a fault of this library: {said}"));
            status::remember(name, &failure)
        }
    }
}

/// Exports functions to C: `fn name(call, argument: Type) { … }`, or a pair of them over `T`, `fn name_f32 | name_f64 <T>(…) { … }`.
///
/// The body ends in an [`Outcome`]; the function returns its [`Status`]. `tests/header.rs` reads the same text.
macro_rules! export {
    () => {};
    ($(#[$meta:meta])* fn $name:ident($call:ident $(, $argument:ident: $type:ty)* $(,)?) $body:block $($rest:tt)*) => {
        const _: () = {
            $(#[$meta])*
            // SAFETY: the name is ours, by its prefix.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($($argument: $type),*) -> $crate::abi::Status {
                $crate::border::enter(stringify!($name), |$call: &$crate::border::Call| -> $crate::status::Outcome { $body })
            }
        };
        $crate::border::export! { $($rest)* }
    };
    (
        $(#[$meta:meta])* fn $single:ident | $double:ident <$real:ident>(
            $call:ident $(, $argument:ident: $type:ty)* $(,)?
        ) $body:block $($rest:tt)*
    ) => {
        const _: () = {
            type $real = f32;
            $(#[$meta])*
            // SAFETY: the name is ours, by its prefix.
            #[unsafe(no_mangle)]
            pub extern "C" fn $single($($argument: $type),*) -> $crate::abi::Status {
                $crate::border::enter(stringify!($single), |$call: &$crate::border::Call| -> $crate::status::Outcome { $body })
            }
        };
        const _: () = {
            type $real = f64;
            $(#[$meta])*
            // SAFETY: the name is ours, by its prefix.
            #[unsafe(no_mangle)]
            pub extern "C" fn $double($($argument: $type),*) -> $crate::abi::Status {
                $crate::border::enter(stringify!($double), |$call: &$crate::border::Call| -> $crate::status::Outcome { $body })
            }
        };
        $crate::border::export! { $($rest)* }
    };
}

/// Exports functions that cannot fail and touch no memory of the caller's: `fn name(argument: Type) -> Type { … }`.
macro_rules! export_plain {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => {
        $(
            const _: () = {
                $(#[$meta])*
                // SAFETY: the name is ours, by its prefix.
                #[unsafe(no_mangle)]
                pub extern "C" fn $name($($argument: $type),*) -> $result $body
            };
        )*
    };
}

pub(crate) use {export, export_plain};
