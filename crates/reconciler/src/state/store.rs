//! The entries of one partition, packed: a service with ten million submissions holds them all in memory.
//!
//! Owns: records in pages, found by a table of places. A record is its key and the packed entry ([`super::packed`]), so
//! an entry costs its own bytes, some seven for its place, and what is dead in its page: at most half of it, and none
//! where entries change seldom. Must not know: what an entry means.
//!
//! Path: [`Store::insert`] writes in place what fits, else at the end of the open page; a page that is half dead is
//! copied and given back ([`Store::tidy`]).

use super::packed::{Glance, check, glance, pack, unpack};
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use models::{Check, Entry, Key, Time};
use std::hash::BuildHasher;

/// The room of a page. A change of one entry copies one page at most.
const PAGE: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 20;
/// Records begin at multiples of this, so that a place fits 32 bits: 16 GiB for a partition.
const UNIT: usize = 1 << UNIT_BITS;
const UNIT_BITS: u32 = 2;
/// Before key and entry: how long the record is, in units, and how long its key, which is 0 for a dead one.
const HEADER: usize = 3;
/// What a record may be longer than its entry needs.
const SPARE: usize = 2 * UNIT;

/// The hash by which a timer finds its entry: two entries may share one.
pub(super) type Mark = u32;

#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    dead: usize,
}

impl Page {
    /// The records that live in it; `number`: which page it is.
    fn records(&self, number: usize) -> impl Iterator<Item = (Place, Record<'_>)> {
        let mut at = 0;
        let all = std::iter::from_fn(move || {
            let found = (at < self.bytes.len()).then(|| (Place::new(number, at), record(&self.bytes, at)))?;
            at += found.1.length;
            Some(found)
        });
        all.filter(|(_, record)| !record.key.is_empty())
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(u32);

impl Place {
    fn new(page: usize, at: usize) -> Place {
        Place(((page << (PAGE_BITS - UNIT_BITS)) | (at >> UNIT_BITS)) as u32)
    }

    fn page(self) -> usize {
        (self.0 >> (PAGE_BITS - UNIT_BITS)) as usize
    }

    fn at(self) -> usize {
        (self.0 as usize & ((PAGE >> UNIT_BITS) - 1)) << UNIT_BITS
    }
}

/// One record as it lies in its page.
struct Record<'a> {
    length: usize,
    key: &'a [u8],
    entry: &'a [u8],
}

fn record(page: &[u8], at: usize) -> Record<'_> {
    let units = usize::from(u16::from_le_bytes([page[at], page[at + 1]]));
    let (length, key) = (units * UNIT, usize::from(page[at + 2]));
    let (start, end) = (at + HEADER, at + length);
    Record { length, key: &page[start..start + key], entry: &page[start + key..end] }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Store {
    hasher: RandomState,
    index: HashTable<Place>,
    pages: Vec<Page>,
    /// The page that grows.
    open: usize,
    /// Pages that were given back.
    free: Vec<usize>,
    /// Where a record is made before it is put into its page.
    scratch: Vec<u8>,
}

impl Store {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Store::default();
    }

    /// The mark of a key, whether or not it is here.
    pub(super) fn mark(&self, key: &str) -> Mark {
        mark_of(&self.hasher, key.as_bytes())
    }

