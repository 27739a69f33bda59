//! Choices that were weighed, with the numbers.
//!
//! # 1. All inputs of one module are one object (2026-11-20)
//! The plan had one `Input` per `input()` statement. imudp's threads serve all listeners of the module, so the trait
//! became: build from `module()`, `add` each `input()`, then open and start. imtcp keeps a pool per statement inside.
//!
//! # 2. A batch is cut by the consumer, not by the builder (2026-11-20)
//! `queue.dequeueBatchSize` bounds what one commit covers. Builders fill batches of up to 1,024 messages whatever
//! the queue's setting; the queue's worker processes them in slices and commits after each. So inputs need not
//! know the queue, and a batch that grew large is not copied to be cut.
//!
//! # 3. Rules are a flat list with jumps (2026-11-20)
//! Statements compile to operations with forward jumps instead of a tree that is walked recursively: nesting and
//! `call` depth cost no stack, and a bound on steps is a bound on time.
//!
//! # 4. Inputs that can wait a little are paced long before the light-delay mark (2026-11-20)
//! A TCP flood fills any queue up to the mark that holds it up, by default 70,000 messages. They cost memory and cache,
//! and every other message waits behind them. What has to wait anyway can wait in the sender: above eight batches
//! ([`limits::QUEUE_PACE`](crate::limits::QUEUE_PACE)) such an input waits for the queue to halve, as long as workers
//! commit; a queue that stands still fills as configured. Four connections flooding: from 1.2 to 2.9 million messages/s,
//! median delay of a message beside them from 66 to 5 ms, peak memory from 28 to 8 MiB.
//! It also keeps messages in order, since no second worker starts at 40,000.
//!
//! # 5. At the end a queue forgets its window and its pauses (2026-11-20)
//! `queue.dequeueTimeBegin`/`End` and `queue.dequeueSlowdown` hold messages back; the reference loses those in memory
//! at shutdown. Here the queue is emptied at full speed, still within `queue.timeoutShutdown`.
//!
//! # 6. imudp takes packets of several datagrams (2026-11-20)
//! With `UDP_GRO` the kernel hands on datagrams of one sender that came together as one piece, and what a datagram
//! costs in the kernel (450 to 550 ns here, of which no user program can save anything) is paid once per piece.
//! Senders that use segmentation offload (the benchmark's does) at 100,000 messages/s: 865 ns of CPU per message in
//! the input without, 180 ns with it. Single datagrams cost the same as before. The price: slots of 64 KiB in the
//! receive slab (untouched pages cost nothing), and a dropped piece counts as one in `kernel.drops`.
//!
//! # 7. Kernel drops are read with `SO_MEMINFO` (2026-11-20)
//! `SO_RXQ_OVFL` attaches the same number to every datagram after the first drop: 4 % of the input's CPU when it has
//! least to spare. `SO_MEMINFO` gives it once a second and, for drops after the last datagram, at the end.
//!
//! # 8. In a steady stream imudp lets datagrams gather (2026-11-21)
//! At 200,000 single datagrams a second a thread that waits for the next one is woken for every second one, and falling
//! asleep, waking, and a batch of two cost more than receiving. So it rests for up to a millisecond between two looks,
//! as network cards moderate their interrupts (`inputs::udp::pace`): no longer than a twentieth of the receive
//! buffer takes to fill at the present rate, and not at all below 8,000 datagrams a second, so that a message by itself
//! is not delayed. Daemon CPU per message against rsyslogd's in the same run: single datagrams at 200,000/s from 1/1.3
//! to 1/2.8, at 50,000/s from 1/1.2 to 1/2.0; the highest rate of trains went up from 1.5 to 2.7 million/s. What is left
//! for single datagrams is three fifths `recvmmsg` itself. Tried before and given up: a fixed pause of 50 µs, which
//! helped at 200,000/s and cost 45 % more at 10,000/s; keeping small batches for a millisecond after receiving them,
//! which spares no wake-up.
//!
//! # 9. imtcp holds sessions until their messages are submitted (2026-11-20)
//! A worker that re-armed a session while its messages still lay in the worker's builder would let another worker
//! read and submit later ones first. The ways out: submit after each session (small batches), bind sessions to
//! workers (one busy connection per worker leaves the others idle), or hold the sessions and give them back together.
//! The last one keeps batches full and costs one lock per batch. Closing waits, too, so that a peer that sees the end
//! of its connection finds its messages before those of its next one. 3 million 200-byte messages in and submitted
//! to nowhere: 97 ns of CPU each with 1 connection, 111 ns with 64, of which about 60 ns are the kernel's.
//!
//! # 10. The poller accepts, and the backlog has room for every session (2026-11-20)
//! Workers may be held up by a full queue, so the reference's way, to let them accept, makes connecting wait for
//! output. With the reference's backlog of `maxSessions / 10 + 5`, 1,000 clients connecting at once and sending 10
//! messages each lost 1,900 of 10,000: the kernel had dropped handshakes it had told the clients were complete. The
//! default is now `maxSessions`, up to 4,096; nothing is lost, and `socketBacklog` is obeyed where it is given.
//!
//! # 11. A decoder's loop over whole lines was left out (2026-11-20)
//! Finding all line feeds of a receive with one iterator, without going through the states, made framing 7 % faster
//! (11.5 to 10.7 ns per message) and octet-counted streams quadratic where they contain no line feed.
//!
//! # 12. A queue worker may doze for a millisecond (2026-11-20)
//! Single messages at some thousand a second, typical of UDP, used to wake the worker for each: two futex calls, two
//! switches, a write of one line. A worker whose last eight waits were short now waits a millisecond without being
//! called, or for 256 messages ([`queue`](crate::queue)'s `rhythm`). Daemon CPU per message: 10,000/s from 8 to 5 µs,
//! 30,000/s from 4.4 to 3.0, 50,000/s from 1.04 to 0.81 (bench). The price is up to a millisecond of delay within a
//! steady stream; rejected was a delay on every wake-up, which a single message would have felt.
//! Waits of up to two milliseconds are short, and a doze that falls between two bursts is not held against the stream:
//! 200,000/s in bursts, one a millisecond, from 357 to 337 ns (medians of seven).
//!
//! # 13. `dequeueBatchSize` bounds transactions, not writes to files (2026-11-20)
//! The legacy main queue's default is 256 messages. Committed so, a file got 60 KB at a time, which costs 62 ns of
//! CPU per line in the kernel (ext4, Linux 6.18); 240 KB at a time cost 47, because larger writes get larger folios.
//! So a slice of a received batch commits the outputs that have transactions ([`OutputWorker::is_transactional`]);
//! omfile writes once per received batch. Until then the queue counts the messages as its own. Whole daemon, TCP with
//! 64 connections: 8 % less CPU per message.
//!
//! [`OutputWorker::is_transactional`]: crate::actions::OutputWorker::is_transactional
//!
//! # 14. A worker takes up to 4,096 messages at once (2026-11-20)
//! Where `queue.dequeueBatchSize` is not set, several received batches become one write to a file
//! ([`limits::TAKE_RECORDS`](crate::limits::TAKE_RECORDS)): ext4 takes writes of 217 KiB for 44 ns per 200-byte message,
//! a mebibyte for 38. With `queue.dequeueSlowdown`, which pauses after each batch, the batch keeps its size. With 2,048
//! the delay of a message beside a flood was half (9 ms at the 99th percentile), the cost with 64 connections 5 % higher.
//!
//! # 15. imtcp's workers stay with a session that brings much (2026-11-20)
//! Arming a drained socket makes the poller wake another worker for the next bytes, and two workers took turns at one
//! busy connection. After a receive of 16 KiB or more, with nobody else waiting, a worker submits and then reads once
//! more before it gives the session back. Together with larger writes (13, 14): 1 connection from 235 to 211 ns per
//! message and from 6.1 to 6.9 million/s, 64 connections from 240 to 214 ns.
//!
//! # 16. Signals and tasks have a thread each (2026-11-21)
//! The plan had one control thread for signals, timers, statistics and state files. But statistics go to a file, which
//! may lie on a share that hangs, and to another machine, and the state file of a million senders takes a second. TERM
//! and HUP must not wait for any of that. So the main thread keeps the signals and the tick, which wait for nothing, and
//! the thread `control` runs the [tasks](crate::task). One thread for all tasks: they are rare, and none is urgent.
//!
//! # 17. A regular expression's literal is looked for first (2026-11-21)
//! The C library decides what an expression means, and takes 1 to 3 µs per message to do so. What stands in it outside
//! of groups, quantifiers and sets must stand in every match, and looking for that costs a few dozen nanoseconds
//! (`sys::regex`). Rules scenario of the benchmark, two expressions among forty rules: from 1/4.3 to 1/7.7 of rsyslogd's
//! CPU.
//!
//! # 18. Lookup tables of texts are not a `HashMap` (2026-11-21)
//! A hundred thousand keys lie beyond the nearer caches, and a map of boxed keys touches four places per look-up. One
//! array of slots and one of rows (`lookup::texts`): keys in random order from 430 to 265 ns, a thousand keys in use
//! from 110 to 85 ns, on a machine where memory was slow that day.
//!
//! # 19. omelasticsearch speaks HTTP by `ureq`, TLS by OpenSSL (2026-11-21)
//! HTTP with pooling, chunked bodies and timeouts is a library's work; `ureq` without its TLS features is ten small crates.
//! Its TLS would be another library with other rules, so its connector is ours, on the system's OpenSSL: the client's
//! certificate, and certificates of other names without taking any certificate, which `native-tls` cannot tell apart.
//! ureq calls its connectors unversioned; the lock file holds the version. All our clients (omelasticsearch, impstats'
//! `push.url`, `http_request()`, OCSP) are made in one place, `tls::http::agent`.
//!
//! # 20. Ids of documents are made when they enter the worker (2026-11-21)
//! An id made of the message's content would survive the process, but two equal lines of one receive would be one
//! document: the second a conflict, which counts as delivered. So an id is a time, the worker's random number and a
//! count; it is kept over all tries. Disk queues have to keep it with the message.
//!
//! # 21. A large message is a batch of its own (2026-11-21)
//! imrawtcp takes 20 MiB by default. Beyond 16 KiB a message is received into storage of its own, which becomes the
//! batch's: it is copied once at most, in its first receive. What it takes of the input's `memoryBudget` goes with the
//! batch and is given back when that is dropped, so messages that wait in a queue count as well.
//!
//! # 22. TLS 1.3 session tickets go with the goodbye (2026-11-21)
//! OpenSSL sends tickets right behind the handshake. A client that only writes never reads them; when it closes its
//! socket with them unread, its kernel sends RST and drops what it has not sent yet. Of 11,000 messages of `loggen` on six
//! connections 7,214 arrived. Sent in answer to the client's `close_notify` tickets do no harm, because by then everything
//! has been read: all 11,000 arrived. TLS 1.2 has its ticket within the handshake and keeps it there.
//!
//! # 23. `retryFailures` without `retryRuleset` keeps documents in the worker (2026-11-21)
//! The reference makes messages of all documents of a request that had failures, those that were stored as well, and submits
//! them to the ruleset that is named, or to the default one. With a ruleset that looks at `$.omes!status` that is what the
//! user asked for, and it is done the same way here. Without one, every other action of the default ruleset would see them
//! twice, and the stored ones would be stored again; so what the cluster was too busy for stays in the worker and is sent
//! again after a pause, and what it refused goes to `errorFile`.
//!
//! # 24. Ids of senders are hashed with foldhash (2026-11-21)
//! omsendertrack hashes an id per message, and ids are the peers' choice. std's SipHash withstands
//! anybody; foldhash withstands who does not know its seed. The seed comes from the kernel, and nothing that a peer sees
//! depends on it but time, in which one look-up of a batch is lost. Who found collisions all the same could make a table
//! slow, not large (`maxSenders`). Per message, one run each: with 1,000 senders in turn from 56 to 50 ns, with a million
//! known ones from 246 to 135. Of the 28 ns with one sender most is rendering the id.
//!
//! # 25. A header that repeats is not parsed again (2026-11-21)
//! What a program says within a second begins with the same bytes, and one receive brings the messages of one peer. So
//! the RFC 3164 parser marks a header that it read from the bytes up to the first of MSG alone, and the next message of
//! the batch that begins with the same bytes takes its fields over. Where they differ, they mostly do within the time or
//! the host name, and the comparison ends there. With the modifier's detour out of the way of other messages (`walk`),
//! 1,629 instructions per 200-byte message from socket to file became 1,149; CPU with 64 connections fell by 12 %
//! (239 to 211 ns, 8 alternating runs). What did not help, all with 64 connections: smaller receives, fewer messages in
//! the queue, fewer per write, huge pages for batches, small socket buffers.
//!
//! # 26. Sessions are armed under the lock of their table (2026-11-21)
//! A worker put a session into the table and then armed its descriptor by number, without the lock. ThreadSanitizer
//! objected: the poller may close a session in the table for its silence, and its number may be the next connection's.
//! Other ways out were a state between running and armed, with a second lock per batch to leave it, and a reference count
//! per socket. One `epoll_ctl` per session under the lock costs nothing that can be measured: 64 connections, 4 alternating
//! runs, 192 ns per message with it and with 25, 211 before both.
//!
//! # 27. OCSP is asked by threads, not by the handshake (2026-11-21)
//! The reference asks in OpenSSL's verify callback, where a worker waits for the responder, up to 5 s for each certificate.
//! Here the handshake is completed first, the session is parked without watching its socket, and up to 16 threads ask, 4
//! of them one responder; the answer wakes the session. One thread with non-blocking sockets would have taken an HTTP
//! client of our own. Sessions are not resumed with it, because a ticket does not hold the chain that has to be checked.
//!
//! # 28. The certificate's chain is looked up when it is loaded (2026-11-21)
//! Where the file has no chain, OpenSSL builds one from the authorities in every handshake and verifies it on the way.
//! Built once it costs nothing: 800 instead of 1,060 µs of CPU per full handshake with RSA 2048, of which 430 are the
//! signature; with ECDSA P-256 it is 360. What is left is OpenSSL's but for a tenth. The benchmark's clients
//! (`tests/bench/handshake.rs`) take 150 µs of the same cores; with `openssl` as client they took 1,000, and both daemons
//! looked alike.
//!
//! # 29. What only start-up touched is given back (2026-11-21)
//! Of 7.9 MiB resident at rest 6.6 were pages of files: nearly all of the program, because the kernel maps 64 KiB around each
//! touch and reading a configuration touches code everywhere, and the relocation tables of OpenSSL. They are clean, so
//! `sys::resident` unmaps them at the beginning, before the first thread, and once more when all has started: 2.1 MiB at
//! rest (rsyslogd 4.1), 5.6 at the peak of starting.
//! A daemon that forks had this already. What is needed again comes from the page cache; the page cache itself is not touched.
//! Linking OpenSSL statically would have saved more, and kept the distribution's fixes out.
//!
//! # 30. Single datagrams cost what the kernel takes for them (2026-11-21)
//! The bar for UDP was a quarter of rsyslogd's CPU per message. At 200,000 single datagrams a second a program that does
//! nothing but `recvmmsg`, `memcpy` and `write` takes 690–710 ns where rsyslogd takes 2,030–2,450 and sluiced 990–1,140:
//! 1/3.2 is the floor on this kernel (6.18, virtual machine), 550–670 ns of it `recvmmsg` alone: headers checked and copied
//! one by one, buffers freed that another CPU filled. Names left out, larger batches, longer rests change nothing. `UDP_GRO`
//! does away with most of it where packets come in trains; single datagrams over loopback are never joined. The same holds
//! for the rate: with two sending threads beside it on two cores that program loses from 450,000/s on, where rsyslogd
//! reaches 306,000/s: the bar of twice rsyslogd's rate lies beyond it (2026-11-22).
//!
//! # 31. Datagrams wait in the socket while the rules are behind (2026-11-21)
//! An input over UDP cannot be held up, so it emptied its socket into the queue, and a flood of 1.5–2.3 M datagrams a
//! second (in trains) made 35–37 MiB of it. While the queue is above the mark at which TCP is paced, imudp now leaves
//! datagrams in the socket until half of its buffer is taken: 17 MiB at the same rates. Half is kept for bursts; the kernel's
//! count lags by up to a quarter. Asking costs one lock per look at the sockets, not per message.
