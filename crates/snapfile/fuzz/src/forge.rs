//! Damage where it counts, under seals that hold.
//!
//! Noise is caught by the checksum of the metas or by the digest, and what lies behind them is
//! never reached. So the bytes of the fuzzer are read as a list of changes to a sound database,
//! and checksums and digest are made anew over the result.

use sha2::{Digest, Sha256};

pub(crate) const PAGE: usize = 1024;
pub(crate) const HEADER: usize = 16;
const ELEMENT: usize = 16;
const TRAILER: usize = 32;
/// Longest file that changes may make.
const MOST_PAGES: usize = 256;

/// The first byte names the database, and every eight that follow are one change.
pub fn forge(seeds: &[Vec<u8>], changes: &[u8]) -> Option<Vec<u8>> {
    let (first, changes) = changes.split_first()?;
    let seed = seeds.get(usize::from(*first) % seeds.len())?;
    let mut image = seed.get(..seed.len() - TRAILER)?.to_vec();
    for change in changes.chunks_exact(8) {
        apply(&mut image, change.try_into().expect("eight"));
    }
    seal(&mut image);
    image.extend_from_slice(&Sha256::digest(&image));
    Some(image)
}

/// `what u8 | page u8 | place u16 | number u32`: what is changed, where, and to what.
fn apply(image: &mut Vec<u8>, change: [u8; 8]) {
    let [what, page, place_low, place_high, number @ ..] = change;
    let number = u32::from_le_bytes(number);
    let place = usize::from(u16::from_le_bytes([place_low, place_high]));
    let pages = image.len() / PAGE;
    let start = usize::from(page) % pages * PAGE;
    let count = usize::from(u16::from_le_bytes([image[start + 10], image[start + 11]]));
    let element = start + HEADER + place % count.clamp(1, 63) * ELEMENT;
    match what % 16 {
        // The header of a page.
        0 => put(image, start, &u64::from(number).to_le_bytes()),
        1 => put(image, start + 8, &[number as u8, (number >> 8) as u8]),
        2 => put(image, start + 10, &[number as u8, (number >> 8) as u8]),
        3 => put(image, start + 12, &number.to_le_bytes()),
        // One word of an element, set or shifted.
        4..=7 => put(
            image,
            element + usize::from(what % 4) * 4,
            &number.to_le_bytes(),
        ),
        8 => {
            let word = element + (number as usize >> 8) % 4 * 4;
            let old = image
                .get(word..word + 4)
                .and_then(|old| old.try_into().ok());
            let old = old.map_or(0, u32::from_le_bytes);
            put(
                image,
                word,
                &old.wrapping_add_signed(i32::from(number as i8))
                    .to_le_bytes(),
            );
        }
        // One field of a meta: page size, root, free list, high water, transaction.
        9 => {
            let fields = [24, 32, 48, 56, 64];
            let field = fields[place % fields.len()];
            let wide = if number == u32::MAX {
                u64::MAX
            } else {
                number.into()
            };
            let meta = start % (2 * PAGE);
            match field {
                24 => put(image, meta + field, &number.to_le_bytes()),
                _ => put(image, meta + field, &wide.to_le_bytes()),
            }
        }
        // Bytes anywhere on a page.
        10 => put(image, start + place % PAGE, &number.to_le_bytes()),
        11 => put(image, start + place % PAGE, &[number as u8]),
        // One page over another, with or without its number.
        12 | 13 => {
            let from = place % pages * PAGE;
            image.copy_within(from..from + PAGE, start);
            if what % 16 == 12 {
                put(image, start, &((start / PAGE) as u64).to_le_bytes());
            }
        }
        // More pages at the end, or fewer.
        14 if pages < MOST_PAGES => image.resize(image.len() + PAGE, 0),
        15 if pages > 3 => image.truncate(image.len() - PAGE),
        _ => {}
    }
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = image.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Checksums of both metas.
fn seal(image: &mut [u8]) {
    for page in [0, PAGE] {
        let Some(meta) = image.get(page + HEADER..page + HEADER + 56) else {
            continue;
        };
        let sum = meta.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        put(image, page + HEADER + 56, &sum.to_le_bytes());
    }
}
