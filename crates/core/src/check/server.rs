//! `--check` of s6-tlsd-io.

use cli::{ClientCertificate, Context, Fatal, ServerOptions, SniLevel, answers_challenges};
use tunnel::handshake_facts::HandshakeFacts;
use unix::quoted;

use super::pair::Peers;
use super::{Report, pairs, sni_directory, trust};
use crate::credentials::sessions::Sessions;
use crate::files::retry::Files;
use crate::keyguard::KeyLocation;
use crate::server::{anchors, connection, guarded, private_material};
use crate::setup::{Privileged, Setup};
use crate::verify::policy::{Sources, VerificationPolicy};

/// Takes those steps of the start that need no connection, and prints what was loaded.
pub fn check(context: &Context, setup: Setup, options: &ServerOptions) -> Result<u8, Fatal> {
    let files = Files::new(context, &options.engine, setup.started);
    let facts = HandshakeFacts::default();
    let mut report = Report::new(context, &options.engine);
    let privileged = Privileged::new(setup, context)?;
    let sources = Sources::new(context, &files, anchors(context, options)?);
    let guarded = guarded(context, options);
    let material = private_material(context, &files, options, guarded)?;
    let pairs = pairs::all(&mut report, &material.certificates, options.sni())?;
    let directory = material.certificates.directory();
    if let Some(directory) = directory.filter(|_| answers_challenges(&options.engine.alpn)) {
        sni_directory::challenges(&report, directory)?;
    }
    privileged.assume_identity()?;
    let policy = VerificationPolicy::load(&sources, &options.engine, facts.clone())?;
    let own_anchors = match &policy.anchors {
        Some(_) => None,
        None => pairs::own_anchors(&report, &files.optional())?,
    };
    let peers = Peers {
        anchors: policy.anchors.as_ref().or(own_anchors.as_ref()),
        are_clients: true,
    };
    print_options(&report, options, guarded)?;
    if options.asks_for_certificate() {
        report.fact("verification", trust::verification(&policy))?;
    }
    for pair in &pairs {
        pair.print(&mut report, &peers)?;
    }
    print_tickets(context, &report, material.sessions.as_ref())?;
    trust::print(&report, &sources, &policy)?;
    connection(
        context,
        options,
        KeyLocation::InProcess(material),
        policy,
        facts,
    )?;
    report.finish()
}

/// Prints what the options of a server say.
fn print_options(report: &Report<'_>, options: &ServerOptions, guarded: bool) -> Result<(), Fatal> {
    report.user()?;
    report.settings(&options.engine, guarded)?;
    let sni = match options.sni() {
        SniLevel::Ignore => "ignored",
        SniLevel::Prefer => "used",
        SniLevel::Require => "required",
    };
    report.fact("sni", sni)?;
    let certificates = match (options.client_certificate, options.any_client_certificate) {
        (ClientCertificate::None, _) => "not asked for",
        (ClientCertificate::Optional, false) => "optional",
        (ClientCertificate::Optional, true) => "optional, any",
        (ClientCertificate::Mandatory, false) => "mandatory",
        (ClientCertificate::Mandatory, true) => "mandatory, any",
    };
    report.fact("client-certificates", certificates)
}

/// Prints the file of ticket keys, if there is one. `sessions` is None if none are resumed.
fn print_tickets(
    context: &Context,
    report: &Report<'_>,
    sessions: Option<&Sessions>,
) -> Result<(), Fatal> {
    let Some(path) = context.env.get("TICKETKEYFILE") else {
        return Ok(());
    };
    report.fact("ticket-key-file", quoted::path(path))?;
    match sessions {
        Some(sessions) => report.fact("ticket-keys", sessions.count()),
        None => report.warning("no tickets are sent, because client certificates are asked for"),
    }
}
