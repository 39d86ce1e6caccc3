//! Tests of whole connections in memory: see [`crate::simulator`].

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use unix::Errno;

use super::Rules;
use crate::endpoints::{End, PerEnd};
use crate::outcome::{EndReason, Outcome};
use crate::session::Session;
use crate::simulator::{Fault, Pipe, Simulation, Stream};
use crate::testing;
use crate::throughput::{QUIET, Size};
use Actor::{Hearer, Pumping, Speaker};
use Side::{Client, Server};
use world::{Actor, ENGINES, Random, Scene, Side};

mod alerts;
mod arrival;
mod attacker;
mod bulk;
mod close_notify;
mod early_data;
mod endings;
mod faults;
mod floods;
mod freeing;
mod keys;
mod limits;
mod lingering;
mod long_flights;
mod lost_ends;
mod resumed;
mod unfinished;
mod world;
