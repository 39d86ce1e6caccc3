//! Each read and each write of a session made to fail in turn, in every way
//! that the system has.

use super::*;

fn scene(close_notify: bool) -> Scene {
    let mut scene = Scene::new(17);
    for manner in [&mut scene.client, &mut scene.server] {
        manner.rules.notify = close_notify;
    }
    (scene.client.to_send, scene.server.to_send) = (30_000, 25_000);
    scene.piece = 12_000;
    scene
}

/// What the side in trouble may end with.
fn expected(fault: Fault, end: End, established: bool) -> u8 {
    let Fault::Error(errno) = fault else { return 0 };
    match (errno, end) {
        (Errno::EINTR | Errno::EAGAIN, _) => 0,
        // A reader that has gone is its own business.
        (Errno::EPIPE | Errno::ECONNRESET, End::AppOut) => 0,
        // A lost connection is a failed handshake, a lack of memory is not.
        (Errno::EPIPE | Errno::ECONNRESET, End::NetIn | End::NetOut) if !established => 98,
        _ => 111,
    }
}

/// Runs a session with the trouble, and fails unless it ends as it should;
/// false if it was over before.
fn survives(side: Side, close_notify: bool, at: usize, fault: Fault) -> bool {
    let mut world = scene(close_notify).world();
    let said = Side::BOTH.map(|side| world.party(side).program.remaining());
    world.party(side).engine.pipes.faults.plan = Some((at, fault));
    world.run();
    let case = format!("{side:?} {close_notify} operation {at} {fault:?}");
    let steps = [world.client.engine.steps, world.server.engine.steps];
    let codes = world.codes();
    let [own, other] = [side, side.other()].map(|side| codes[side as usize].unwrap());
    let engine = &world.party(side).engine;
    let Some(end) = engine.pipes.faults.hit else {
        assert_eq!([own, other], [0, 0], "{case}");
        return false;
    };
    let case = format!("{case} {end:?} {:?}", engine.outcome);
    // A step takes place only when something has come: many of them mean
    // that one comes again and again and is not dealt with.
    assert!(steps.iter().all(|steps| *steps < 400), "{case}: {steps:?}");
    let established = engine.established;
    let own_words = &said[side as usize];
    // Nothing but our closing alert could not be sent.
    let alert_lost = end == End::NetOut
        && close_notify
        && world.party(side.other()).program.received == *own_words;
    if !(alert_lost && own == 0) {
        assert_eq!(own, expected(fault, end, established), "{case}");
    }
    if own == 0 {
        assert_eq!(other, 0, "{case}");
    }
    for hearer in Side::BOTH {
        let own_program = hearer == side;
        let remaining = &said[hearer.other() as usize];
        let program = &world.party(hearer).program;
        assert!(
            remaining.starts_with(&program.received),
            "{case}: not what was said"
        );
        let whole = program.received == *remaining;
        // The direction that the trouble is not in, and either if there is
        // no error.
        let sound = match end {
            _ if !established => false,
            End::AppIn => own_program,
            End::AppOut => !own_program,
            // Unless the other side takes a cut record for an attack.
            End::NetOut => own_program && other == 0,
            End::NetIn => false,
        };
        let reader_gone = own == 0 && end == End::AppOut && fault_is_final(fault) && own_program;
        assert!(
            whole || reader_gone || !(sound || own == 0),
            "{case}: lost at {hearer:?}"
        );
        assert!(program.heard_end, "{case}: {hearer:?} was not told");
    }
    true
}

fn fault_is_final(fault: Fault) -> bool {
    !matches!(
        fault,
        Fault::Short | Fault::Error(Errno::EINTR | Errno::EAGAIN)
    )
}

#[test]
fn each_operation_may_fail_in_each_way() {
    for side in Side::BOTH {
        for close_notify in [false, true] {
            for fault in [
                Fault::Short,
                Fault::Error(Errno::EINTR),
                Fault::Error(Errno::EAGAIN),
                Fault::Error(Errno::EPIPE),
                Fault::Error(Errno::ECONNRESET),
                Fault::Error(Errno::ENOMEM),
            ] {
                let mut count = 0;
                while survives(side, close_notify, count, fault) {
                    count += 1;
                }
                assert!(count > 12, "{side:?} {fault:?}: only {count} operations");
            }
        }
    }
}
