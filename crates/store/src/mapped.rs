//! Buffers of a part's size, which go back to the system when they are dropped.
//!
//! glibc gives a large block a mapping of its own, but once one was freed it serves all of that
//! size from the heap (mallopt(3), `M_MMAP_THRESHOLD`), and each thread's heap keeps what it had:
//! 40 MB in a daemon that rests for 12 hours between two uploads. Blocks above 32 MiB
//! (`DEFAULT_MMAP_THRESHOLD_MAX`) are mappings always. So that is what is asked for, whatever is
//! needed: pages that nobody touches are addresses and no memory.

/// Above glibc's greatest threshold.
const ALWAYS_MAPPED: usize = 33 << 20;
/// Below it glibc's heap does no harm.
const LARGE: usize = 1 << 20;

/// Zeros, `len` of them.
pub(crate) fn zeros(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; room(len)];
    bytes.truncate(len);
    bytes
}

/// The capacity to ask for when `len` bytes are needed.
pub(crate) fn room(len: usize) -> usize {
    if len < LARGE {
        len
    } else {
        len.max(ALWAYS_MAPPED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_is_as_long_as_asked_and_above_the_greatest_threshold() {
        let bytes = zeros(LARGE);
        assert_eq!(bytes.len(), LARGE);
        assert!(bytes.capacity() > 32 << 20);
        assert_eq!(zeros(5).capacity(), 5);
    }
}
