//! `--check` of s6-tlsc-io.

use cli::{ClientOptions, Context, Fatal, SniLevel};
use tunnel::handshake_facts::HandshakeFacts;
use unix::quoted;

use super::pair::Peers;
use super::{Report, pairs, trust};
use crate::client::{connection, needed, policy, private_material, sources, wanted_name};
use crate::files::retry::Files;
use crate::keyguard::KeyLocation;
use crate::setup::{Privileged, Setup};
use crate::verify::policy::VerificationPolicy;

/// Takes those steps of the start that need no connection, and prints what was loaded.
pub fn check(context: &Context, setup: Setup, options: &ClientOptions) -> Result<u8, Fatal> {
    let files = Files::new(context, &options.engine, setup.started);
    let facts = HandshakeFacts::default();
    let mut report = Report::new(context, &options.engine);
    let privileged = Privileged::new(setup, context)?;
    let name = wanted_name(options)?;
    let sources = sources(context, &files, options, name.as_ref())?;
    let sources = needed(sources, options);
    let key = (options.client_certificate)
        .then(|| private_material(context, &files))
        .transpose()?;
    let pairs = match &key {
        Some(material) => pairs::all(&mut report, &material.certificates, SniLevel::Ignore)?,
        None => Vec::new(),
    };
    privileged.assume_identity()?;
    let any = options.accept_any_certificate;
    let policy = policy(&sources, any, &options.engine, facts.clone())?;
    print_options(&report, options, &policy)?;
    let peers = Peers {
        anchors: policy.anchors.as_ref(),
        are_clients: false,
    };
    for pair in &pairs {
        pair.print(&mut report, &peers)?;
    }
    trust::print(&report, &sources, &policy)?;
    connection(
        options,
        name,
        key.map(KeyLocation::InProcess),
        sources,
        facts,
    )?;
    report.finish()
}

/// Prints what the options of a client say.
fn print_options(
    report: &Report<'_>,
    options: &ClientOptions,
    policy: &VerificationPolicy,
) -> Result<(), Fatal> {
    report.user()?;
    report.settings(&options.engine, options.engine.key_guard)?;
    report.fact("verification", trust::verification(policy))?;
    match &options.server_name {
        Some(name) => report.fact("server-name", quoted::path(name))?,
        None => report.fact("server-name", "none")?,
    }
    if policy.dane.is_some() {
        return Ok(());
    }
    if options.accept_any_certificate && policy.pins.is_empty() {
        report.warning("any certificate is accepted")
    } else if options.server_name.is_none() && policy.anchors.is_some() {
        report.warning("no name is checked: a certificate of the anchors for any name is accepted")
    } else {
        Ok(())
    }
}
