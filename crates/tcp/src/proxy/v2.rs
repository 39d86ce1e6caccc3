//! Version 2 of the header: a binary block.

use cli::Fatal;
use cli::address::{Endpoint, Ip};

use super::apply::{inet, ipc};
use super::read::Input;
use super::{Header, Variable, invalid, tlv, v1};

/// The start of each header.
pub const MAGIC: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The length of a path in a header; shorter ones are padded with NULs.
const PATH: usize = 108;

/// The family of the addresses.
enum Family {
    Ipv4,
    Ipv6,
    Unix,
}

/// What the block after the fixed part contains.
enum Block {
    /// Nothing of use. `odd` for LOCAL with an address family.
    Skip { odd: bool },
    /// Addresses of this family, and then TLVs.
    Addresses(Family),
}

/// Reads the rest of the header that starts with `first`.
pub fn read(input: &mut Input<'_>, first: &[u8; v1::SHORTEST]) -> Result<Header, Fatal> {
    let [low] = input.array()?;
    let [.., version_command, family_transport, high] = *first;
    let len = u16::from_be_bytes([high, low]);
    let kind = kind(version_command, family_transport, len)?;
    let mut block = vec![0; len.into()];
    input.fill(&mut block)?;
    match kind {
        Block::Skip { odd: true } => Ok(Header::LocalWithFamily),
        Block::Skip { odd: false } => Ok(Header::Nothing),
        Block::Addresses(family) => {
            let (mut variables, tlvs) = addresses(family, &block)?;
            variables.extend(tlv::variables(tlvs)?);
            Ok(Header::Proxied(variables))
        }
    }
}

fn kind(version_command: u8, family_transport: u8, len: u16) -> Result<Block, Fatal> {
    let (version, command) = (version_command >> 4, version_command & 15);
    if version != 2 {
        return Err(invalid("version"));
    }
    if command > 1 {
        return Err(invalid("command"));
    }
    let (family, shortest) = match family_transport >> 4 {
        0 => (None, 0),
        1 => (Some(Family::Ipv4), 12),
        2 => (Some(Family::Ipv6), 36),
        3 => (Some(Family::Unix), 216),
        _ => return Err(invalid("family")),
    };
    if command == 0 {
        let odd = family.is_some();
        return Ok(Block::Skip { odd });
    }
    let Some(family) = family else {
        return Ok(Block::Skip { odd: false });
    };
    match family_transport & 15 {
        0 => Ok(Block::Skip { odd: false }),
        1 if len < shortest => Err(invalid("address length")),
        1 => Ok(Block::Addresses(family)),
        2 => Err(Fatal::new(2, "unsupported transport protocol: datagram")),
        _ => Err(invalid("transport protocol")),
    }
}

/// The variables of the addresses, and the TLVs after them.
fn addresses(family: Family, block: &[u8]) -> Result<(Vec<Variable>, &[u8]), Fatal> {
    let short = || invalid("address length");
    match family {
        Family::Ipv4 => {
            let (ends, rest) = ends(block, Ip::V4).ok_or_else(short)?;
            Ok((inet(ends)?, rest))
        }
        Family::Ipv6 => {
            let (ends, rest) = ends(block, Ip::V6).ok_or_else(short)?;
            Ok((inet(ends)?, rest))
        }
        Family::Unix => {
            let (paths, rest) = paths(block).ok_or_else(short)?;
            Ok((ipc(paths)?, rest))
        }
    }
}

/// The remote and the local end, and the rest of the block.
fn ends<const N: usize>(block: &[u8], ip: fn([u8; N]) -> Ip) -> Option<([Endpoint; 2], &[u8])> {
    let (source, rest) = block.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk()?;
    let (destination_port, rest) = rest.split_first_chunk()?;
    let end = |bytes: &[u8; N], port: &[u8; 2]| Endpoint {
        address: ip(*bytes).into(),
        port: u16::from_be_bytes(*port),
    };
    let remote = end(source, source_port);
    let local = end(destination, destination_port);
    Some(([remote, local], rest))
}

