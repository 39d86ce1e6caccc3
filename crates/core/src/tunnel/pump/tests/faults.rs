//! Each read and each write of a session made to fail in turn, in every way
//! that the system has.

use super::*;

/// How an operation fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It does nothing and says why.
    Error(Errno),
    /// It moves a single byte.
    Short,
}

/// Which operation fails, by its number.
pub struct Plan {
    pub at: usize,
    pub fault: Fault,
}

/// What has become of a plan.
#[derive(Default)]
pub struct Trouble {
    pub plan: Option<Plan>,
    /// How many operations there were.
    pub count: usize,
    /// The end that it happened to.
    pub hit: Option<End>,
}

impl Trouble {
    /// The next operation: how much of `size` it may move.
    pub fn meet(&mut self, end: End, size: usize) -> Result<usize, Errno> {
        let number = self.count;
        self.count += 1;
        match &self.plan {
            Some(plan) if plan.at == number => {
                self.hit = Some(end);
                match plan.fault {
                    Fault::Error(errno) => Err(errno),
                    Fault::Short => Ok(size.min(1)),
                }
            }
            _ => Ok(size),
        }
    }
}

/// The side of a session that has the trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Client,
    Server,
}

const SAID: [usize; 2] = [30_000, 25_000];

fn world(close_notify: bool) -> World {
    let mut scene = Scene::new(17);
    scene.client.close_notify = close_notify;
    scene.server.close_notify = close_notify;
    scene.say = SAID;
    scene.piece = 12_000;
    scene.world()
}

impl World {
    fn engine(&mut self, side: Side) -> &mut Engine {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

/// What the side in trouble may end with.
fn expected(fault: Fault, end: End, established: bool) -> u8 {
    let Fault::Error(errno) = fault else { return 0 };
    match (errno, end) {
        (Errno::EINTR | Errno::EAGAIN, _) => 0,
        // A reader that has gone is its own business.
        (Errno::EPIPE | Errno::ECONNRESET, End::AppOut) => 0,
        (_, End::NetIn | End::NetOut) if !established => 98,
        _ => 111,
    }
}

/// Runs a session with the trouble, and fails unless it ends as it should;
/// false if it was over before.
fn survives(side: Side, close_notify: bool, at: usize, fault: Fault) -> bool {
    let mut world = world(close_notify);
    let said: [Vec<u8>; 2] =
        std::array::from_fn(|i| world.programs[i].says.iter().copied().collect());
    world.engine(side).ends.1.plan = Some(Plan { at, fault });
    world.run();
    let case = format!("{side:?} {close_notify} operation {at} {fault:?}");
    let turns = [world.client.turns, world.server.turns];
    let [client, server] = world.codes().map(Option::unwrap);
    let engine = world.engine(side);
    let Some(end) = engine.ends.1.hit else {
        assert_eq!([client, server], [0, 0], "{case}");
        return false;
    };
    let case = format!("{case} {end:?} {:?}", engine.result);
    // A turn takes place only when something has come: many of them mean
    // that one comes again and again and is not dealt with.
    assert!(turns.iter().all(|turns| *turns < 400), "{case}: {turns:?}");
    let (own, other) = match side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    let established = engine.established;
    let of_side = side as usize;
    // Nothing but our closing alert could not be sent.
    let alert_lost =
        end == End::NetOut && close_notify && world.programs[1 - of_side].hears == said[of_side];
    if !(alert_lost && own == 0) {
        assert_eq!(own, expected(fault, end, established), "{case}");
    }
    if own == 0 {
        assert_eq!(other, 0, "{case}");
    }
    for (i, program) in world.programs.iter().enumerate() {
        assert!(
            said[1 - i].starts_with(&program.hears),
            "{case}: not what was said"
        );
        let whole = program.hears == said[1 - i];
        // The direction that the trouble is not in, and either if there is
        // no error.
        let sound = match end {
            _ if !established => false,
            End::AppIn => i == of_side,
            End::AppOut => i != of_side,
            // Unless the other side takes a cut record for an attack.
            End::NetOut => i == of_side && other == 0,
            End::NetIn => false,
        };
        let reader_gone = own == 0 && end == End::AppOut && fault_is_final(fault) && i == of_side;
        assert!(
            whole || reader_gone || !(sound || own == 0),
            "{case}: lost at {i}"
        );
        assert!(program.heard_end, "{case}: {i} was not told");
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
    for side in [Side::Client, Side::Server] {
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
