//! What the tunnel promises, with engines in memory: see [`simulator`].

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use unix::Errno;

use super::Rules;
use crate::outcome::{EndReason, Outcome};
use crate::tunnel::endpoints::{End, PerEnd};
use crate::tunnel::session::Session;
use crate::tunnel::simulator::{Fault, Pipe, Simulation, Stream};
use crate::tunnel::testing;
use crate::tunnel::throughput::{QUIET, Size};
use Actor::{Hearer, Pumping, Speaker};
use Side::{Client, Server};
use world::{Actor, ENGINES, Random, Scene, Side};

mod alerts;
mod arrival;
mod attacker;
mod bulk;
mod early_data;
mod endings;
mod faults;
mod floods;
mod keys;
mod limits;
mod resumed;
mod world;