    pub(super) fn get(&self, key: &Key) -> Option<Entry> {
        unpack(self.find(key.as_str(), self.mark(key.as_str()))?)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key, self.mark(key)).is_some()
    }

    /// What is said of it at a glance. `mark` is the key's.
    pub(super) fn glance(&self, key: &str, mark: Mark) -> Option<Glance> {
        glance(self.find(key, mark)?)
    }

    fn first(&self, mark: Mark) -> Option<&Place> {
        self.index.iter_hash(spread(mark)).next()
    }

    fn find(&self, key: &str, mark: Mark) -> Option<&[u8]> {
        let found = self.index.find(spread(mark), |place| self.at(*place).key == key.as_bytes())?;
        Some(self.at(*found).entry)
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let hash = spread(self.mark(key.as_str()));
        let Store { index, pages, .. } = self;
        let found = index.find_entry(hash, |place| at(pages, *place).key == key.as_str().as_bytes());
        if let Ok(found) = found {
            let (place, _) = found.remove();
            self.bury(place);
        }
    }

    pub(super) fn insert(&mut self, key: &Key, entry: &Entry) {
        let hash = spread(self.mark(key.as_str()));
        let key = key.as_str().as_bytes();
        self.make(key, entry);
        let known = self.index.find(hash, |place| self.at(*place).key == key).copied();
        if let Some(place) = known
            && self.replace(place)
        {
            return;
        }
        if known.is_none() && self.index.len() == self.index.capacity() {
            self.grow();
        }
        let new = self.append();
        let Store { hasher, index, pages, .. } = self;
        match known.and_then(|old| index.find_mut(hash, |place| *place == old)) {
            Some(place) => *place = new,
            None => drop(index.insert_unique(hash, new, |place| hash_of(hasher, &at(pages, *place)))),
        }
        if let Some(old) = known {
            self.bury(old);
        }
    }

    /// The keys with this mark, and perhaps others, that are due, and since when.
    pub(super) fn due(&self, mark: Mark, now: Time) -> impl Iterator<Item = (Time, Key)> {
        let records = self.index.iter_hash(spread(mark)).map(|place| self.at(*place));
        records.filter_map(move |record| {
            let due = check(record.entry)?.due;
            (due <= now).then(|| key_of(&record)).flatten().map(|key| (due, key))
        })
    }

    /// When the entries with this mark, and perhaps others, are due.
    pub(super) fn due_times(&self, mark: Mark) -> impl Iterator<Item = Time> {
        self.index.iter_hash(spread(mark)).filter_map(|place| check(self.at(*place).entry).map(|check| check.due))
    }

    /// Who is to be looked at again: project, mark, when and why.
    pub(super) fn all_checks(&self) -> impl Iterator<Item = (&str, Mark, Check)> {
        self.records().filter_map(|(_, record)| {
            let project = std::str::from_utf8(record.key).ok()?.split('/').next()?;
            Some((project, mark_of(&self.hasher, record.key), check(record.entry)?))
        })
    }

    /// All records, as they lie: to follow the index would be to jump through all of the memory.
    fn records(&self) -> impl Iterator<Item = (Place, Record<'_>)> {
        self.pages.iter().enumerate().flat_map(|(number, page)| page.records(number))
    }

    /// Makes the index anew with more room.
    fn grow(&mut self) {
        let mut index = HashTable::with_capacity(self.index.len() + self.index.len() / 2 + 1);
        for (place, record) in self.records() {
            let hash = hash_of(&self.hasher, &record);
            index.insert_unique(hash, place, |place| hash_of(&self.hasher, &self.at(*place)));
        }
        self.index = index;
    }

    fn at(&self, place: Place) -> Record<'_> {
        at(&self.pages, place)
    }

    /// Makes the record in `scratch`, up to a whole unit.
    fn make(&mut self, key: &[u8], entry: &Entry) {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.extend([0, 0, key.len() as u8]);
        bytes.extend(key);
        bytes = pack(entry, bytes);
        bytes.resize(bytes.len().next_multiple_of(UNIT), 0);
        let length = units(bytes.len());
        bytes[..2].copy_from_slice(&length);
        self.scratch = bytes;
    }

    /// Puts `scratch` where a record of the same key is, if it fits; what is left over is dead, or kept if it is little:
    /// an entry that is now a byte shorter and now longer stays where it is.
    fn replace(&mut self, place: Place) -> bool {
        let (old, new) = (self.at(place).length, self.scratch.len());
        if new > old {
            return false;
        }
        let page = &mut self.pages[place.page()];
        let record = &mut page.bytes[place.at()..place.at() + old];
        record[..new].copy_from_slice(&self.scratch);
        if old - new <= SPARE {
            record[..2].copy_from_slice(&units(old));
        } else {
            let [first, second] = units(old - new);
            record[new..new + HEADER].copy_from_slice(&[first, second, 0]);
            page.dead += old - new;
            self.tidy(place.page());
        }
        true
    }

    /// Puts `scratch` at the end of the open page.
    fn append(&mut self) -> Place {
        let full = |page: &Page| page.bytes.len() + self.scratch.len() > PAGE;
        if self.pages.get(self.open).is_none_or(full) {
            self.open = self.free.pop().unwrap_or_else(|| {
                self.pages.push(Page::default());
                self.pages.len() - 1
            });
            // All of it at once: memory that is not written to costs nothing, and growing would copy it again and again.
            self.pages[self.open].bytes.reserve_exact(PAGE);
        }
        let page = &mut self.pages[self.open];
        let at = page.bytes.len();
        page.bytes.extend_from_slice(&self.scratch);
        Place::new(self.open, at)
    }

    fn bury(&mut self, place: Place) {
        let length = self.at(place).length;
        let page = &mut self.pages[place.page()];
        page.bytes[place.at() + 2] = 0;
        page.dead += length;
        self.tidy(place.page());
    }

    /// Copies what lives in a page that is half dead to the open one.
    fn tidy(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.dead * 2 <= page.bytes.len() || page.dead < PAGE / 4 {
            return;
        }
        if number == self.open {
            // Nothing is appended to a page that is being copied.
            self.open = usize::MAX;
        }
        let old = std::mem::take(page);
        for (from, found) in old.records(number) {
            self.scratch.clear();
            self.scratch.extend_from_slice(&old.bytes[from.at()..from.at() + found.length]);
            let to = self.append();
            if let Some(place) = self.index.find_mut(hash_of(&self.hasher, &found), |place| *place == from) {
                *place = to;
            }
        }
        self.free.push(number);
    }
}

