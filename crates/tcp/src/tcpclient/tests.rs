//! Which addresses are tried.

use super::*;

/// The addresses of `host` with these options.
fn tried(args: &[&str], host: &str) -> Result<Vec<String>, Fatal> {
    let program = &cli::tables::TCPCLIENT;
    let mut context = Context {
        verbosity: 0,
        ..Context::new(program, Vec::new(), unix::Env::default())
    };
    let line = args.iter().copied().chain([host, "443", "p"]);
    let (given, _) = cli::parse(program, line.map(OsString::from).collect())?;
    let mut options = Options::default();
    for (id, option) in given.each()? {
        options.apply(id, option, &mut context)?;
    }
    let found = addresses(&context, &options, host.as_ref(), None)?;
    Ok(found.iter().map(Address::to_string).collect())
}

#[test]
fn this_host_has_a_loopback_address_of_each_wanted_family() {
    for host in ["", "0"] {
        assert_eq!(tried(&[], host).unwrap(), ["::1", "127.0.0.1"]);
        assert_eq!(tried(&["-4"], host).unwrap(), ["127.0.0.1"]);
        assert_eq!(tried(&["-6"], host).unwrap(), ["::1"]);
    }
}

#[test]
fn given_addresses_are_tried_in_their_order_and_have_to_be_of_the_wanted_family() {
    let both = "127.0.0.2,::1";
    assert_eq!(tried(&[], both).unwrap(), ["127.0.0.2", "::1"]);
    for family in ["-4", "-6"] {
        let text = format!("no IP address of the wanted family for {both}");
        assert_eq!(tried(&[family], both), Err(Fatal::user(text)));
    }
    assert_eq!(tried(&["-6"], "::1").unwrap(), ["::1"]);
}

#[test]
fn at_most_16_addresses_are_tried() {
    let list = |count: usize| -> Vec<String> {
        let numbers = 1..=count;
        numbers.map(|n| format!("127.0.0.{n}")).collect()
    };
    for count in [16, 17, 40] {
        assert_eq!(tried(&[], &list(count).join(",")).unwrap(), list(16));
    }
}

#[test]
fn without_lookups_a_name_is_wrong_usage() {
    let error = Fatal::user("host must be an IP address with -H: localhost");
    assert_eq!(tried(&["-H"], "localhost"), Err(error));
    assert_eq!(tried(&[], "localhost").unwrap(), ["::1", "127.0.0.1"]);
}
