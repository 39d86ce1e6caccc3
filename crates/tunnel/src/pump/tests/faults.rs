//! Each read and write of a connection fails in turn, with each kind of fault.

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

/// The exit code of the side with the fault.
fn expected(fault: Fault, end: End, established: bool) -> u8 {
    let Fault::Error(errno) = fault else { return 0 };
    match (errno, end) {
        (Errno::EINTR | Errno::EAGAIN, _) => 0,
        // A program may stop reading.
        (Errno::EPIPE | Errno::ECONNRESET, End::AppOut) => 0,
        // A connection lost during the handshake is a failure of TLS.
        (Errno::EPIPE | Errno::ECONNRESET, End::NetIn | End::NetOut) if !established => 98,
        _ => 111,
    }
}

/// Asserts that a connection with the fault ends as it should; false if there are
/// fewer operations.
fn survives(side: Side, close_notify: bool, at: usize, fault: Fault) -> bool {
    let mut world = scene(close_notify).world();
    let to_send = Side::BOTH.map(|side| world.party(side).program.remaining());
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
    // Many steps mean that an end is ready again and again but not used.
    assert!(steps.iter().all(|steps| *steps < 400), "{case}: {steps:?}");
    let established = engine.established;
    let own_data = &to_send[side as usize];
    // Only our close_notify could not be sent.
    let alert_lost = end == End::NetOut
        && close_notify
        && world.party(side.other()).program.received == *own_data;
    if !(alert_lost && own == 0) {
        assert_eq!(own, expected(fault, end, established), "{case}");
    }
    if own == 0 {
        assert_eq!(other, 0, "{case}");
    }
    for receiver in Side::BOTH {
        let own_program = receiver == side;
        let remaining = &to_send[receiver.other() as usize];
        let program = &world.party(receiver).program;
        assert!(
            remaining.starts_with(&program.received),
            "{case}: other data than sent"
        );
        let whole = program.received == *remaining;
        // The direction without the fault; both if there is no error.
        let sound = match end {
            _ if !established => false,
            End::AppIn => own_program,
            End::AppOut => !own_program,
            // Unless the other side received a part of a record.
            End::NetOut => own_program && other == 0,
            End::NetIn => false,
        };
        let reader_gone = own == 0 && end == End::AppOut && fault_is_final(fault) && own_program;
        assert!(
            whole || reader_gone || !(sound || own == 0),
            "{case}: lost at {receiver:?}"
        );
        assert!(program.saw_end, "{case}: {receiver:?} sees no end");
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
fn fault_in_any_operation_is_handled() {
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