/// The remote and the local path, and the rest of the block.
fn paths(block: &[u8]) -> Option<([&[u8]; 2], &[u8])> {
    let (remote, rest) = block.split_at_checked(PATH)?;
    let (local, rest) = rest.split_at_checked(PATH)?;
    let paths = [remote, local].map(|field| field.split(|byte| *byte == 0).next());
    Some((paths.map(Option::unwrap_or_default), rest))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A header with these fields.
    pub fn header(version_command: u8, family_transport: u8, block: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version_command, family_transport]);
        bytes.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
        bytes.extend(block);
        bytes
    }

    fn parse(version_command: u8, family_transport: u8, block: &[u8]) -> Result<Header, Fatal> {
        let bytes = header(version_command, family_transport, block);
        let mut input = Input::memory(&bytes);
        let first = input.array()?;
        read(&mut input, &first)
    }

    #[test]
    fn fields_of_the_fixed_part_are_checked_in_their_order() {
        let invalid = |what| Err(invalid(what));
        for (bytes, block, result) in [
            ([0x11, 0x41], 0, invalid("version")),
            ([0x31, 0x11], 12, invalid("version")),
            ([0x22, 0x41], 0, invalid("command")),
            ([0x21, 0x41], 99, invalid("family")),
            ([0x20, 0x41], 99, invalid("family")),
            ([0x20, 0x00], 0, Ok(Header::Nothing)),
            ([0x20, 0x00], 5, Ok(Header::Nothing)),
            ([0x20, 0x1f], 1, Ok(Header::LocalWithFamily)),
            ([0x20, 0x11], 12, Ok(Header::LocalWithFamily)),
            ([0x21, 0x0f], 3, Ok(Header::Nothing)),
            ([0x21, 0x10], 3, Ok(Header::Nothing)),
            ([0x21, 0x13], 12, invalid("transport protocol")),
            ([0x21, 0x11], 11, invalid("address length")),
            ([0x21, 0x21], 35, invalid("address length")),
            ([0x21, 0x31], 215, invalid("address length")),
        ] {
            let [version_command, family_transport] = bytes;
            let found = parse(version_command, family_transport, &vec![0; block]);
            assert_eq!(found, result, "{bytes:x?} {block}");
        }
        for family in [0x12, 0x22, 0x32] {
            assert_eq!(parse(0x21, family, &[0; 2]).map_err(|f| f.code()), Err(2));
        }
    }

    #[test]
    fn a_length_without_room_for_the_addresses_is_refused_before_they_come() {
        for (family, length) in [(0x11, 11), (0x21, 35), (0x31, 215)] {
            let bytes = header(0x21, family, &vec![0; length]);
            let mut input = Input::memory(&bytes[..16]);
            let first = input.array().unwrap();
            assert_eq!(read(&mut input, &first), Err(invalid("address length")));
        }
    }

    #[test]
    fn fields_after_the_addresses_become_variables_too() {
        let name = [&[0; 12][..], &[2, 0, 6], b"a.test"].concat();
        let Ok(Header::Proxied(variables)) = parse(0x21, 0x11, &name) else {
            panic!("it is a header");
        };
        assert_eq!(variables.len(), 6);
        let expected = ("SSL_TLS_SNI_SERVERNAME", b"a.test".to_vec());
        assert_eq!(variables.last(), Some(&expected));
        let cut = parse(0x21, 0x11, &name[..name.len() - 1]);
        assert_eq!(cut, Err(invalid("TLV in PROXY header")));
    }

    #[test]
    fn addresses_become_variables() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 255, 255];
        let end = |ip: &str, port| Endpoint {
            address: Ip::parse(ip.as_bytes()).unwrap().into(),
            port,
        };
        let proxied = |remote, local| Ok(Header::Proxied(inet([remote, local]).unwrap()));
        let expected = proxied(end("1.2.3.4", 9), end("5.6.7.8", 65535));
        assert_eq!(parse(0x21, 0x11, &v4), expected);
        let mut v6 = [0; 36];
        (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 3, 4);
        assert_eq!(
            parse(0x21, 0x21, &v6),
            proxied(end("::1", 3), end("::2", 4))
        );
        v6[10..12].fill(0xff);
        assert_eq!(
            parse(0x21, 0x21, &v6),
            Err(invalid("addresses in PROXY header"))
        );
        v6[26..28].fill(0xff);
        let expected = proxied(end("0.0.0.1", 3), end("0.0.0.2", 4));
        assert_eq!(parse(0x21, 0x21, &v6), expected);
    }

    #[test]
    fn path_with_a_control_character_is_invalid() {
        for at in [0, PATH - 1, PATH, 2 * PATH - 1] {
            for control in *b"\n\x1b\x7f" {
                let mut block = [b'p'; 2 * PATH];
                block[at] = control;
                let found = parse(0x21, 0x31, &block);
                assert_eq!(found, Err(invalid("path in PROXY header")));
            }
        }
    }

    #[test]
    fn path_ends_at_a_nul_or_with_its_field() {
        let mut block = [b'r'; 2 * PATH];
        block[PATH..PATH + 5].copy_from_slice(b"/l\0x\0");
        let expected = vec![
            ("PROTO", b"IPC".to_vec()),
            ("IPCREMOTEPATH", vec![b'r'; PATH]),
            ("IPCLOCALPATH", b"/l".to_vec()),
        ];
        assert_eq!(parse(0x21, 0x31, &block), Ok(Header::Proxied(expected)));
    }
}