/// Reads the first bytes of many records, so that whoever looks at one after the other next finds them near: one by one,
/// each would be waited for by itself, and memory is what a walk over equal rows waits for most.
pub(super) fn bring_near<'a>(wanted: impl Iterator<Item = (&'a Store, Mark)>) {
    let places: Vec<(&Store, Place)> = wanted.filter_map(|(store, mark)| Some((store, *store.first(mark)?))).collect();
    let first = |(store, place): &(&Store, Place)| u32::from(store.pages[place.page()].bytes[place.at()]);
    std::hint::black_box(places.iter().map(first).sum::<u32>());
}

fn at(pages: &[Page], place: Place) -> Record<'_> {
    record(&pages[place.page()].bytes, place.at())
}

fn mark_of(hasher: &RandomState, key: &[u8]) -> Mark {
    hasher.hash_one(key) as Mark
}

/// A length as a record begins with it.
fn units(length: usize) -> [u8; 2] {
    ((length / UNIT) as u16).to_le_bytes()
}

fn hash_of(hasher: &RandomState, record: &Record<'_>) -> u64 {
    spread(mark_of(hasher, record.key))
}

/// The table looks at the highest and the lowest bits.
fn spread(mark: Mark) -> u64 {
    u64::from(mark).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn key_of(record: &Record<'_>) -> Option<Key> {
    Key::parse(std::str::from_utf8(record.key).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{CheckReason, Claim, Pending};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u16) -> Key {
        Key::parse(&format!("acme/s{number}")).unwrap()
    }

    fn entry(claims: usize, due: Option<i64>) -> Entry {
        let claim = |number| Claim { trigger: "updated".to_owned(), attempts: Some(number), ..Claim::default() };
        let pending = Pending { claims: (0..claims as u32).map(claim).collect(), ..Pending::default() };
        Entry {
            sequence: claims as u64,
            since: Time::from_millis(1_700_000_000_000),
            pending: (claims > 0).then(|| Box::new(pending)),
            check: due.map(|due| Check { due: Time::from_millis(due), reason: CheckReason::Relook }),
            ..Entry::default()
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_map_holds(
            steps in prop::collection::vec((0u16..40, prop::option::of((0usize..9, prop::option::of(0i64..100)))), 0..400)
        ) {
            let (mut store, mut plain) = (Store::default(), BTreeMap::new());
            for (number, step) in steps {
                if let Some((claims, due)) = step {
                    store.insert(&key(number), &entry(claims, due));
                    plain.insert(number, entry(claims, due));
                } else {
                    store.remove(&key(number));
                    plain.remove(&number);
                }
            }
            prop_assert_eq!(store.len(), plain.len());
            for number in 0..40 {
                prop_assert_eq!(store.get(&key(number)), plain.get(&number).cloned());
                let glance = store.glance(key(number).as_str(), store.mark(key(number).as_str()));
                prop_assert_eq!(glance, plain.get(&number).map(Glance::from));
            }
            let mut due: Vec<_> = store.all_checks().map(|(_, mark, check)| (check.due, mark)).collect();
            let mut expected: Vec<_> =
                plain.iter().filter_map(|(number, entry)| Some((entry.check?.due, store.mark(key(*number).as_str())))).collect();
            due.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(due, expected);
            for (number, entry) in &plain {
                let found = store.due(store.mark(key(*number).as_str()), Time::from_millis(50)).any(|(_, found)| found == key(*number));
                prop_assert_eq!(found, entry.check.is_some_and(|check| check.due <= Time::from_millis(50)));
            }
        }
    }

    #[test]
    fn an_entry_that_is_a_byte_longer_at_times_stays_in_its_place() {
        let mut store = Store::default();
        let sized = |sequence| Entry { sequence, ..entry(0, None) };
        for sequence in (0..1_000).map(|round| if round % 2 == 0 { 1 << 40 } else { 1 }) {
            store.insert(&key(1), &sized(sequence));
            assert_eq!(store.get(&key(1)), Some(sized(sequence)));
        }
        let [page] = &store.pages[..] else { panic!("one page") };
        assert_eq!((page.bytes.len(), page.dead), (store.records().map(|(_, record)| record.length).sum(), 0));
    }

    #[test]
    fn pages_that_are_half_dead_are_given_back() {
        let mut store = Store::default();
        for round in 0..20 {
            for number in 0..20_000 {
                store.insert(&key(number), &entry(usize::from(number + round) % 9, None));
            }
        }
        for number in 0..20_000 {
            assert_eq!(store.get(&key(number)), Some(entry(usize::from(number + 19) % 9, None)), "{number}");
        }
        let (held, dead) =
            store.pages.iter().fold((0, 0), |(held, dead), page| (held + page.bytes.len(), dead + page.dead));
        assert!(dead * 2 <= held + PAGE, "{dead} of {held} bytes are dead");
        for number in 0..20_000 {
            store.remove(&key(number));
        }
        let held: usize = store.pages.iter().map(|page| page.bytes.len()).sum();
        assert!(store.len() == 0 && held < 2 * PAGE, "{held} bytes are kept for nothing");
    }

    #[test]
    fn the_longest_record_fits_its_header() {
        let mut store = Store::default();
        let long = Key::parse(&format!(
            "{}/{}",
            "p".repeat(models::ids::MAX_PROJECT_ID),
            "s".repeat(models::ids::MAX_SUBMISSION_ID)
        ));
        let long = long.unwrap();
        let claim = |number| Claim { trigger: "x".repeat(1000), attempts: Some(number), ..Claim::default() };
        let claims = (0..Pending::MAX_CLAIMS as u32).map(claim).collect();
        let entry = Entry { pending: Some(Box::new(Pending { claims, ..Pending::default() })), ..Entry::default() };
        store.insert(&long, &entry);
        assert_eq!(store.get(&long), Some(entry));
    }
}
