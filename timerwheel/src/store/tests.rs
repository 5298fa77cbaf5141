use super::*;

/// Three segments of entries.
const ALL: u32 = 3 * 128;

fn arm(store: &mut Store<u32>, value: u32) -> (u32, Generation) {
    store.make_room();
    let Vacancy { index, entry } = store.vacancy().unwrap();
    let Entry::Vacant { generation, .. } = *entry else { panic!("{index} is not vacant") };
    let at = At::filed(Kind::Once, Tag::of(1));
    *entry = Entry::Armed(Armed { deadline: 0, armed: 0, value, generation, at });
    store.filled();
    (index, generation)
}

fn remove(store: &mut Store<u32>, index: u32) -> Option<Armed<u32>> {
    store.reserve_free();
    store.remove_if(index, |_| true)
}

#[test]
fn a_place_at_the_end_of_its_count_is_retired_and_never_comes_again() {
    let mut store = Store { firsts: Vec::from([Generation::LAST_BUT_ONE; 3]), ..Store::new() };
    let mut seen = BTreeSet::new();
    for value in 0..ALL {
        let (index, generation) = arm(&mut store, value);
        assert_eq!(generation, Generation::LAST_BUT_ONE);
        assert!(seen.insert(index), "place {index} comes twice");
        assert_eq!((store.len(), store.capacity()), (1, seen.len().next_multiple_of(SEGMENT)));
        assert!(store.remove_if(index, |_| false).is_none());
        assert_eq!(remove(&mut store, index).map(|armed| armed.value), Some(value));
        assert!(remove(&mut store, index).is_none(), "stale");
        assert_eq!(store.len(), 0);
        if value % 100 == 0 {
            // Forgetting the places would begin their count anew.
            store.shrink_to_fit();
            store.check();
        }
    }
    assert_eq!(store.retired, ALL as usize);
    store.check();
}

#[test]
fn fresh_places_after_shrinking_count_on_from_the_highest_of_their_segment() {
    let mut store = Store::new();
    let mut last = None;
    for value in 0..5 {
        let (index, generation) = arm(&mut store, value);
        remove(&mut store, index);
        last = last.max(Some(generation));
    }
    store.shrink_to_fit();
    assert_eq!(store.capacity(), 0);
    for value in 0..1_000 {
        let (index, generation) = arm(&mut store, value);
        let used = (index as usize) < SEGMENT;
        assert_eq!(
            Some(generation) > last,
            used,
            "place {index} gives an old handle, or wears out"
        );
    }
    store.check();
}

#[test]
fn room_is_made_for_as_many_as_asked_beside_those_there_are() {
    let mut store = Store::new();
    store.reserve(0);
    assert_eq!(store.capacity(), 0);
    store.reserve(1);
    assert_eq!(store.capacity(), SEGMENT);
    (0..10).for_each(|value| _ = arm(&mut store, value));
    store.reserve(SEGMENT - 10);
    assert_eq!(store.capacity(), SEGMENT);
    store.reserve(SEGMENT - 9);
    assert_eq!(store.capacity(), 2 * SEGMENT);
}

#[test]
fn shrinking_keeps_the_segments_up_to_the_last_armed_entry() {
    let mut store = Store::new();
    let places: Vec<_> = (0..ALL).map(|value| arm(&mut store, value).0).collect();
    assert_eq!(store.capacity(), 3 * SEGMENT);
    for index in places.iter().filter(|index| **index != 150) {
        remove(&mut store, *index);
    }
    store.shrink_to_fit();
    store.check();
    assert_eq!((store.len(), store.capacity()), (1, 2 * SEGMENT));
    remove(&mut store, 150);
    store.shrink_to_fit();
    let counts = store.firsts.capacity() * size_of::<Generation>();
    assert_eq!((store.len(), store.capacity(), store.heap_bytes()), (0, 0, counts));
}

#[test]
fn an_armed_timer_takes_as_much_as_its_value_and_three_words() {
    assert_eq!(size_of::<Entry<u64>>(), 32);
    assert_eq!(size_of::<Entry<Box<str>>>(), 40);
    for small in [size_of::<Entry<()>>(), size_of::<Entry<u8>>(), size_of::<Entry<u16>>()] {
        assert_eq!(small, 24, "there is room beside the words");
    }
}

#[test]
fn where_an_entry_is_and_of_which_kind_reads_back() {
    for kind in [Kind::Once, Kind::Interval] {
        for tag in
            [0, 1, 2047, (1 << 12) - 2].map(Tag::of).into_iter().flat_map(|tag| [tag, tag.next()])
        {
            let at = At::filed(kind, tag);
            assert_eq!((at.kind(), at.is(tag), at.is_due()), (kind, true, false));
            assert!(!at.is_in(tag.next()), "the slot was emptied meanwhile");
            assert!(at.is_in(tag.turned()), "a sweep of the slot has begun");
            assert!(at.is_in(tag) && !at.is(tag.turned()), "it has not been kept yet");
            assert_eq!(at.may_stay(), kind == Kind::Once);
            assert_eq!(at.moved(Tag::of(9)), At::filed(kind, Tag::of(9)));
            let due = at.due();
            assert_eq!((due.kind(), due.is(tag), due.is_due()), (kind, false, true));
            assert!(!due.may_stay());
        }
    }
}

#[test]
fn numbers_given_back_are_used_before_fresh_ones() {
    let mut store = Store::new();
    (0..2_000).for_each(|value| _ = arm(&mut store, value));
    for index in 0..1_500 {
        assert!(remove(&mut store, index).is_some());
    }
    let places = store.capacity();
    let again: BTreeSet<_> = (0..1_500).map(|value| arm(&mut store, value).0).collect();
    assert!(again.into_iter().eq(0..1_500));
    assert_eq!((store.len(), store.capacity()), (2_000, places));
    store.check();
}
