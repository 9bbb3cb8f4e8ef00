//! The same database with its pages elsewhere, as after years of writing: in any order, with free
//! pages between them, and the free list kept or not.

use std::collections::BTreeMap;

use crate::anatomy::{Anatomy, META, What, number, seal, seal_meta};
use crate::chance::Chance;

const FREE_LIST: u16 = 0x10;

/// Of a snapshot that was built: all its pages are in use, and its free list is not kept.
pub(crate) fn scatter(snapshot: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut image = snapshot[..snapshot.len() - 32].to_vec();
    let anatomy = Anatomy::of(snapshot);
    let page = anatomy.page_size;

    let mut runs = Vec::new();
    for field in anatomy
        .fields
        .iter()
        .filter(|field| field.what == What::PageId)
    {
        let overflow = number(snapshot, field.at.start + 12, 4);
        runs.push((field.at.start / page, overflow + 1));
    }
    chance.shuffle(&mut runs);
    let mut next = 2;
    let mut new_ids = BTreeMap::new();
    for (id, run) in &runs {
        // Free pages now and then.
        next += [0, 0, 0, 1, 7][chance.index(5)];
        new_ids.insert(*id, next);
        next += run;
    }
    // bbolt refuses a shorter file.
    next = next.max(4096 / page);
    let used: usize = runs.iter().map(|(_, run)| run).sum();
    let list_run = (16 + 8 * (next - 2 - used)).div_ceil(page);
    let free_list = chance.one_in(3).then_some(next);
    next += free_list.map_or(0, |_| list_run);

    for field in &anatomy.fields {
        let is_page = matches!(field.what, What::PageId | What::Child | What::BucketRoot);
        let moved = new_ids.get(&number(snapshot, field.at.start, 8.min(field.at.len())));
        if let Some(moved) = moved.filter(|_| is_page) {
            image[field.at.clone()].copy_from_slice(&(*moved as u64).to_le_bytes());
        }
    }
    // What is free holds what it held before: other pages, and noise.
    let mut scattered = Vec::with_capacity(next * page + 32);
    scattered.extend_from_slice(&image[..2 * page]);
    while scattered.len() < next * page {
        let noise = chance.bytes(page);
        scattered.extend_from_slice(&noise);
    }
    let mut free = vec![true; next];
    for (id, run) in &runs {
        let to = new_ids[id];
        free[to..to + run].fill(false);
        scattered[to * page..(to + run) * page]
            .copy_from_slice(&image[id * page..(id + run) * page]);
    }
    if let Some(id) = free_list {
        free[id..id + list_run].fill(false);
        let ids = (2..next).filter(|page| free[*page]).map(|page| page as u64);
        let ids: Vec<_> = ids.collect();
        let mut list = (id as u64).to_le_bytes().to_vec();
        list.extend_from_slice(&FREE_LIST.to_le_bytes());
        list.extend_from_slice(&u16::try_from(ids.len()).unwrap().to_le_bytes());
        let overflow = u32::try_from(list_run - 1).unwrap();
        list.extend_from_slice(&overflow.to_le_bytes());
        list.extend(ids.into_iter().flat_map(u64::to_le_bytes));
        scattered[id * page..id * page + list.len()].copy_from_slice(&list);
    }
    // As in a snapshot: the first meta is the newer one.
    let txid = 2 + chance.below(1000);
    for (place, txid) in [(0, txid), (page, txid - 1)] {
        let old_root = number(snapshot, META + 16, 8);
        let list = free_list.map_or(u64::MAX, |page| page as u64);
        let fields = [
            (16, new_ids[&old_root] as u64),
            (32, list),
            (40, next as u64),
            (48, txid),
        ];
        for (field, value) in fields {
            let at = place + META + field;
            scattered[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        seal_meta(&mut scattered, place);
    }
    scattered.extend_from_slice(&[0; 32]);
    seal(&mut scattered);
    scattered
}
