//! The table of senders, alone and under many threads.

use super::*;

fn tally(table: &Table, ids: &[&[u8]]) -> Tally {
    let mut tally = Tally::default();
    for id in ids {
        tally.add(table, |out| out.extend_from_slice(id));
    }
    tally
}

fn all(table: &Table) -> Vec<(String, u64, i64, i64)> {
    let mut all = Vec::new();
    let _: Result<(), ()> = table.copy().in_order(|name, stat| {
        let name = String::from_utf8_lossy(name).into_owned();
        all.push((name, stat.messages, stat.first, stat.last));
        Ok(())
    });
    all
}

fn row(name: &str, messages: u64, first: i64, last: i64) -> (String, u64, i64, i64) {
    (name.to_owned(), messages, first, last)
}

#[test]
fn messages_are_counted_by_sender_with_first_and_last_second() {
    let table = Table::new(10);
    let mut some = tally(&table, &[b"b", b"b", b"a", b"b", b""]);
    assert_eq!(some.len(), 5);
    let mut seen = Vec::new();
    some.each(|name, messages| seen.push((name.to_vec(), messages)));
    assert_eq!(seen.iter().map(|(_, messages)| messages).sum::<u64>(), 5);
    assert_eq!(table.count(&mut some, 100), Counted { messages: 5, others: 0 });
    assert_eq!(some.len(), 0);
    table.count(&mut tally(&table, &[b"a"]), 90);
    assert_eq!(all(&table), [row("", 1, 100, 100), row("a", 2, 100, 90), row("b", 3, 100, 100)]);
    assert_eq!((table.len(), table.get(b"c")), (3, None));
}

/// As in the state file, where they could not be told apart.
#[test]
fn ids_are_utf8() {
    let table = Table::new(10);
    let ids = [
        &b"\xff\xfe"[..],
        b"\xfe\xff",
        "\u{fffd}\u{fffd}".as_bytes(),
        "\u{e4}".as_bytes(),
        b"\xe4",
    ];
    table.count(&mut tally(&table, &ids), 1);
    let expected =
        [row("\u{e4}", 1, 1, 1), row("\u{fffd}", 1, 1, 1), row("\u{fffd}\u{fffd}", 3, 1, 1)];
    assert_eq!(all(&table), expected);
}

#[test]
fn what_has_no_room_is_counted_together() {
    let table = Table::new(2);
    let long = vec![b'x'; limits::SENDER_BYTES + 1];
    let mut some = tally(&table, &[b"a", b"b", b"c", b"d", b"e"]);
    assert_eq!(table.count(&mut some, 1).others, 3);
    assert_eq!(all(&table).iter().map(|row| row.1).sum::<u64>(), 5);
    assert_eq!(table.get(OTHER).map(|stat| stat.messages), Some(3));
    assert!(!table.load(b"f", Stat { messages: 1, first: 1, last: 1 }));
    assert!(table.load(OTHER, Stat { messages: 1, first: 1, last: 1 }));
    assert!(table.remove(OTHER) && table.remove(all(&table)[0].0.as_bytes()), "room for one");
    assert_eq!(table.count(&mut tally(&table, &[&long]), 1).others, 1);
}

#[test]
fn senders_come_and_go() {
    let table = Table::new(usize::MAX);
    let id = |n: u32| format!("sender-{n}").into_bytes();
    for n in 0..5000 {
        assert!(table.load(&id(n), Stat { messages: n.into(), first: 1, last: n.into() }));
    }
    table.watch(|_, stat, watch| watch.messages = stat.messages);
    assert!(table.load(b"new", Stat { messages: 7, first: 1, last: 5000 }));
    assert_eq!(table.retain(|stat| stat.last % 3 == 0), 3334);
    assert_eq!(table.retain(|stat| stat.last % 3 == 0), 0);
    assert_eq!((table.len(), table.remove(&id(1)), table.remove(&id(3))), (1667, false, true));
    for n in 0..5000 {
        let wanted = (n % 3 == 0 && n != 3).then_some(u64::from(n));
        assert_eq!(table.get(&id(n)).map(|stat| stat.messages), wanted, "{n}");
    }
    table.watch(|_, stat, watch| assert_eq!(watch.messages, stat.messages));
    assert!(table.change(&id(6), |stat| stat.messages = 1));
    assert!(!table.change(&id(7), |stat| stat.messages = 1));
    table.change_all(|stat| stat.messages += 1);
    assert_eq!(table.get(&id(6)).map(|stat| stat.messages), Some(2));
    assert_eq!(table.retain(|_| false), 1666);
    assert_eq!((table.len(), all(&table)), (0, vec![]));
}

#[test]
fn a_copy_to_save_is_due_after_each_change() {
    let table = Table::new(10);
    let is_due = |table: &Table| {
        let changed = table.is_changed();
        drop(table.copy_to_save());
        changed
    };
    assert!(!is_due(&table));
    table.count(&mut tally(&table, &[b"a"]), 1);
    assert!(is_due(&table) && !is_due(&table));
    table.count(&mut tally(&table, &[b"a"]), 1);
    drop(table.copy());
    assert!(is_due(&table) && !is_due(&table));
    table.change_all(|_| {});
    assert!(is_due(&table) && table.remove(b"a") && is_due(&table));
    table.change_all(|_| {});
    assert!(
        !is_due(&table) && !table.remove(b"a") && !table.change(b"a", |_| {}) && !is_due(&table)
    );
}

/// Edge case 18 of the specification: eight workers, a hundred thousand messages each, a thousand senders; copies are
/// taken meanwhile.
#[test]
fn counts_are_exact_with_eight_threads() {
    let table = Table::new(usize::MAX);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let worker = |seed: usize| {
            let table = &table;
            move || {
                let mut tally = Tally::default();
                for n in 0..100_000 {
                    let id = format!("host-{}", (n * 7 + seed) % 1000);
                    tally.add(table, |out| out.extend_from_slice(id.as_bytes()));
                    if n % 257 == 0 {
                        table.count(&mut tally, 1);
                    }
                }
                table.count(&mut tally, 1);
            }
        };
        let workers: Vec<_> = (0..8).map(|seed| scope.spawn(worker(seed))).collect();
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(all(&table).iter().map(|row| row.1).sum::<u64>() <= 800_000);
            }
        });
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let all = all(&table);
    assert_eq!(all.len(), 1000);
    assert!(all.iter().all(|row| row.1 == 800), "{all:?}");
}
