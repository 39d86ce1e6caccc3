//! One step of rustls's unbuffered state machine.

use rustls::Error;
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus, WriteTraffic};

use super::{MAX_DATA, Session, ToSend};
use crate::buffer::Buffer;

/// What follows a step.
pub enum Progress {
    /// Another step.
    More,
    /// The peer has sent its close_notify; another step.
    Closed,
    /// The handshake needs more bytes from the peer.
    Blocked,
    /// Everything is done.
    Ready,
}

impl Session {
    /// Takes one step with these bytes from the network. The count is how many
    /// of them are processed.
    pub(super) fn advance(
        &mut self,
        incoming: &mut [u8],
        plain: Option<&mut Buffer>,
        outgoing: &mut Buffer,
        send: ToSend<'_>,
    ) -> (usize, Result<Progress, Error>) {
        match self {
            Self::Client(tls, _) => {
                advance(tls.process_tls_records(incoming), plain, outgoing, send)
            }
            Self::Server(tls, ..) => {
                advance(tls.process_tls_records(incoming), plain, outgoing, send)
            }
        }
    }
}

/// Does what one state of the connection asks for.
fn advance<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    mut plain: Option<&mut Buffer>,
    outgoing: &mut Buffer,
    send: ToSend<'_>,
) -> (usize, Result<Progress, Error>) {
    let mut discard = status.discard;
    let state = match status.state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error)),
    };
    let progress = match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        if let Some(plain) = plain.as_deref_mut() {
                            plain.append(record.payload);
                        }
                    }
                    Err(error) => return (discard, Err(error)),
                }
            }
            Ok(Progress::More)
        }
        ConnectionState::EncodeTlsData(mut record) => record
            .encode(outgoing.space())
            .map(|count| {
                outgoing.commit(count);
                Progress::More
            })
            .map_err(|error| Error::General(error.to_string())),
        ConnectionState::TransmitTlsData(records) => {
            records.done();
            Ok(Progress::More)
        }
        ConnectionState::WriteTraffic(mut traffic) => write(&mut traffic, outgoing, send)
            .map(|()| Progress::Ready)
            .map_err(|_| Error::EncryptError),
        ConnectionState::PeerClosed => Ok(Progress::Closed),
        ConnectionState::Closed => Ok(Progress::Ready),
        // BlockedHandshake. The only other state is early data, which a server
        // never accepts.
        _ => Ok(Progress::Blocked),
    };
    (discard, progress)
}

/// Encrypts what `send` says into `outgoing`.
fn write<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    outgoing: &mut Buffer,
    send: ToSend<'_>,
) -> Result<(), EncryptError> {
    match send {
        ToSend::Nothing => {}
        ToSend::Data(data) => {
            // Upstream (doc/upstream.md, The end of a key in TLS 1.2): rustls encrypts none of
            // several records if the last one is beyond the limit of the key. If it is configured
            // for shorter records, it may leave out some before that one.
            for record in data.chunks(MAX_DATA) {
                let count = traffic.encrypt(record, outgoing.space())?;
                outgoing.commit(count);
            }
        }
        ToSend::CloseNotify => {
            let count = traffic.queue_close_notify(outgoing.space())?;
            outgoing.commit(count);
        }
    }
    Ok(())
}
